"""Programs as token sequences, and the order in which training sees them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from .tokenizer import CONTEXT, render

IGNORED = -100
"""Label that torch's cross entropy leaves out."""
POOL_BATCHES = 50
"""Batches are cut from length-sorted pools of this many batches: little padding, and still random company."""


@dataclass(frozen=True)
class Document:
    """One header and program as tokens; the loss is taken on what follows the first ``prompt`` tokens."""

    tokens: tuple[int, ...]
    prompt: int


def encode(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]) -> list[Document]:
    """Tokenise (header, source) pairs.

    Raises:
        ValueError: a program does not fit into the model's context.
    """
    documents = []
    for header, source in pairs:
        prompt = tokenizer.encode(render(tokenizer, header), add_special_tokens=False)
        tokens = tokenizer.encode(render(tokenizer, header, source), add_special_tokens=False)
        if len(tokens) > CONTEXT:
            raise ValueError(
                f"a program of {len(tokens)} tokens exceeds the context of {CONTEXT}; "
                f"shorten the corpus's programs (header: {header})"
            )
        documents.append(Document(tuple(tokens), len(prompt)))
    return documents


def fingerprint(pairs: Sequence[tuple[str, str]]) -> str:
    """SHA-256 over all (header, source) pairs in order, in hex."""
    digest = hashlib.sha256()
    for header, source in pairs:
        digest.update(f"{header}\n{source}\0".encode())
    return digest.hexdigest()


class BatchOrder:
    """The endless, seeded sequence of batches; batch ``k`` depends on the seed and ``k`` only.

    Every epoch shuffles the documents, sorts pools of :data:`POOL_BATCHES` batches by length and shuffles the
    batches cut from them. A last batch that would be short is dropped.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        if len(lengths) < batch:
            raise ValueError(f"{len(lengths)} programs cannot fill one batch of {batch}; give a larger corpus")
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self._epoch = -1
        self._batches: list[list[int]] = []

    def __getitem__(self, step: int) -> list[int]:
        """Indices of the documents in batch ``step`` (from 0)."""
        epoch, position = divmod(step, len(self._lengths) // self._batch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._epoch_batches(epoch)
        return self._batches[position]

    def _epoch_batches(self, epoch: int) -> list[list[int]]:
        draw = random.Random(f"{self._seed}/{epoch}")
        order = list(range(len(self._lengths)))
        draw.shuffle(order)
        del order[len(order) // self._batch * self._batch :]
        pool = self._batch * POOL_BATCHES
        batches = []
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda index: self._lengths[index])
            batches += [part[i : i + self._batch] for i in range(0, len(part), self._batch)]
        draw.shuffle(batches)
        return batches


def collate(documents: Sequence[Document], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded inputs and labels, both (batch, longest) of int64; prompts and padding are ignored in labels.

    Padding stands after the end of sequence, where a causal decoder's real tokens never look, so no attention
    mask is needed.
    """
    width = max(len(document.tokens) for document in documents)
    inputs = torch.full((len(documents), width), pad, dtype=torch.long)
    labels = torch.full((len(documents), width), IGNORED, dtype=torch.long)
    for row, document in enumerate(documents):
        tokens = torch.tensor(document.tokens, dtype=torch.long)
        inputs[row, : len(tokens)] = tokens
        labels[row, document.prompt : len(tokens)] = tokens[document.prompt :]
    return inputs, labels
