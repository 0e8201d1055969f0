"""Chat models whose tokenizer and template are on this machine, whoever does the sampling."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import Field

from .batched import BatchedChatModel, Style, message_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAMPLING_OPTIONS = frozenset({"seed", "temperature", "top_k", "top_p", "max_new_tokens"})


class RenderedChatModel(BatchedChatModel):
    """A batched model with a Hugging Face folder here, and at most one LoRA adapter put on.

    The prompt is made by the folder's own template, the same for a model in this process and for a served one. The
    sampling fields can be overridden per call, as in ``model.batch(conversations, seed=7, temperature=0.5)`` or
    ``model.bind(top_p=0.9)``. A trailing ``AIMessage`` is a beginning that the model continues; the answer holds the
    continuation alone.

    Attributes:
        folder: Hugging Face folder with tokenizer and chat template.
        name: name in records and metadata; the folder's name when left out.
        adapter: LoRA adapter to start with.
        seed: of calls that name none.
        top_k, top_p: ``None`` leaves the distribution whole.
        max_new_tokens: limit per answer; the model's context is a limit as well.
    """

    folder: Path
    name: str | None = None
    adapter: Path | None = None
    seed: int = 0
    temperature: float = Field(default=0.9, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_new_tokens: int = Field(default=768, ge=1)

    @property
    def model_name(self) -> str:
        return self.name or self.folder.name

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = sorted(SAMPLING_OPTIONS)
        return {"model_name": self.model_name, **{name: getattr(self, name) for name in names}}

    @property
    @abstractmethod
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The model's own tokenizer."""

    @property
    @abstractmethod
    def context(self) -> int:
        """Tokens of prompt and answer together."""

    @abstractmethod
    def use_adapter(self, folder: Path | None) -> None:
        """Puts on the LoRA adapter in ``folder`` from the next call on, or takes it off.

        Raises:
            FileNotFoundError: no adapter there; the one in use stays.
        """

    @cached_property
    def style(self) -> Style:
        """``completion`` when the prompt is a plain header line, ``chat`` when the template marks the roles."""
        if self.tokenizer.chat_template is None:
            raise ValueError(
                f"the tokenizer in {self.folder} has no chat template; use an instruct model, or put a "
                "chat_template.jinja into the folder"
            )
        rendered = _prompt_text(self.tokenizer, [{"role": "user", "content": "header"}])
        return "completion" if rendered == f"{self.tokenizer.bos_token or ''}header\n" else "chat"

    def render(self, conversation: list[BaseMessage]) -> str:
        """The prompt text of a conversation, special tokens spelled out."""
        if not conversation:
            raise ValueError("an empty conversation cannot be answered; give at least one message")
        return _prompt_text(self.tokenizer, [_turn(message) for message in conversation])

    def encode(self, text: str) -> list[int]:
        """The tokens of a text by the model's own tokenizer, none added."""
        return [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False)]

    def get_num_tokens(self, text: str) -> int:
        """Tokens of ``text`` by the model's own tokenizer."""
        return len(self.encode(text))

    def chosen(self, options: dict[str, Any], further: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The sampling fields with a call's options put over them.

        Raises:
            TypeError: an option that is neither a sampling field nor in ``further``.
        """
        takes = SAMPLING_OPTIONS | further
        unknown = options.keys() - takes
        if unknown:
            raise TypeError(
                f"{self.model_name} takes no {', '.join(sorted(unknown))}; it takes {', '.join(sorted(takes))}"
            )
        return {option: getattr(self, option) for option in SAMPLING_OPTIONS} | options


def _prompt_text(tokenizer: PreTrainedTokenizerFast, turns: list[dict[str, str]]) -> str:
    from ...tools.sampling import render_chat  # the tokenizer is there, and so are the frameworks

    return render_chat(tokenizer, turns)


def _turn(message: BaseMessage) -> dict[str, str]:
    """A message as the chat template takes it."""
    if isinstance(message, HumanMessage):
        role = "user"
    elif isinstance(message, AIMessage):
        role = "assistant"
    elif isinstance(message, SystemMessage):
        role = "system"
    else:
        raise ValueError(f"local models take system, human and AI messages, not {type(message).__name__}")
    return {"role": role, "content": message_text(message)}
