"""A chat model over a Hugging Face folder on this machine, with swappable LoRA adapters."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import Field, PrivateAttr
from transformers.utils import logging

from ...tools.sampling import LanguageModel, load_language_model
from .batched import BatchedChatModel, Reply, Style, message_text

SAMPLING_OPTIONS = frozenset({"seed", "temperature", "top_k", "top_p", "max_new_tokens"})


class LocalChatModel(BatchedChatModel):
    """Samples from local weights, batched and by seed.

    The seed, the conversations and their order decide the answers. The sampling fields can be overridden per
    call, as in ``model.batch(conversations, seed=7, temperature=0.5)`` or ``model.bind(top_p=0.9)``. A trailing
    ``AIMessage`` is a beginning that the model continues; the answer holds the continuation alone.
    The weights are loaded by the first call.

    Attributes:
        folder: Hugging Face folder with weights, tokenizer and chat template.
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

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _language_model: LanguageModel | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "netwright-local"

    @property
    def model_name(self) -> str:
        return self.name or self.folder.name

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = sorted(SAMPLING_OPTIONS)
        return {"model_name": self.model_name, **{name: getattr(self, name) for name in names}}

    @property
    def language_model(self) -> LanguageModel:
        """The loaded weights with their tokenizer."""
        with self._lock:
            if self._language_model is None:
                with quiet_transformers():
                    self._language_model = load_language_model(self.folder, self.adapter)
            return self._language_model

    @cached_property
    def style(self) -> Style:
        """``completion`` when the prompt is a plain header line, ``chat`` when the template marks the roles."""
        tokenizer = self.language_model.tokenizer
        if tokenizer.chat_template is None:
            raise ValueError(
                f"the tokenizer in {self.folder} has no chat template; use an instruct model, or put a "
                "chat_template.jinja into the folder"
            )
        rendered = self.language_model.render([{"role": "user", "content": "header"}])
        return "completion" if rendered == f"{tokenizer.bos_token or ''}header\n" else "chat"

    def use_adapter(self, folder: Path | None) -> None:
        """Puts on the LoRA adapter in ``folder`` from the next call on, or takes it off.

        Raises:
            FileNotFoundError: no adapter there; the one in use stays.
        """
        if folder != self.language_model.adapter:
            self.language_model.swap_adapter(folder)
        self.adapter = folder

    def render(self, conversation: list[BaseMessage]) -> str:
        """The prompt text of a conversation, special tokens spelled out."""
        if not conversation:
            raise ValueError("an empty conversation cannot be answered; give at least one message")
        return self.language_model.render([_turn(message) for message in conversation])

    def reply(self, conversations: list[list[BaseMessage]], **options: Any) -> list[Reply]:
        unknown = options.keys() - SAMPLING_OPTIONS
        if unknown:
            takes = ", ".join(sorted(SAMPLING_OPTIONS))
            raise TypeError(f"{self.model_name} takes no {', '.join(sorted(unknown))}; it takes {takes}")
        chosen = {option: getattr(self, option) for option in SAMPLING_OPTIONS} | options
        prompts = [self.render(conversation) for conversation in conversations]
        return [
            Reply(done.text, done.prompt_tokens, done.tokens, done.finish)
            for done in self.language_model.complete(prompts, **chosen)
        ]

    def get_num_tokens(self, text: str) -> int:
        """Tokens of ``text`` by the model's own tokenizer."""
        return len(self.language_model.tokenizer.encode(text, add_special_tokens=False))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' bars for loading and writing weights off the terminal, which shows progress of its own."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


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
