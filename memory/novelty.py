"""Novelty: how near a program is to the nearest known one, by exact id, by text and by computation graph.

Method and constants: *From Memorization to Creativity*, section 3 and appendix A. Near neighbours are retrieved by
locality-sensitive hashing and verified by the exact Jaccard similarity of their shingles, where the paper verifies
on the signatures. What retrieval lets pass is compared with every signature (2 ms for 8,000), so that a record names
the true nearest and no duplicate slips between the bands. Beyond the paper, a program whose *structure* (computation
graph and training set-up, see :mod:`netwright.tools.dedup.structures`) equals a known one's is no news either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .bands import Bands
from .rows import NearestKind
from .shingles import Shingles, jaccard, shingles
from .signatures import PERMUTATIONS, SignatureCache, Sketch
from .types import Frozen

NEAR_DUPLICATE: Final = 0.90  # from here on two programs are one; appendix A.1 (the value is lost in the text)
# The estimate of 256 values has a standard error of .019 at .90: four of them below, one pair in 30,000 is missed.
LEAST_ESTIMATE: Final = 0.82
VERIFIED: Final = 8  # nearest by estimate whose similarity is computed exactly, to name the nearest
MOST_VERIFIED: Final = 64  # and so many when a near duplicate may be among them
TRACED: Final = 3  # nearest known programs whose structure is found out when it is not known yet
TRACED_FROM: Final = 0.5  # least similarity for that

MOST_FOUND: Final = 512  # programs whose nearest are kept until the next is added: more than a batch has

NoveltyMode = Literal["structural", "lexical", "none"]
StructureOf = Callable[[str, str], str | None]
"""The structure of a known program, from its key and its text; ``None`` where it has none."""


class Nearest(NamedTuple):
    """The nearest known program: its key, the Jaccard similarity of the texts, and whether it is the same program."""

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
        self._bands = Bands()
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._sources: list[str] = []
        self._exact: dict[str, str] = {}
        self._structures: dict[str, str] = {}
        self._told: set[str] = set()
        self._traced: dict[str, str | None] = {}
        self._found: dict[str, list[Nearest]] = {}
        self._values: npt.NDArray[np.uint32] = np.empty((64, PERMUTATIONS), dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def sketch(self, source: str) -> Sketch:
        """The sketch of a text, through the cache."""
        return self._cache.sketch(source)

    def fresh(self) -> NoveltyIndex:
        """An empty index with the same cache."""
        return NoveltyIndex(self._cache)

    def add(self, key: str, source: str | Sketch, structure: str | None = None) -> None:
        """Add a program; a key that is there already stays as it is, but for a structure that comes later."""
        if key not in self._rows:
            made = self.sketch(source) if isinstance(source, str) else source
            self._found.clear()
            row = len(self._keys)
            if row == len(self._values):
                self._values = np.concatenate([self._values, np.empty_like(self._values)])
            self._values[row] = made.values
            self._rows[key] = row
            self._keys.append(key)
            self._sources.append(made.source)
            self._exact[made.exact] = min(key, self._exact.get(made.exact, key))
            self._bands.add(row, made.values)
        if structure is not None:
            self._told.add(key)
            self._structures[structure] = min(key, self._structures.get(structure, key))

    def add_many(self, programs: Iterable[tuple[str, str]]) -> None:
        """Add (key, source) pairs."""
        for key, source in programs:
            self.add(key, source)

    def nearest(self, source: str | Sketch) -> Nearest | None:
        """The nearest known program, ``None`` when none is known. Ties go to the smallest key."""
        found = self._nearest(self.sketch(source) if isinstance(source, str) else source)
        return found[0] if found else None

    def is_novel(self, source: str | Sketch) -> bool:
        """Whether no known text is as near as :data:`NEAR_DUPLICATE`."""
        found = self.nearest(source)
        return found is None or found.jaccard < NEAR_DUPLICATE

    def same_structure(self, made: Sketch, structure: str, structure_of: StructureOf | None = None) -> Nearest | None:
        """A known program of the same structure, with the similarity of the texts.

        Args:
            structure_of: asked for those among the nearest by text whose structure was never told.
        """
        key = self._structures.get(structure)
        if key is None and structure_of is not None:
            key = self._traced_like(made, structure, structure_of)
        if key is None:
            return None
        return Nearest(key, jaccard(_shingles(made.source), _shingles(self._sources[self._rows[key]])), False)

    def untraced(self, made: Sketch, structure: str | None) -> list[str]:
        """Texts of which :meth:`same_structure` would ask for the structure, and that it has not asked for yet."""
        if structure is None or structure in self._structures:
            return []
        found = self._nearest(made)
        if found and found[0].jaccard >= NEAR_DUPLICATE:  # the texts decide
            return []
        return [
            self._sources[self._rows[near.key]]
            for near in found[:TRACED]
            if near.jaccard >= TRACED_FROM and near.key not in self._told and near.key not in self._traced
        ]

    def _traced_like(self, made: Sketch, structure: str, structure_of: StructureOf) -> str | None:
        """One of the nearest that has the structure. What was traced for other programs does not count here, so that
        a decision does not depend on which were asked about before."""
        for near in self._nearest(made)[:TRACED]:
            if near.jaccard < TRACED_FROM or near.key in self._told:
                continue
            if near.key not in self._traced:
                self._traced[near.key] = structure_of(near.key, self._sources[self._rows[near.key]])
            if self._traced[near.key] == structure:
                return near.key
        return None

    def _nearest(self, made: Sketch) -> list[Nearest]:
        """The nearest by text, nearest first; one if it is the same text."""
        if made.exact in self._exact:
            return [Nearest(self._exact[made.exact], 1.0, True)]
        # A decision asks twice, for the text and for the structure; what is known does not change between the two.
        if made.source in self._found:
            return self._found[made.source]
        found = self._verified(made, self._bands.query(made.values))
        if not found or found[0].jaccard < NEAR_DUPLICATE:
            found = self._verified(made, range(len(self._keys)))
        if len(self._found) >= MOST_FOUND:
            self._found.clear()
        self._found[made.source] = found
        return found

    def _verified(self, made: Sketch, rows: list[int] | range) -> list[Nearest]:
        values = self._values[: len(rows)] if isinstance(rows, range) else self._values[rows]
        equal = np.count_nonzero(values == made.values, axis=1)
        # Rows come in the order of adding, which must not matter: keys decide where estimates are equal.
        few = np.argsort(-equal, kind="stable")[: 4 * MOST_VERIFIED].tolist()
        order = sorted(few, key=lambda at: (-int(equal[at]), self._keys[rows[at]]))
        mine, found = _shingles(made.source), []
        for place, at in enumerate(order[:MOST_VERIFIED]):
            if place >= VERIFIED and equal[at] < LEAST_ESTIMATE * PERMUTATIONS:
                break
            row = rows[at]
            found.append(Nearest(self._keys[row], jaccard(mine, _shingles(self._sources[row])), False))
        return sorted(found, key=lambda near: (-near.jaccard, near.key))


@lru_cache(maxsize=4096)
def _shingles(source: str) -> Shingles:
    return shingles(source)


def novelty_against(
    corpus: NoveltyIndex,
    cycle: NoveltyIndex,
    source: str,
    structure: str | None = None,
    structure_of: StructureOf | None = None,
) -> Novelty:
    """The decision on one program against the corpus and against what its own cycle wrote before it.

    Args:
        structure: of the program; ``None`` where it is not known or does not count: then the texts decide alone.
        structure_of: of the corpus' programs, asked for the nearest ones.
    """
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
    if novel and structure is not None:
        same = corpus.same_structure(made, structure, structure_of) or cycle.same_structure(made, structure)
        if same is not None:
            return Novelty(novel=False, jaccard=same.jaccard, nearest=same.key, kind="graph")
    return Novelty(novel=novel, jaccard=near.jaccard, nearest=near.key, kind=where)


class CycleArchive:
    """The novelty decisions of one cycle: each program against the corpus and those before it in the cycle.

    Decide in slot order: then a resumed cycle decides as the undisturbed one did.

    Args:
        mode: ``structural``: text and structure; ``lexical``: text alone; ``none``: everything is novel, and the
            nearest is only told.
        structure_of: of the corpus' programs.
    """

    def __init__(
        self, corpus: NoveltyIndex, mode: NoveltyMode = "structural", structure_of: StructureOf | None = None
    ) -> None:
        self._corpus = corpus
        self._seen = corpus.fresh()
        self._mode = mode
        self._structure_of = structure_of

    def __len__(self) -> int:
        return len(self._seen)

    def decide(self, key: str, source: str, structure: str | None = None) -> Novelty:
        """Decide on a program, and keep it in the archive if it is novel (appendix A.2)."""
        counts = structure if self._mode == "structural" else None
        decision = novelty_against(self._corpus, self._seen, source, counts, self._structure_of)
        if self._mode == "none":
            decision = decision.model_copy(update={"novel": True})
        if decision.novel:
            self.restore(key, source, structure)
        return decision

    def restore(self, key: str, source: str, structure: str | None = None) -> None:
        """Put back a program that an earlier run of this cycle found novel."""
        self._seen.add(key, self._corpus.sketch(source), structure)
