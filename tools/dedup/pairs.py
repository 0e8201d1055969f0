"""Pairs of near texts among many: retrieved by bands of their signatures, verified by exact Jaccard similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...memory.bands import BANDS, band_keys
from ...memory.novelty import LEAST_ESTIMATE
from ...memory.shingles import Shingles, jaccard, shingles
from ...memory.signatures import PERMUTATIONS
from .items import Item
from .unions import Unions

WINDOW: Final = 32
"""In a bucket of more texts than this each is compared with so many that follow it in the order of another band."""
MOST_PAIRS: Final = 32
"""Pairs of one text that are verified, the nearest by estimate."""
LONELY: Final = 0.5
"""A text whose nearest is less similar than this is compared with a few more."""
_COARSE: Final = 32  # pairs of values: 95 % of the texts at 0.3 share one
_COARSE_WINDOW: Final = 8
_CHUNK: Final = 8_192
_TASK: Final = 200  # pairs, about, in one task of a worker

_Ints = npt.NDArray[np.int64]


class Near(NamedTuple):
    """Two texts, by their places, and the Jaccard similarity of their shingles."""

    one: int
    other: int
    jaccard: float


class Retrieved(NamedTuple):
    """Pairs of a fair chance to be near duplicates, (n, 2), and each text's nearest by estimate (-1: none found)."""

    pairs: _Ints
    nearest: _Ints
    estimate: npt.NDArray[np.float64]


def retrieve(values: npt.NDArray[np.uint32], threshold: float) -> Retrieved:
    """Candidate pairs by bands; the cost grows with the number of texts, whatever they are.

    Args:
        values: signatures, (n, 256).
        threshold: Jaccard similarity from which pairs are wanted.
    """
    count = len(values)
    keys = band_keys(values)
    least = max(0.0, threshold - (0.9 - LEAST_ESTIMATE)) * PERMUTATIONS
    nearest = np.full(count, -1, dtype=np.int64)
    best = np.zeros(count, dtype=np.int64)
    kept: list[_Ints] = []
    for band in range(BANDS):
        for pairs in _bucket_pairs(keys[:, band], keys[:, (band + 1) % BANDS]):
            equal = np.count_nonzero(values[pairs[:, 0]] == values[pairs[:, 1]], axis=1)
            _keep_nearest(pairs, equal, nearest, best)
            near = equal >= least
            kept.append(np.column_stack([pairs[near], equal[near]]))
    _fill(values, best < LONELY * PERMUTATIONS, nearest, best)
    found = np.unique(np.concatenate([np.empty((0, 3), dtype=np.int64), *kept]), axis=0)
    return Retrieved(_few(found, count), nearest, best / PERMUTATIONS)


def verify(items: Sequence[Item], pairs: _Ints, pool: Executor | None) -> list[Near]:
    """The exact similarity of pairs, in their order of places. Each text is read again, mostly once."""
    tasks = list(_tasks(items, pairs))
    done = (pool.map if pool else map)(_verify_task, tasks)
    return sorted(near for part in done for near in part)


def _bucket_pairs(keys: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64], window: int = WINDOW) -> Iterator[_Ints]:
    """Pairs that share a key, the lesser place first, some thousand at a time."""
    order = np.lexsort((np.arange(len(keys)), other, keys))
    sorted_keys = keys[order]
    for step in range(1, window + 1):
        same = np.flatnonzero(sorted_keys[step:] == sorted_keys[:-step])
        if not len(same):
            return
        for at in range(0, len(same), _CHUNK):
            first = same[at : at + _CHUNK]
            yield np.sort(np.column_stack([order[first], order[first + step]]), axis=1)


def _fill(values: npt.NDArray[np.uint32], lonely: npt.NDArray[np.bool_], nearest: _Ints, best: _Ints) -> None:
    """Find something for those that share no band with a near one: what shares a pair of values with them."""
    keys = values[:, : 2 * _COARSE].reshape(len(values), _COARSE, 2).astype(np.uint64)
    coarse = (keys[:, :, 0] << np.uint64(32)) | keys[:, :, 1]
    for band in range(_COARSE):
        for pairs in _bucket_pairs(coarse[:, band], coarse[:, (band + 1) % _COARSE], _COARSE_WINDOW):
            some = pairs[lonely[pairs].any(axis=1)]
            equal = np.count_nonzero(values[some[:, 0]] == values[some[:, 1]], axis=1)
            _keep_nearest(some, equal, nearest, best)


def _keep_nearest(pairs: _Ints, equal: npt.NDArray[np.intp], nearest: _Ints, best: _Ints) -> None:
    """Take over what is nearer than before; of equally near ones the first place."""
    for mine, others in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        order = np.lexsort((others, -equal, mine))
        mine, others, much = mine[order], others[order], equal[order]
        first = np.concatenate(([True], mine[1:] != mine[:-1])) if len(mine) else np.empty(0, dtype=bool)
        mine, others, much = mine[first], others[first], much[first]
        nearer = (much > best[mine]) | ((much == best[mine]) & (others < nearest[mine]))
        nearest[mine[nearer]] = others[nearer]
        best[mine[nearer]] = much[nearer]


def _few(found: _Ints, count: int) -> _Ints:
    """Of each text the pairs of the highest estimate; a pair stays if it is one of these for either text."""
    keep = np.zeros(len(found), dtype=bool)
    for side in (0, 1):
        order = np.lexsort((found[:, 1 - side], -found[:, 2], found[:, side]))
        starts = np.searchsorted(found[order, side], np.arange(count))
        rank = np.arange(len(found)) - starts[found[order, side]]
        keep[order[rank < MOST_PAIRS]] = True
    return found[keep, :2]


def _tasks(items: Sequence[Item], pairs: _Ints) -> Iterator[tuple[dict[int, Item], list[tuple[int, int]]]]:
    """Pairs in parcels that share their texts: those of one connected part together."""
    unions = Unions(len(items))
    for one, other in pairs.tolist():
        unions.join(one, other)
    roots = np.array([unions.root(one) for one in pairs[:, 0].tolist()], dtype=np.int64)
    parcel: list[tuple[int, int]] = []
    for at in np.lexsort((pairs[:, 1], pairs[:, 0], roots)).tolist():
        parcel.append((int(pairs[at, 0]), int(pairs[at, 1])))
        if len(parcel) >= _TASK:
            yield _parcel(items, parcel)
            parcel = []
    if parcel:
        yield _parcel(items, parcel)


def _parcel(items: Sequence[Item], pairs: list[tuple[int, int]]) -> tuple[dict[int, Item], list[tuple[int, int]]]:
    return {place: items[place] for pair in pairs for place in pair}, pairs


def _verify_task(task: tuple[dict[int, Item], list[tuple[int, int]]]) -> list[Near]:
    items, pairs = task
    known: dict[int, Shingles] = {}

    def of(place: int) -> Shingles:
        if place not in known:
            known[place] = shingles(items[place].source())
        return known[place]

    return [Near(one, other, jaccard(of(one), of(other))) for one, other in pairs]
