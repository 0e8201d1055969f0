"""``netwright dedup``: which of many networks are the same, by text and by computation graph?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...memory.home import home_folder
from ...memory.records import Records
from ...sandbox import open_sandbox
from ...tools.tasks import task
from .check import DEFAULT_BACKENDS, Backend
from .console import JsonFlag, err, fail, guarded, out, print_json

if TYPE_CHECKING:
    from ...tools.dedup.decisions import Progress as Told
    from ...tools.dedup.run import Structural

_SHOWN = 20


@guarded
def dedup(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder whose Python files, in it and below, are compared.", metavar="DIR")
    ] = None,
    records: Annotated[bool, typer.Option("--records", help="Compare the networks on record instead.")] = False,
    structural: Annotated[
        bool, typer.Option("--structural/--no-structural", help="Compare computation graphs too, in the sandbox.")
    ] = True,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.85, max=1.0, help="Jaccard similarity of near duplicates' texts.")
    ] = 0.90,
    graph_threshold: Annotated[
        float,
        typer.Option("--graph-threshold", min=0.0, max=1.0, help="Similarity of graphs of near texts; 1: equal ones."),
    ] = 1.0,
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="Data set whose shapes the networks get when they are traced.")
    ] = "cifar10",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes.", show_default="one per core")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write a line per network: CSV if the name ends so, else JSONL.")
    ] = None,
    splits_file: Annotated[
        Path | None, typer.Option("--splits", help="Write train, validation and test (80/10/10) as JSON.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the splits.")] = 0,
    backend: Backend = None,
    as_json: JsonFlag = False,
) -> None:
    """Find duplicates: the same text, near text, the same computation graph. Keeps the first by name of each."""
    from ...tools.dedup import report
    from ...tools.dedup.items import items_in
    from ...tools.dedup.run import Structural, deduplicate, record_items, split_items

    if (folder is None) != records:
        fail("name a folder, or --records, and not both", as_json=as_json)
    if records:
        with Records() as store:
            items = record_items(store)
        if not items:
            fail("there is no network on record yet", as_json=as_json)
    else:
        assert folder is not None
        items = items_in(folder)
    wanted: Structural | None = None
    if structural:
        from ...tools.execution import validation_image

        wanted = Structural(
            lambda: open_sandbox(backend or DEFAULT_BACKENDS, validation_image(), workers=workers),
            task(dataset),
            graph_threshold,
        )
    with _progress(hidden=as_json) as tell:
        result = deduplicate(
            items,
            home_folder("dedup"),
            structural=wanted,
            threshold=threshold,
            workers=workers,
            progress=tell,
        )
    split = split_items(items, result.found, seed) if splits_file or out_file else None
    told = report.summary(result.found, split) | {"sketched": result.computed}
    lines = report.rows(result.found, split)
    if out_file is not None:
        report.write(out_file, lines)
    if splits_file is not None and split is not None:
        report.write_splits(splits_file, split, seed)
    if as_json:
        print_json({**told, "results": lines})
    else:
        _print(told, lines)


def _print(told: dict[str, Any], lines: Sequence[dict[str, Any]]) -> None:
    dropped = [line for line in lines if not line["kept"]]
    if dropped:
        table = Table("duplicate", "of", "stage", "reason")
        for line in dropped[:_SHOWN]:
            table.add_row(*(escape(str(line[name])) for name in ("key", "duplicate_of", "stage", "reason")))
        out.print(table)
        if len(dropped) > _SHOWN:
            out.print(f"and {len(dropped) - _SHOWN} more: --out writes all, --json prints them")
    stages = ", ".join(f"{count} {stage}" for stage, count in told["duplicates"].items())
    out.print(f"{told['networks']} networks, {told['kept']} kept; duplicates: {stages}", highlight=False)
    if told["same_text_other_graph"]:
        out.print(f"{told['same_text_other_graph']} kept although their text is near, for their graph differs")
    reasons = Counter(line["reason"].partition("no computation graph of ")[2].partition(": ")[2] for line in lines)
    untraced = sum(count for reason, count in reasons.items() if reason)
    if untraced:
        out.print(f"{untraced} were decided by their text, for want of a computation graph (--out tells why)")
    if "splits" in told:
        out.print(", ".join(f"{name} {count}" for name, count in told["splits"].items()), highlight=False)


@contextmanager
def _progress(hidden: bool) -> Iterator[Told]:
    """A bar for each stage; where standard error is no terminal, nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)
    bars: dict[str, Any] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if not bars:
            shown.start()  # not before the processes are forked: a thread draws it
        if stage not in bars:
            bars[stage] = shown.add_task(stage, total=total)
        shown.update(bars[stage], completed=done, total=total)

    try:
        yield tell
    finally:
        shown.stop()
