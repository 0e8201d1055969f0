"""The inner loop of sampling: many prompts at once, one token each per step, finished rows taken out.

``transformers.generate`` copies all keys and values at every step and computes finished rows to the end of the
longest; on a CPU, with texts of uneven length, that is more than half of the time. This loop runs the same
forward pass with a cache that grows in place and shrinks by rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessorList, PreTrainedModel, TopKLogitsWarper, TopPLogitsWarper
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 128
"""Positions by which a full cache grows."""
COMPACT = 0.75
"""Finished rows are taken out as soon as at most this share of the rows is still unfinished."""


@dataclass(frozen=True)
class Choice:
    """How the next token is chosen; temperature 0 takes the likeliest, ``None`` leaves the distribution whole."""

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature {self.temperature} is negative; give 0 or more")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k {self.top_k} leaves no token; give 1 or more, or nothing")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p {self.top_p} is no share; give more than 0 and at most 1")

    def cut(self) -> LogitsProcessorList:
        """transformers' processors for ``top_k`` and ``top_p``."""
        processors = LogitsProcessorList()
        if self.top_k is not None:
            processors.append(TopKLogitsWarper(self.top_k))
        if self.top_p is not None and self.top_p < 1:
            processors.append(TopPLogitsWarper(self.top_p))
        return processors


class _GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, (rows, heads, positions, head size), as the filled part of a larger buffer."""

    keys: torch.Tensor
    values: torch.Tensor
    _keys: torch.Tensor
    _values: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new positions; returns all positions so far."""
        used = self.get_seq_length()
        end = used + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._keys, self._values = self.keys, self.values
        if used == 0 or end > self._keys.shape[-2]:
            self._keys = _widened(self.keys, key_states, used, end + ROOM)
            self._values = _widened(self.values, value_states, used, end + ROOM)
        self._keys[:, :, used:end] = key_states
        self._values[:, :, used:end] = value_states
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows only."""
        end = self.get_seq_length()
        self._keys, self._values = self._keys[indices], self._values[indices]
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]


def _widened(old: torch.Tensor, new: torch.Tensor, used: int, room: int) -> torch.Tensor:
    rows, heads, _, size = new.shape
    buffer = new.new_empty(rows, heads, room, size)
    if used:
        buffer[:, :, :used] = old
    return buffer


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int],
    eos: int,
    choice: Choice,
    draws: torch.Tensor,
) -> list[list[int]]:
    """Continue prompts until the end of sequence or their limit.

    Args:
        model: a causal decoder that takes ``past_key_values`` (any rotary-position model of transformers).
        prompts: token ids, none empty.
        limits: most new tokens for each prompt, at least 1.
        eos: id of the end of sequence, which is part of the returned tokens.
        choice: how the next token is chosen.
        draws: uniform numbers in [0, 1), (prompts, steps): row i alone decides prompt i's chances.

    Returns:
        The new tokens of each prompt.
    """
    width = max(len(prompt) for prompt in prompts)
    inputs = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros_like(inputs)
    for row, prompt in enumerate(prompts):
        inputs[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = Cache(layer_class_to_replicate=_GrowingLayer)
    cut = choice.cut()
    texts: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    step = 0
    with torch.inference_mode():
        while True:
            logits = model(
                input_ids=inputs,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            tokens = _choose(logits, choice, cut, draws[rows, step])
            step += 1
            going = []
            for place, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
                text = texts[row]
                if not text or (text[-1] != eos and len(text) < limits[row]):
                    text.append(token)
                if text[-1] != eos and len(text) < limits[row]:
                    going.append(place)
            if not going:
                return texts
            inputs, positions = tokens[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            if len(going) <= COMPACT * len(rows):
                kept = torch.tensor(going)
                cache.batch_select_indices(kept)
                inputs, positions, mask = inputs[kept], positions[kept], mask[kept]
                rows = [rows[place] for place in going]


def _choose(logits: torch.Tensor, choice: Choice, cut: LogitsProcessorList, draws: torch.Tensor) -> torch.Tensor:
    """Next tokens (rows,) for logits (rows, vocabulary) by inverting the cumulative distribution at ``draws``."""
    if choice.temperature == 0:
        return logits.argmax(-1)
    scores = cut(None, logits.float() / choice.temperature)
    sums = torch.softmax(scores, -1, dtype=torch.float64).cumsum(-1)
    found = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)
    return found[:, 0].clamp(max=logits.shape[-1] - 1)


def uniform_draws(seed: int, first: int, rows: int, steps: int) -> torch.Tensor:
    """Uniform numbers (rows, steps) of float64; row i depends on the seed and ``first + i`` alone."""
    result = torch.empty(rows, steps, dtype=torch.float64)
    for row in range(rows):
        digest = hashlib.sha256(f"{seed}/{first + row}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        result[row] = torch.rand(steps, dtype=torch.float64, generator=generator)
    return result
