"""Calls of language models as MLflow traces: a LangChain callback, one trace for each conversation.

MLflow's own ``autolog`` makes one trace of a whole graph, and holds it in memory until that ends: of a campaign it
would be one of a night and of thousands of networks. Here a trace is a call: what was asked, what was answered, how
many tokens that took.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from .mlflow_store import import_mlflow, open_experiment

_log = logging.getLogger(__name__)


class ModelTracer(BaseCallbackHandler):
    """Give it to a chat model as a callback; an error of the store is logged and never reaches the model.

    Args:
        tags: of every trace, the campaign's id for example.

    Raises:
        ImportError: MLflow is not installed.
    """

    raise_error = False

    def __init__(self, uri: str, experiment: str, tags: Mapping[str, str]) -> None:
        self._mlflow = import_mlflow()
        self._mlflow.set_tracking_uri(uri)
        self._experiment = open_experiment(uri, experiment)[1]
        self._tags = dict(tags)
        self._spans: dict[UUID, Any] = {}
        self._lock = threading.Lock()

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A conversation begins: it is a trace of its own, whatever else is under way."""
        options = kwargs.get("invocation_params") or {}
        asked = [{"role": one.type, "content": one.text} for one in messages[0]]
        span = self._mlflow.start_span_no_context(
            name=str(options.get("model_name") or options.get("model") or "chat model"),
            span_type="CHAT_MODEL",
            inputs={"messages": asked},
            attributes={name: options[name] for name in ("seed", "temperature") if options.get(name) is not None},
            tags=self._tags,
            experiment_id=self._experiment,
        )
        with self._lock:
            self._spans[run_id] = span

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """The answer is there."""
        span = self._taken(run_id)
        if span is None:
            return
        first = response.generations[0][0]
        message = first.message if isinstance(first, ChatGeneration) else None
        usage = getattr(message, "usage_metadata", None)
        if usage:
            names = ("input_tokens", "output_tokens", "total_tokens")
            span.set_attribute("mlflow.chat.tokenUsage", {name: usage[name] for name in names})
        span.end(outputs={"role": "ai", "content": first.text})

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """The call failed."""
        span = self._taken(run_id)
        if span is not None:
            span.end(outputs={"error": f"{type(error).__name__}: {error}"[:1000]}, status="ERROR")

    def close(self) -> None:
        """Wait until what was traced is in the store."""
        try:
            self._mlflow.flush_trace_async_logging()
        except Exception as error:
            _log.warning("the last traces did not reach MLflow: %s", error)

    def _taken(self, run_id: UUID) -> Any | None:
        with self._lock:
            return self._spans.pop(run_id, None)
