"""An open chat model with what the agents need to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda

from ...tools.serving.client import Structured
from .batched import BatchedChatModel, Style
from .config import ModelUnavailable
from .rendered import RenderedChatModel
from .served import VllmChatModel

ANSWER_ROOM = 64
"""Tokens that a prompt must leave free: below that no rewriting can be hoped for."""


@dataclass(frozen=True)
class ChatModelHandle:
    """An open chat model.

    Attributes:
        style: ``completion`` when the prompt is a header line, ``chat`` when it is instructions.
        tunable: its weights are here, so it takes LoRA adapters (:meth:`use_adapter`).
        supports_seed: the same seed gives the same answers; hosted models promise this at best roughly.
        base_folder: Hugging Face folder of a tunable model, which adapters are tuned from.
        structured: takes requests for answers of a given shape; other models refuse them.
    """

    name: str
    model: BaseChatModel
    style: Style
    tunable: bool
    supports_seed: bool
    base_folder: Path | None = None
    parallel: int = 1
    decoding: dict[str, Any] = field(default_factory=dict)
    structured: bool = False

    def ask(
        self,
        conversations: Sequence[LanguageModelInput],
        *,
        seed: int,
        config: RunnableConfig | None = None,
        structured: Structured | None = None,
    ) -> list[AIMessage]:
        """One answer per conversation, in order; equal conversations get answers of their own.

        Models in this process answer all at once; others are asked ``parallel`` at a time, each conversation
        with a seed of its own if the model takes one.

        Args:
            structured: what each answer must look like, for models that are served by vLLM.

        Raises:
            ModelUnavailable: a shape is asked for and the model takes none, or does not keep to it.
        """
        if structured is not None and not self.structured:
            raise ModelUnavailable(
                f"{self.name} takes no structured output: serve it by vLLM (model.serve=vllm, or model.base_url)"
            )
        answers = self._answers(conversations, seed, config, structured)
        for answer in answers:
            # An answer that the limit on tokens cut off cannot be whole.
            whole = answer.response_metadata.get("finish_reason") == "stop"
            if structured is not None and whole and not structured.fits(answer.text):
                raise ModelUnavailable(
                    f"the server of {self.name} does not keep to structured_outputs ({answer.text[:80]!r}): "
                    "it must be vLLM 0.12 or later"
                )
        return answers

    def _answers(
        self,
        conversations: Sequence[LanguageModelInput],
        seed: int,
        config: RunnableConfig | None,
        structured: Structured | None,
    ) -> list[AIMessage]:
        options: dict[str, Any] = {}
        if isinstance(self.model, BatchedChatModel):
            if structured is not None:
                options["structured"] = structured
            return self.model.batch(conversations, config, seed=seed, **options)
        if structured is not None:
            set_before = getattr(self.model, "extra_body", None) or {}
            options["extra_body"] = {**set_before, "structured_outputs": structured.body()}

        def one(item: tuple[int, LanguageModelInput]) -> AIMessage:
            if self.supports_seed:
                return self.model.invoke(item[1], seed=seed + item[0], **options)
            return self.model.invoke(item[1], **options)

        limited: RunnableConfig = {**(config or {}), "max_concurrency": self.parallel}
        return RunnableLambda(one).batch(list(enumerate(conversations)), limited)

    def close(self) -> None:
        """Let go of what the model holds: a server that was started for it alone is stopped."""
        if isinstance(self.model, VllmChatModel):
            self.model.close()

    def make_room(self) -> None:
        """Before the model is tuned: end a server that the tune would not fit beside, until the next question."""
        if isinstance(self.model, VllmChatModel):
            self.model.make_room()

    def has_room(self, conversation: Sequence[BaseMessage]) -> bool:
        """Whether a conversation leaves a local model's context room for an answer; others judge by themselves."""
        if not isinstance(self.model, RenderedChatModel):
            return True
        used = self.model.get_num_tokens(self.model.render(list(conversation)))
        return used + ANSWER_ROOM <= self.model.context

    def use_adapter(self, folder: Path | None) -> None:
        """Puts a LoRA adapter on, or takes it off.

        Raises:
            ModelUnavailable: the model's weights are not here.
            FileNotFoundError: no adapter in ``folder``.
        """
        if not self.tunable or not isinstance(self.model, RenderedChatModel):
            raise ModelUnavailable(
                f"{self.name} takes no adapter: its weights are not on this machine, or its server loads none while "
                "it runs"
            )
        self.model.use_adapter(folder)

    def describe(self) -> dict[str, Any]:
        """What is worth recording, JSON-serialisable and without secrets."""
        adapter = self.model.adapter if isinstance(self.model, RenderedChatModel) else None
        return {
            "name": self.name,
            "style": self.style,
            "tunable": self.tunable,
            "supports_seed": self.supports_seed,
            "base_folder": str(self.base_folder) if self.base_folder else None,
            "adapter": str(adapter) if adapter else None,
            "decoding": self.decoding,
        }
