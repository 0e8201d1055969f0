"""Which of many networks are duplicates, of what, and why: exact, then by text, then by computation graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from ...memory.novelty import NEAR_DUPLICATE
from ...memory.types import Frozen
from .graphs import Graph, similarity
from .items import Item
from .pairs import Near, Retrieved, retrieve, verify
from .sketches import sketch_all
from .unions import Unions

Stage = Literal["exact", "lexical", "structural"]
SAME_GRAPH: Final = 1.0

Progress = Callable[[str, int, int], None]
"""Told a stage's name, how much of it is done, and how much there is."""


class Found(Frozen):
    """What became of one network.

    Attributes:
        kept: false for duplicates.
        duplicate_of: the network that is kept in its place.
        stage: that found the duplicate; of a network that is kept, the one that says how near the nearest is.
        nearest: the nearest other network; ``None`` where no other shares a band of its signature or its graph.
        similarity: Jaccard similarity of the texts; where ``exact_similarity`` is false, estimated from signatures.
        graph_similarity: of the computation graphs, where both are known.
        graph: fingerprint of the computation graph; ``None`` without the structural stage and where there is none.
        cluster: what near duplicates by any stage share; two networks of one cluster belong in one split.
        reason: the decision in words.
    """

    key: str
    kept: bool
    duplicate_of: str | None = None
    stage: Stage | None = None
    nearest: str | None = None
    similarity: float = 0.0
    exact_similarity: bool = True
    graph_similarity: float | None = None
    graph: str | None = None
    cluster: str
    reason: str


class Lexical(NamedTuple):
    """What the two stages over text found; places are those of the items.

    Attributes:
        first: of each item the place of the first one of the same text but for white space.
        near: verified pairs of such first ones at or above the threshold.
        below: verified pairs below it.
        retrieved: nearest by estimate, among the first ones; places in ``firsts``.
        firsts: places of the first ones, ascending.
        computed: sketches that were not on disk.
    """

    first: list[int]
    near: list[Near]
    below: list[Near]
    retrieved: Retrieved
    firsts: list[int]
    computed: int


def compare_texts(
    items: Sequence[Item],
    pool: Executor | None = None,
    sketches: Path | None = None,
    threshold: float = NEAR_DUPLICATE,
    progress: Progress = lambda stage, done, total: None,
) -> Lexical:
    """The exact and the lexical stage.

    Args:
        items: sorted by key, so that of duplicates the first by name is kept.
        pool: see :func:`.sketches.cores`.
        sketches: file that keeps the sketches.

    Raises:
        OSError: a file cannot be read.
    """
    finished = 0

    def done(count: int) -> None:
        nonlocal finished
        finished += count
        progress("sketching", finished, len(items))

    made = sketch_all(items, sketches, pool, done)
    seen: dict[bytes, int] = {}
    first = [seen.setdefault(made.exact[at].tobytes(), at) for at in range(len(items))]
    firsts = sorted(seen.values())
    progress("comparing", 0, 1)
    retrieved = retrieve(made.values[firsts], threshold)
    pairs = np.array(firsts, dtype=np.int64)[retrieved.pairs]
    verified = verify(items, pairs, pool)
    progress("comparing", 1, 1)
    near = [pair for pair in verified if pair.jaccard >= threshold]
    below = [pair for pair in verified if pair.jaccard < threshold]
    return Lexical(first, near, below, retrieved, firsts, made.computed)


def decide(
    items: Sequence[Item],
    lexical: Lexical,
    graphs: dict[int, Graph] | None = None,
    same_graph: float = SAME_GRAPH,
) -> list[Found]:
    """The decision on every item, in their order.

    Networks of equal graphs are one, whatever their texts. Of two whose texts are near, both with a graph, the graphs
    decide; where one has none, the texts do.

    Args:
        graphs: of the first ones (:attr:`Lexical.firsts`); ``None`` leaves the structural stage out.
        same_graph: similarity of graphs from which near texts are one network.
    """
    decided = _Decisions(items, lexical, graphs or {}, same_graph)
    return [decided.found(at) for at in range(len(items))]


class _Decisions:
    def __init__(self, items: Sequence[Item], lexical: Lexical, graphs: dict[int, Graph], same_graph: float) -> None:
        self._items = items
        self._lexical = lexical
        self._graphs = graphs
        self._clusters = Unions(len(items))
        self._same = Unions(len(items))
        self._nearest = self._nearest_texts((*lexical.near, *lexical.below))
        self._similar: dict[tuple[int, int], float | None] = {}
        for at, first in enumerate(lexical.first):
            self._clusters.join(at, first)
        self._join_graphs()
        self._join_texts(same_graph)
        same = (pair for pair in lexical.near if self._same.root(pair.one) == self._same.root(pair.other))
        self._nearest_same = self._nearest_texts(same)
        self._near = {(pair.one, pair.other) for pair in lexical.near}

    def _nearest_texts(self, pairs: Iterable[Near]) -> dict[int, Near]:
        """Of each item the nearest by text in verified pairs; the first by name of equally near ones."""
        found: dict[int, Near] = {}
        for pair in pairs:
            for mine, other in ((pair.one, pair.other), (pair.other, pair.one)):
                old = found.get(mine)
                if old is None or (pair.jaccard, -other) > (old.jaccard, -old.other):
                    found[mine] = Near(mine, other, pair.jaccard)
        return found

    def _join_graphs(self) -> None:
        self._of_graph: dict[str, list[int]] = {}
        self._members: dict[int, str] = {}
        for at in self._lexical.firsts:
            graph = self._graph(at)
            if graph is not None:
                self._of_graph.setdefault(graph, []).append(at)
                one = self._of_graph[graph][0]
                self._clusters.join(at, one)
                self._members[self._same.join(at, one)] = graph

    def _join_texts(self, same_graph: float) -> None:
        """Nearest pairs first, and never two graphs that differ, be it by way of a network without one."""
        for pair in sorted(self._lexical.near, key=lambda pair: (-pair.jaccard, pair.one, pair.other)):
            self._clusters.join(pair.one, pair.other)
            one, other = self._same.root(pair.one), self._same.root(pair.other)
            mine, others = self._members.get(one), self._members.get(other)
            if one == other:
                continue
            if mine is not None and others is not None and mine != others:
                near = self._similarity(pair.one, pair.other)
                if near is None or near < same_graph:
                    continue
            graph = mine or others
            root = self._same.join(one, other)
            if graph is not None:
                self._members[root] = graph

    def _similarity(self, one: int, other: int) -> float | None:
        if one not in self._graphs or other not in self._graphs:
            return None
        key = (min(one, other), max(one, other))
        if key not in self._similar:
            self._similar[key] = similarity(self._graphs[one], self._graphs[other])
        return self._similar[key]

    def _graph(self, at: int) -> str | None:
        graph = self._graphs.get(at)
        return None if graph is None else graph.fingerprint

    def found(self, at: int) -> Found:
        """The decision on one item."""
        first = self._lexical.first[at]
        fields: dict[str, Any] = {"key": self._items[at].key, "cluster": self._items[self._clusters.root(at)].key}
        fields["graph"] = self._graph(first)
        root = self._same.root(first)
        if at != first:
            kept = self._items[root].key
            return Found(
                **fields,
                kept=False,
                duplicate_of=kept,
                stage="exact",
                nearest=self._items[first].key,
                similarity=1.0,
                graph_similarity=1.0 if fields["graph"] else None,
                reason=f"the text of {self._items[first].key}, but for white space",
            )
        near = self._nearest.get(at)
        if root != at:
            return self._duplicate(at, root, fields)
        return self._kept(at, near, fields)

    def _duplicate(self, at: int, root: int, fields: dict[str, Any]) -> Found:
        kept, near = self._items[root].key, self._nearest_same.get(at)
        if near is not None:
            like = self._similarity(at, near.other)
            told = (
                f"text {near.jaccard:.3f} like {self._items[near.other].key}{self._about_graph(at, near.other, like)}"
            )
            return Found(
                **fields, kept=False, duplicate_of=kept, stage="lexical", nearest=self._items[near.other].key,
                similarity=near.jaccard, graph_similarity=like, reason=told,
            )  # fmt: skip
        # No text is near, so that its graph put it there, and another of an equal graph stands for it.
        one = next(other for other in self._of_graph[self._graph(at) or ""] if other != at)
        close = self._nearest.get(at)
        text = close.jaccard if close is not None and close.other == one else 0.0
        return Found(
            **fields, kept=False, duplicate_of=kept, stage="structural", nearest=self._items[one].key, similarity=text,
            exact_similarity=text > 0, graph_similarity=1.0, reason=f"the computation graph of {self._items[one].key}",
        )  # fmt: skip

    def _kept(self, at: int, near: Near | None, fields: dict[str, Any]) -> Found:
        if near is None:
            return self._far(at, fields)
        other = self._items[near.other].key
        like = self._similarity(at, near.other)
        stage: Stage = "lexical"
        if self._same.root(near.other) == at:
            told = f"kept for {other}, text {near.jaccard:.3f} like it"
        elif self._is_near(near):
            told, stage = f"text {near.jaccard:.3f} like {other}", "structural"
        else:
            told = f"new: nearest text {other}, {near.jaccard:.3f}"
        told += self._about_graph(at, near.other, like)
        return Found(
            **fields, kept=True, stage=stage, nearest=other, similarity=near.jaccard, graph_similarity=like, reason=told
        )

    def _far(self, at: int, fields: dict[str, Any]) -> Found:
        """Nothing came near enough to be verified: the nearest is the one by estimate."""
        place = int(np.searchsorted(self._lexical.firsts, at))
        nearest = int(self._lexical.retrieved.nearest[place])
        if nearest < 0:
            return Found(**fields, kept=True, reason=f"new: no text is near{self._about_graph(at, at, None)}")
        other = self._lexical.firsts[nearest]
        about = float(self._lexical.retrieved.estimate[place])
        like = self._similarity(at, other)
        told = f"new: nearest text {self._items[other].key}, about {about:.2f}{self._about_graph(at, other, like)}"
        return Found(
            **fields, kept=True, stage="lexical", nearest=self._items[other].key, similarity=about,
            exact_similarity=False, graph_similarity=like, reason=told,
        )  # fmt: skip

    def _is_near(self, near: Near) -> bool:
        return (min(near.one, near.other), max(near.one, near.other)) in self._near

    def _about_graph(self, at: int, other: int, like: float | None) -> str:
        if like is not None:
            return ", and its computation graph" if like == 1 else f", but another computation graph ({like:.3f})"
        for place in (at, other):
            graph = self._graphs.get(place)
            if graph is not None and graph.reason is not None:
                return f"; no computation graph of {self._items[place].key}: {graph.reason}"
        return ""
