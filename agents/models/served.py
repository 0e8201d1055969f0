"""A chat model over a vLLM server, for a model whose folder is here: the same prompts as in this process."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from pydantic import Field, PrivateAttr

from ...tools.frameworks import load_frameworks
from ...tools.serving.adapters import adapter_name
from ...tools.serving.client import ServedText, Structured
from ...tools.serving.source import ServerSource
from ..seeds import derive_seed
from .batched import Reply
from .rendered import RenderedChatModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_FURTHER = frozenset({"structured"})


class VllmChatModel(RenderedChatModel):
    """Lets a vLLM server sample, many requests at once, each with a seed of its own.

    The server gets the prompt as token ids, made here by the model's own template: what a model in this process
    would read, a beginning to be continued included. So it need not know a chat template, and a completion-style
    model is served like any other. The server decodes together what is under way; its sums depend on the company, so
    the same seed gives the same answers mostly, not always.

    Attributes:
        source: the server; it is started or asked for the first time by the first call.
        parallel: requests under way at a time.
        room: tokens of prompt and answer together, where the server takes fewer than the model can.
    """

    source: ServerSource = Field(exclude=True, repr=False)
    parallel: int = Field(default=64, ge=1)
    room: int | None = None

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _tokenizer: PreTrainedTokenizerFast | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "netwright-vllm"

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        load_frameworks()
        from transformers import AutoTokenizer

        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            return self._tokenizer

    @property
    def context(self) -> int:
        held = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        most = int(held.get("max_position_embeddings", self.tokenizer.model_max_length))
        return min(most, self.room or most)

    def use_adapter(self, folder: Path | None) -> None:
        if folder is not None:
            adapter_name(folder)
        self.adapter = folder  # the server is told when it is next asked: it may not be running yet

    def reply(self, conversations: list[list[BaseMessage]], **options: Any) -> list[Reply]:
        chosen = self.chosen(options, _FURTHER)
        structured: Structured | None = chosen.pop("structured", None)
        prompts = [self._prompt(conversation) for conversation in conversations]
        connection, swap = self.source.opened()
        name = swap.put_on(self.adapter)
        most, seed, context = chosen.pop("max_new_tokens"), chosen.pop("seed"), self.context

        def one(item: tuple[int, list[int]]) -> ServedText:
            place, prompt = item
            return connection.complete(
                name,
                prompt,
                structured=structured,
                max_tokens=min(most, context - len(prompt)),
                seed=derive_seed(seed, place),
                **chosen,
            )

        pool = ThreadPoolExecutor(min(self.parallel, len(prompts)))
        try:
            texts = list(pool.map(one, enumerate(prompts)))
        finally:
            # After an error, or Ctrl-C, nobody waits for the others' answers.
            pool.shutdown(wait=False, cancel_futures=True)
        return [Reply(text.text, text.prompt_tokens, text.tokens, text.finish) for text in texts]

    def close(self) -> None:
        """Let go of the server; one that was started for this model alone is stopped."""
        self.source.close()

    def make_room(self) -> None:
        """End the server while the model is tuned, if its settings say so; the next question starts it again."""
        self.source.make_room()

    def _prompt(self, conversation: list[BaseMessage]) -> list[int]:
        tokens = self.encode(self.render(conversation))
        if len(tokens) >= self.context:
            raise ValueError(
                f"a prompt of {len(tokens)} tokens fills the context of {self.context}; shorten the prompt"
            )
        return tokens
