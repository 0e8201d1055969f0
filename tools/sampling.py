"""Batched sampling from a Hugging Face decoder: the embedded models' way from prompts to texts.

A sample depends on the weights, its prompt, its place among the prompts and the seed alone: every prompt has
a random stream of its own, on one thread, whatever was sampled before. The caller's random state stays as it was.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from .decoding import Choice, decode, uniform_draws

BATCH = 48
"""Prompts decoded together."""

Messages = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Completion:
    """One sampled text.

    Attributes:
        text: what the model added to the prompt, special tokens left out.
        prompt_tokens: tokens of the prompt.
        tokens: tokens sampled, the end of sequence included.
        finish: ``stop`` if the model ended the text itself, ``length`` if the limit or the context did.
    """

    text: str
    prompt_tokens: int
    tokens: int
    finish: Literal["stop", "length"]


class LanguageModel:
    """A decoder with its tokenizer and at most one LoRA adapter put on. Safe to share between threads."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self._base = model.eval()
        self._model: PreTrainedModel = self._base
        self._lock = threading.Lock()
        self._adapter: Path | None = None
        self.tokenizer = tokenizer
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    @property
    def context(self) -> int:
        """Tokens of prompt and completion together."""
        return int(self._base.config.max_position_embeddings)

    @property
    def adapter(self) -> Path | None:
        """Folder of the adapter that is on."""
        return self._adapter

    def swap_adapter(self, folder: Path | None) -> None:
        """Put on another LoRA adapter, or none; the base weights are neither reloaded nor changed.

        The adapter is merged into a copy of the base, so that sampling runs at the base's speed.

        Raises:
            FileNotFoundError: ``folder`` holds no adapter.
        """
        if folder is None:
            with self._lock:
                self._model, self._adapter = self._base, None
            return
        folder = Path(folder)
        if not (folder / "adapter_config.json").is_file():
            raise FileNotFoundError(f"no adapter_config.json in {folder}; name a folder that peft saved")
        from peft import PeftModel  # takes seconds to import, which processes that put no adapter on need not wait for

        tuned = PeftModel.from_pretrained(copy.deepcopy(self._base), str(folder))
        merged = tuned.merge_and_unload().eval()
        with self._lock:
            self._model, self._adapter = merged, folder

    def render(self, messages: Messages) -> str:
        """The prompt text of a chat; a trailing assistant message is a beginning to be continued."""
        return render_chat(self.tokenizer, messages)

    def complete(
        self,
        prompts: Sequence[str],
        *,
        seed: int,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        max_new_tokens: int = 768,
        batch: int = BATCH,
    ) -> list[Completion]:
        """Sample one completion per prompt, in order.

        Args:
            prompts: rendered texts (see :meth:`render`), special tokens spelled out.
            seed: decides all draws, together with each prompt's place in ``prompts``.
            temperature: 0 takes the likeliest token.
            top_k, top_p: cut the distribution before drawing; ``None`` leaves it whole.
            max_new_tokens: limit per completion, at least 1; the context is a limit as well.
            batch: prompts decoded together; larger ones take more memory.

        Raises:
            ValueError: a prompt is empty or leaves no room in the context, or a setting is out of its range.
        """
        choice = Choice(temperature, top_k, top_p)
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens {max_new_tokens} leaves nothing to sample; give 1 or more")
        encoded = [self._encode(prompt) for prompt in prompts]
        limits = [min(max_new_tokens, self.context - len(tokens)) for tokens in encoded]
        completions: list[Completion] = []
        eos = int(self.tokenizer.eos_token_id)
        with self._lock, _one_thread():
            for start in range(0, len(encoded), batch):
                part, most = encoded[start : start + batch], limits[start : start + batch]
                draws = uniform_draws(seed, start, len(part), max(most))
                texts = decode(self._model, part, most, eos, choice, draws)
                completions += [self._completion(*pair, eos) for pair in zip(part, texts, strict=True)]
        return completions

    def _encode(self, prompt: str) -> list[int]:
        tokens: list[int] = self.tokenizer.encode(prompt, add_special_tokens=False)
        if not tokens:
            raise ValueError("an empty prompt cannot be completed; give at least one token")
        if len(tokens) >= self.context:
            raise ValueError(
                f"a prompt of {len(tokens)} tokens fills the context of {self.context}; shorten the prompt"
            )
        return tokens

    def _completion(self, prompt: list[int], tokens: list[int], eos: int) -> Completion:
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        finish: Literal["stop", "length"] = "stop" if tokens[-1] == eos else "length"
        return Completion(str(text), len(prompt), len(tokens), finish)


def render_chat(tokenizer: PreTrainedTokenizerFast, messages: Messages) -> str:
    """The prompt text of a chat; a trailing assistant message is a beginning to be continued."""
    continued = bool(messages) and messages[-1]["role"] == "assistant"
    text = tokenizer.apply_chat_template(
        list(messages),
        tokenize=False,
        add_generation_prompt=not continued,
        continue_final_message=continued,
    )
    return str(text)


def load_language_model(folder: Path | str, adapter: Path | str | None = None) -> LanguageModel:
    """Load a Hugging Face folder (weights in float32) from disk, and put on a LoRA adapter if one is named.

    Raises:
        FileNotFoundError: ``folder`` holds no model.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no config.json in {folder}; name a folder in Hugging Face format")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with _no_loading_bar():
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, disable_mmap=True
        )
    language_model = LanguageModel(model, tokenizer)
    if adapter is not None:
        language_model.swap_adapter(Path(adapter))
    return language_model


@contextmanager
def _no_loading_bar() -> Iterator[None]:
    """Loading takes a tenth of a second; a bar for it would only disturb the command's own output."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums depend on the number of threads, and a draw near a boundary on the last bit of a sum."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
