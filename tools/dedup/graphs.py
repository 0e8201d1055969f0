"""Computation graphs of source texts: traced in the sandbox, checked, compared, and kept for the next time."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from ...memory.types import Frozen, Task
from ...memory.wal import switch_to_wal
from ...sandbox.protocol import Job, Limits, Outcome, Sandbox
from .. import outcomes
from ..execution import VALIDATION_LIMITS, classes_of, refuse

MOST_LABELS: Final = 4_096
"""Of one graph; ``tools/payload/graph.py`` tells as many."""
_FORMAT: Final = "graph 1"
_GRAPH: Final = re.compile(r"[0-9a-f]{32}")
_LABEL: Final = re.compile(r"[0-9a-f]{16}")
_PRM: Final[dict[str, float | int]] = {"lr": 0.01, "momentum": 0.9, "batch": 32, "epoch": 1}
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS graphs (key BLOB PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID"


class Graph(Frozen):
    """What is known of a network's computation graph.

    Attributes:
        fingerprint: 32 hex digits that equal graphs share; ``None`` where there is no graph.
        nodes: operators and values in it.
        labels: of the neighbourhoods in it, sorted; the least 4,096.
        reason: why there is no graph.
    """

    fingerprint: str | None = None
    nodes: int = 0
    labels: tuple[str, ...] = ()
    reason: str | None = None


def similarity(one: Graph, other: Graph) -> float | None:
    """Jaccard similarity of two graphs' neighbourhoods (up to three operators back), as multisets; of large graphs
    estimated on their least labels. 1.0 only for equal graphs; ``None`` where one has no graph."""
    if one.fingerprint is None or other.fingerprint is None:
        return None
    if one.fingerprint == other.fingerprint:
        return 1.0
    mine, others = set(one.labels), set(other.labels)
    union = sorted(mine | others)
    if max(len(mine), len(others)) >= MOST_LABELS:
        union = union[:MOST_LABELS]
    shared = sum(label in mine and label in others for label in union)
    return min(shared / max(1, len(union)), 0.9999)


class GraphStore:
    """Graphs by text and task, in one SQLite file: what was traced once is not traced again.

    Args:
        path: ``None`` keeps nothing beyond this object.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path or ":memory:", timeout=60, check_same_thread=False)
        switch_to_wal(self._connection)
        # A commit waits for no disk: what a power cut takes from the newest graphs is traced again.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)
        self._connection.commit()

    def get(self, source: str, task: Task) -> Graph | None:
        """The graph of a text on a task, ``None`` where it was not traced."""
        row = self._connection.execute("SELECT content FROM graphs WHERE key = ?", (_key(source, task),)).fetchone()
        return None if row is None else Graph.model_validate_json(row[0])

    def put(self, source: str, task: Task, graph: Graph) -> None:
        """Remember a graph; the end of this process does not undo it."""
        content = graph.model_dump_json()
        self._connection.execute("INSERT OR REPLACE INTO graphs VALUES (?, ?)", (_key(source, task), content))
        self._connection.commit()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Tracer:
    """Traces networks in a sandbox that was opened with ``execution.validation_image`` or a larger one.

    Args:
        limits: of one network.
    """

    def __init__(self, sandbox: Sandbox, task: Task, store: GraphStore, limits: Limits = VALIDATION_LIMITS) -> None:
        self._sandbox = sandbox
        self._task = task
        self._store = store
        self._limits = limits

    def trace(self, source: str) -> Graph:
        """The graph of one network, from the store or from the sandbox. Never raises for what the text is or does."""
        known = self._store.get(source, self._task)
        return known if known is not None else self._kept(source, self._run(source))

    def trace_many(self, sources: Sequence[str], done: Callable[[], None] = lambda: None) -> list[Graph]:
        """Graphs in the order of the sources, as many at a time as the sandbox has workers.

        Args:
            done: called after each.
        """
        found: list[Graph | None] = [self._store.get(source, self._task) for source in sources]
        open_ones = [at for at, graph in enumerate(found) if graph is None]
        for _ in range(len(sources) - len(open_ones)):
            done()
        with ThreadPoolExecutor(max_workers=max(1, self._sandbox.workers)) as pool:
            made: Iterable[Graph] = pool.map(lambda at: self._run(sources[at]), open_ones)
            for at, graph in zip(open_ones, made, strict=True):
                found[at] = self._kept(sources[at], graph)
                done()
        return [graph for graph in found if graph is not None]

    def trace_ahead(self, sources: Iterable[str]) -> None:
        """Have networks traced that will be asked for, while their iterable is still at work on the next ones."""
        begun: dict[str, Future[Graph]] = {}
        with ThreadPoolExecutor(max_workers=max(1, self._sandbox.workers)) as pool:
            for source in sources:
                if source not in begun and self._store.get(source, self._task) is None:
                    begun[source] = pool.submit(self._run, source)
            for source, made in begun.items():
                self._kept(source, made.result())

    def _kept(self, source: str, graph: Graph) -> Graph:
        # A busy machine may have stopped it; what the network itself does is the same tomorrow.
        if graph.reason is None or not graph.reason.startswith("Timeout"):
            self._store.put(source, self._task, graph)
        return graph

    def _run(self, source: str) -> Graph:
        refused = refuse(source)
        if refused is not None:
            return Graph(reason=f"{refused.error_class}: {refused.message}")
        payload = {
            "source": source,
            "in_shape": list(self._task.in_shape),
            "classes": classes_of(self._task),
            "prm": _PRM,
            "batch": _PRM["batch"],
        }
        return read(self._sandbox.run(Job(handler="graph.run", payload=payload, limits=self._limits)), self._limits)


def read(outcome: Outcome, limits: Limits) -> Graph:
    """What can be believed of what a sandbox told about a graph.

    The handler shares its process with the network, which can thus lie: but only about itself.
    """
    stop = outcomes.stop_of(outcome, limits)
    if stop is not None:
        return Graph(reason=f"{stop.error_class}: {stop.message}")
    told: Any = outcome.result
    if not isinstance(told, dict):
        return Graph(reason="ResultLimit: its result was malformed")
    graph, nodes, labels = told.get("graph"), outcomes.count(told.get("nodes")), told.get("labels")
    if graph is None:
        return Graph(reason=f"{outcomes.name(told.get('error_class'))}: {outcomes.text(told.get('message'))}")
    sound = isinstance(graph, str) and _GRAPH.fullmatch(graph) and nodes is not None
    if not sound or not isinstance(labels, list) or len(labels) > MOST_LABELS:
        return Graph(reason="ResultLimit: its result was malformed")
    if not all(isinstance(label, str) and _LABEL.fullmatch(label) for label in labels):
        return Graph(reason="ResultLimit: its result was malformed")
    return Graph(fingerprint=graph, nodes=nodes or 0, labels=tuple(sorted(set(labels))))


def _key(source: str, task: Task) -> bytes:
    about = f"{_FORMAT} {list(task.in_shape)} {list(task.out_shape)} {_PRM}\n"
    return hashlib.sha256(about.encode() + source.encode("utf-8", "surrogatepass")).digest()
