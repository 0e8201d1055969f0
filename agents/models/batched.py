"""A chat model that answers many conversations in one call.

LangChain's base class asks a model for one conversation at a time, ``batch`` included. Models that run in this
process are many times faster on a whole batch, so here ``generate`` and ``batch`` hand all of it over at once.
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_core.callbacks import CallbackManager, CallbackManagerForLLMRun, Callbacks
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult, RunInfo
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list, run_in_executor

Style = Literal["completion", "chat"]
Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Reply:
    """One answer before it becomes a message. Token counts are the model's own."""

    text: str
    prompt_tokens: int
    tokens: int
    finish: Finish


class BatchedChatModel(BaseChatModel):
    """Base of the chat models that run in this process.

    ``batch(conversations, seed=7)`` is one call of the model. The configuration's callbacks, tags and metadata
    of the first conversation hold for the whole batch. Streaming gives the finished answer as one chunk.
    """

    # Samples are drawn by seed; a cache keyed by prompt would hand out the same one again.
    cache: Literal[False] = False

    @abstractmethod
    def reply(self, conversations: list[list[BaseMessage]], **options: Any) -> list[Reply]:
        """One answer per conversation, in order."""

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name that goes into ``response_metadata``."""

    def _results(
        self, conversations: list[list[BaseMessage]], stop: list[str] | None, options: dict[str, Any]
    ) -> list[ChatResult]:
        replies = self.reply(conversations, **options) if conversations else []
        return [self._result(reply, stop) for reply in replies]

    def _result(self, reply: Reply, stop: list[str] | None) -> ChatResult:
        text, finish = _cut(reply.text, stop), reply.finish
        if text != reply.text:
            finish = "stop"
        message = AIMessage(
            content=text,
            usage_metadata=UsageMetadata(
                input_tokens=reply.prompt_tokens,
                output_tokens=reply.tokens,
                total_tokens=reply.prompt_tokens + reply.tokens,
            ),
            response_metadata={"finish_reason": finish, "model_name": self.model_name},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._results([messages], stop, kwargs)[0]

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        run_name: str | None = None,
        run_id: uuid.UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """One answer per conversation in one call of the model; callbacks see one run per conversation."""
        manager = CallbackManager.configure(
            callbacks, self.callbacks, self.verbose, tags, self.tags, metadata, self.metadata
        )
        runs = manager.on_chat_model_start(
            dumpd(self),
            messages,
            invocation_params={"model_name": self.model_name, **kwargs},
            options={"stop": stop},
            name=run_name,
            run_id=run_id,
            batch_size=len(messages),
        )
        try:
            results = self._results(messages, stop, kwargs)
        except BaseException as error:
            for run in runs:
                run.on_llm_error(error, response=LLMResult(generations=[]))
            raise
        for run, result in zip(runs, results, strict=True):
            result.generations[0].message.id = f"run-{run.run_id}-0"
            run.on_llm_end(LLMResult(generations=[cast("list[Any]", result.generations)]))
        return LLMResult(
            generations=[cast("list[Any]", result.generations) for result in results],
            run=[RunInfo(run_id=run.run_id) for run in runs],
        )

    def batch(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answers to all inputs, in order, from one call of the model.

        Args:
            return_exceptions: as the call is one, an error is every input's: it comes back once per input.
        """
        if not inputs:
            return []
        first = get_config_list(config, len(inputs))[0]
        try:
            result = self.generate_prompt(
                [self._convert_input(item) for item in inputs],
                callbacks=first.get("callbacks"),
                tags=first.get("tags"),
                metadata=first.get("metadata"),
                run_name=first.get("run_name"),
                run_id=first.get("run_id"),
                **kwargs,
            )
        except Exception as error:
            if not return_exceptions:
                raise
            return cast("list[AIMessage]", [error] * len(inputs))
        return [cast("AIMessage", cast("ChatGeneration", each[0]).message) for each in result.generations]

    async def abatch(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """:meth:`batch` in a worker thread."""
        return await run_in_executor(None, self.batch, inputs, config, return_exceptions=return_exceptions, **kwargs)


def _cut(text: str, stop: list[str] | None) -> str:
    """The text before the first stop string."""
    places = [place for word in stop or [] if (place := text.find(word)) >= 0]
    return text[: min(places)] if places else text


def message_text(message: BaseMessage) -> str:
    """The text of a message.

    Raises:
        ValueError: the message holds something else, an image for example, which local models cannot take.
    """
    if isinstance(message.content, str):
        return message.content
    other = {block["type"] for block in message.content if isinstance(block, dict)} - {"text"}
    if other:
        raise ValueError(f"this model takes text alone, but a message holds {', '.join(sorted(other))}")
    return str(message.text)
