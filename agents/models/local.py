"""A chat model over a Hugging Face folder on this machine, with swappable LoRA adapters."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from pydantic import PrivateAttr

from ...tools.frameworks import load_frameworks
from .batched import Reply
from .rendered import RenderedChatModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ...tools.sampling import LanguageModel


class LocalChatModel(RenderedChatModel):
    """Samples from local weights, batched and by seed.

    The seed, the conversations and their order decide the answers. The weights are loaded by the first call.
    """

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _language_model: LanguageModel | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "netwright-local"

    @property
    def language_model(self) -> LanguageModel:
        """The loaded weights with their tokenizer."""
        load_frameworks()
        from ...tools.sampling import load_language_model

        with self._lock:
            if self._language_model is None:
                with quiet_transformers():
                    self._language_model = load_language_model(self.folder, self.adapter)
            return self._language_model

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return self.language_model.tokenizer

    @property
    def context(self) -> int:
        return self.language_model.context

    def use_adapter(self, folder: Path | None) -> None:
        if folder != self.language_model.adapter:
            self.language_model.swap_adapter(folder)
        self.adapter = folder

    def reply(self, conversations: list[list[BaseMessage]], **options: Any) -> list[Reply]:
        chosen = self.chosen(options)
        prompts = [self.render(conversation) for conversation in conversations]
        return [
            Reply(done.text, done.prompt_tokens, done.tokens, done.finish)
            for done in self.language_model.complete(prompts, **chosen)
        ]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' bars for loading and writing weights off the terminal, which shows progress of its own."""
    load_frameworks()
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
