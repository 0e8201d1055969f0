"""Which networks are alike: similarities of their texts, and the families that a split must not divide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ...memory.novelty import LEAST_ESTIMATE
from ...memory.signatures import PERMUTATIONS, Signature, sketch
from ..dedup.structures import structure_key
from ..dedup.unions import Unions
from .examples import Example

Matrix = npt.NDArray[np.float64]

_ROWS: Final = 64  # signatures that are compared with all others at a time: 64 x 2,000 x 256 fit the memory


def signatures_of(examples: Sequence[Example]) -> npt.NDArray[np.uint32]:
    """MinHash signatures of the texts, (N, 256)."""
    made = [_signature(one.source) for one in examples]
    return np.array(made, dtype=np.uint32).reshape(len(made), PERMUTATIONS)


@lru_cache(maxsize=4_096)
def _signature(source: str) -> Signature:
    return sketch(source).values


def similarities(some: npt.NDArray[np.uint32], others: npt.NDArray[np.uint32]) -> Matrix:
    """Estimated Jaccard similarities of texts by their signatures, (N, 256) and (M, 256) to (N, M)."""
    found = np.zeros((len(some), len(others)))
    for start in range(0, len(some), _ROWS):
        part = some[start : start + _ROWS]
        found[start : start + _ROWS] = (part[:, None, :] == others[None, :, :]).mean(axis=2)
    return found


def families(examples: Sequence[Example], alike: Matrix) -> npt.NDArray[np.int64]:
    """A number for each example that near duplicates, equal structures, parents and children share.

    Near duplicates are those that the novelty filter may call so
    (:data:`~netwright.memory.novelty.LEAST_ESTIMATE` of estimated similarity).

    Args:
        alike: similarities of the examples, (N, N).
    """
    unions = Unions(len(examples))
    for one, other in zip(*np.where(np.triu(alike >= LEAST_ESTIMATE, 1)), strict=True):
        unions.join(int(one), int(other))
    first: dict[str, int] = {}
    for place, example in enumerate(examples):
        for mark in _marks(example):
            unions.join(first.setdefault(mark, place), place)
    return np.array([unions.root(place) for place in range(len(examples))], dtype=np.int64)


@lru_cache(maxsize=4_096)
def _structure(graph: str, source: str) -> str | None:
    return structure_key(graph, source)


def _marks(example: Example) -> list[str]:
    graph = example.figures.get("graph")
    structure = _structure(graph, example.source) if isinstance(graph, str) else None
    marks = [f"network {key}" for key in (example.key, *example.parents)]
    return [*marks, f"structure {structure}"] if structure else marks
