"""Novelty: how near a program is to the nearest known one, by MinHash-estimated Jaccard similarity.

Method and constants: *From Memorization to Creativity*, section 3 and appendix A. Near neighbours are
retrieved by locality-sensitive hashing and verified on the signatures. What retrieval lets pass is compared
with every signature (2 ms for 8,000), so that a record names the true nearest and no duplicate slips
between the bands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from datasketch import MinHashLSH

from .rows import NearestKind
from .signatures import PERMUTATIONS, SignatureCache, Sketch, as_minhash
from .types import Frozen

RETRIEVAL: Final = 0.85  # LSH threshold; appendix A.1 (the value is lost in the text)
NEAR_DUPLICATE: Final = 0.90  # from here on two programs are one; appendix A.1 (the value is lost in the text)
_WEIGHTS: Final = (0.1, 0.9)  # bands that miss few: 99 % of the pairs at .90 are retrieved, 86 % at .85


class Nearest(NamedTuple):
    """The nearest known program: its key, the estimated similarity, and whether it is the same program."""

    key: str
    jaccard: float
    exact: bool


class Novelty(Frozen):
    """The novelty decision on one program; ``nearest`` and ``kind`` are ``None`` if nothing is known yet."""

    novel: bool
    jaccard: float = 0.0
    nearest: str | None = None
    kind: NearestKind | None = None


class NoveltyIndex:
    """Known programs, by key. Holds exactly what was added to it; order of adding does not matter.

    Args:
        cache: where signatures of texts seen before come from; share one between the corpus and its cycles.
    """

    def __init__(self, cache: SignatureCache | None = None) -> None:
        self._cache = SignatureCache() if cache is None else cache
        self._lsh = MinHashLSH(threshold=RETRIEVAL, num_perm=PERMUTATIONS, weights=_WEIGHTS)
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._exact: dict[str, str] = {}
        self._values: npt.NDArray[np.uint32] = np.empty((64, PERMUTATIONS), dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def sketch(self, source: str) -> Sketch:
        """The sketch of a text, through the cache."""
        return self._cache.sketch(source)

    def add(self, key: str, source: str | Sketch) -> None:
        """Add a program; a key that is there already stays as it is."""
        if key in self._rows:
            return
        made = self.sketch(source) if isinstance(source, str) else source
        row = len(self._keys)
        if row == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[row] = made.values
        self._rows[key] = row
        self._keys.append(key)
        self._exact[made.exact] = min(key, self._exact.get(made.exact, key))
        self._lsh.insert(key, as_minhash(made.values), check_duplication=False)

    def add_many(self, programs: Iterable[tuple[str, str]]) -> None:
        """Add (key, source) pairs."""
        for key, source in programs:
            self.add(key, source)

    def nearest(self, source: str | Sketch) -> Nearest | None:
        """The nearest known program, ``None`` when none is known. Ties go to the smallest key."""
        made = self.sketch(source) if isinstance(source, str) else source
        if made.exact in self._exact:
            return Nearest(self._exact[made.exact], 1.0, True)
        if not self._keys:
            return None
        retrieved: list[str] = self._lsh.query(as_minhash(made.values))
        found = self._best(made, retrieved)
        if found is None or found.jaccard < NEAR_DUPLICATE:
            found = self._best(made, self._keys)
        return found

    def is_novel(self, source: str | Sketch) -> bool:
        """Whether nothing known is as near as :data:`NEAR_DUPLICATE`."""
        found = self.nearest(source)
        return found is None or found.jaccard < NEAR_DUPLICATE

    def _best(self, made: Sketch, keys: list[str]) -> Nearest | None:
        if not keys:
            return None
        if keys is self._keys:
            values = self._values[: len(keys)]
        else:
            values = self._values[[self._rows[key] for key in keys]]
        equal = np.count_nonzero(values == made.values, axis=1)
        most = int(equal.max())
        key = min(keys[row] for row in np.flatnonzero(equal == most))
        return Nearest(key, most / PERMUTATIONS, False)


def novelty_against(corpus: NoveltyIndex, cycle: NoveltyIndex, source: str) -> Novelty:
    """The decision on one program against the corpus and against what its own cycle wrote before it."""
    made = corpus.sketch(source)
    found: list[tuple[Nearest, NearestKind]] = []
    for index, kind in ((corpus, "corpus"), (cycle, "cycle")):
        near = index.nearest(made)
        if near is not None and near.exact:
            return Novelty(novel=False, jaccard=1.0, nearest=near.key, kind="exact")
        if near is not None:
            found.append((near, "corpus" if kind == "corpus" else "cycle"))
    if not found:
        return Novelty(novel=True)
    near, where = max(found, key=lambda item: item[0].jaccard)
    novel = near.jaccard < NEAR_DUPLICATE
    return Novelty(novel=novel, jaccard=near.jaccard, nearest=near.key, kind=where)


class CycleArchive:
    """The novelty decisions of one cycle: each program against the corpus and those before it in the cycle.

    Decide in slot order: then a resumed cycle decides as the undisturbed one did.
    """

    def __init__(self, corpus: NoveltyIndex) -> None:
        self._corpus = corpus
        self._seen = NoveltyIndex(corpus._cache)

    def __len__(self) -> int:
        return len(self._seen)

    def decide(self, key: str, source: str) -> Novelty:
        """Decide on a program, and keep it in the archive if it is novel (appendix A.2)."""
        decision = novelty_against(self._corpus, self._seen, source)
        if decision.novel:
            self.restore(key, source)
        return decision

    def restore(self, key: str, source: str) -> None:
        """Put back a program that an earlier run of this cycle found novel."""
        self._seen.add(key, self._corpus.sketch(source))
