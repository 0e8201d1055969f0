"""A whole deduplication: texts over all cores, graphs in the sandbox, decisions, splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple

from ...memory.novelty import NEAR_DUPLICATE
from ...memory.records import Records
from ...memory.types import Task
from ...sandbox.protocol import Sandbox
from .decisions import SAME_GRAPH, Found, Progress, compare_texts, decide
from .graphs import Graph, GraphStore, Tracer
from .items import Item, prefix_of
from .sketches import cores
from .splits import Split, splits

SKETCHES = "sketches.db"
GRAPHS = "graphs.db"


class Structural(NamedTuple):
    """What the structural stage needs.

    Attributes:
        open_sandbox: opens it; called when there is something to trace.
        task: whose shapes the networks get.
        same_graph: similarity of graphs from which near texts are one network.
    """

    open_sandbox: Callable[[], AbstractContextManager[Sandbox]]
    task: Task
    same_graph: float = SAME_GRAPH


class Result(NamedTuple):
    """Decisions in the order of the items, and how many sketches were not on disk."""

    found: list[Found]
    computed: int


def deduplicate(
    items: Sequence[Item],
    folder: Path | None = None,
    *,
    structural: Structural | None = None,
    threshold: float = NEAR_DUPLICATE,
    workers: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Result:
    """Decide on every item which it duplicates, if any. The same items give the same answer, however many workers.

    Args:
        items: sorted by key.
        folder: keeps sketches and graphs for the next run; ``None``: nothing is kept.
        structural: ``None`` leaves that stage out.
        threshold: Jaccard similarity of texts from which they are near duplicates, 0.85…1.
        workers: processes; ``None``: one for each core.

    Raises:
        OSError: a file cannot be read.
        SandboxUnavailable: the structural stage has no sandbox here.
    """
    with cores(workers) as pool:
        lexical = compare_texts(items, pool, folder / SKETCHES if folder else None, threshold, progress)
    if structural is None:
        return Result(decide(items, lexical), lexical.computed)
    graphs = _graphs([items[at] for at in lexical.firsts], folder, structural, progress)
    found = decide(items, lexical, dict(zip(lexical.firsts, graphs, strict=True)), structural.same_graph)
    return Result(found, lexical.computed)


def _graphs(items: Sequence[Item], folder: Path | None, structural: Structural, progress: Progress) -> list[Graph]:
    finished = 0

    def done() -> None:
        nonlocal finished
        finished += 1
        progress("tracing", finished, len(items))

    with closing(GraphStore(folder / GRAPHS if folder else None)) as store:
        known = [store.get(item.source(), structural.task) for item in items]
        if all(graph is not None for graph in known):
            return [graph for graph in known if graph is not None]
        with structural.open_sandbox() as sandbox:
            return Tracer(sandbox, structural.task, store).trace_many([item.source() for item in items], done)


def record_items(records: Records) -> list[Item]:
    """Every network on record, by candidate id; its prefix is its origin."""
    tasks = records.candidate_tasks()
    datasets = {name: task.dataset for name in set(tasks.values()) if name and (task := records.get_task(name))}
    candidates = records.get_candidates(tasks)
    return [
        Item(
            key=key,
            text=candidates[key].source,
            prefix=candidates[key].origin,
            dataset=datasets.get(tasks[key] or "", ""),
            parents=candidates[key].parents,
        )
        for key in sorted(candidates)
    ]


def split_items(items: Sequence[Item], found: Sequence[Found], seed: int = 0) -> dict[str, Split]:
    """Splits by the clusters found, the items' prefixes and data sets, and their parents."""
    return splits(
        {one.key: one.cluster for one in found},
        {item.key: f"{item.prefix or prefix_of(item.key)} {item.dataset}" for item in items},
        {item.key: item.parents for item in items if item.parents},
        seed,
    )
