"""The records as the explorer shows them: rows, one network in full, files to take away."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from sqlalchemy import select

from ....memory import tables as t
from ....memory.exploring import Line, Looked, explore
from ....memory.records import Records
from ....memory.types import Candidate
from .text import count, percent, plain

HEADERS: Final = ("network", "data set", "valid", "parameters", "FLOPs", "best", "origin", "written", "id")
PAGE: Final = 25
MOST_DOTS: Final = 4_000
"""Networks in a scatter plot: the first of what fits."""
_LOGS: Final = 12  # verdicts and trials of one network that are shown


class Network(NamedTuple):
    """One network in full.

    Attributes:
        facts: names and values, in order.
        epochs: its best trial's metric after each epoch; empty where it was not trained here.
    """

    candidate: Candidate
    facts: tuple[tuple[str, Any], ...]
    epochs: tuple[float, ...]
    metric: str


def rows(lines: Sequence[Line]) -> list[list[str]]:
    """Lines as the table shows them, under :data:`HEADERS`."""
    return [
        [
            one.name,
            one.dataset,
            {True: "yes", False: "no", None: "–"}[one.valid],
            count(one.params),
            count(one.flops),
            percent(one.metric),
            one.origin,
            f"{one.created:%Y-%m-%d %H:%M}",
            one.id,
        ]
        for one in lines
    ]


def page_of(total: int, page: int) -> tuple[int, int]:
    """A page's number within what there is, and how many pages there are."""
    pages = max(1, -(-total // PAGE))
    return min(max(1, page), pages), pages


def network(records: Records, candidate_id: str) -> Network | None:
    """What is known of one network; ``None`` where it is not on record."""
    candidate = records.get_candidate(candidate_id)
    if candidate is None:
        return None
    facts: list[tuple[str, Any]] = [("id", candidate_id), ("origin", candidate.origin)]
    facts += [("made from", ", ".join(one[:12] for one in candidate.parents) or None)]
    facts += [("blocks", ", ".join(one[:12] for one in candidate.blocks) or None)]
    v = t.verdicts.c
    for row in records._rows(select(t.verdicts).where(v.candidate_id == candidate_id).limit(_LOGS)):
        why = "valid" if row.ok else f"{row.stage}: {row.error_class}: {row.message}"
        size = f", {count(row.params)} parameters, {count(row.flops)} FLOPs" if row.params is not None else ""
        facts.append((f"verdict on {row.task_id}", f"{why}{size}"))
    curves: list[tuple[float, tuple[float, ...], str]] = []
    trials, tasks = t.trials, t.tasks
    query = select(trials, tasks.c.content.label("task")).join(tasks).where(trials.c.candidate_id == candidate_id)
    for row in records._rows(query.limit(_LOGS)):
        metric = row.task["metric"]
        reached = f"{metric} {percent(row.metric)}" if row.metric is not None else f"{row.error_class}: {row.message}"
        facts.append((f"trial on {row.task_id}", f"{row.state}: {reached}, {row.cpu_s:.1f} CPU s, {row.protocol_hash}"))
        if row.metric is not None:
            values = tuple(one[metric] for one in row.epochs if isinstance(one.get(metric), float | int))
            curves.append((row.metric, values, metric))
    g = t.generations.c
    query = select(g.campaign_id, g.cycle, g.slot, g.valid_by, g.nearest, g.jaccard).where(
        g.candidate_id == candidate_id
    )
    for row in records._rows(query.limit(_LOGS)):
        near = f", nearest {row.nearest[:24]} ({row.jaccard:.2f})" if row.nearest and row.jaccard is not None else ""
        facts.append(("written in", f"{row.campaign_id}, cycle {row.cycle}, slot {row.slot}, by {row.valid_by}{near}"))
    best = max(curves, default=(0.0, (), "accuracy"))
    return Network(candidate, tuple(facts), best[1], best[2])


def dots(records: Records, looked: Looked) -> list[Line]:
    """The lines of the scatter plots."""
    return [one for one in explore(records, looked, limit=MOST_DOTS).lines if one.metric is not None]


def write_csv(lines: Sequence[Line], folder: Path) -> Path:
    """The lines as CSV; a name that a spreadsheet would take for a formula is quoted by an apostrophe."""
    path = _new(folder, "networks", ".csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Line._fields)
        for one in lines:
            writer.writerow([_cell(value) for value in one])
    return path


def write_parquet(lines: Sequence[Line], folder: Path) -> Path:
    """The lines as Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "valid": pa.bool_(), "params": pa.int64(), "flops": pa.int64(), "metric": pa.float64(),
        "created": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.string())) for name in Line._fields])
    path = _new(folder, "networks", ".parquet")
    parquet.write_table(pa.Table.from_pylist([one._asdict() for one in lines], schema=schema), path)
    return path


def write_source(one: Network, folder: Path) -> Path:
    """A network's text as a file of its name."""
    path = _new(folder, re.sub(r"[^A-Za-z0-9._-]", "_", one.candidate.name)[:64], ".py")
    path.write_text(one.candidate.source, encoding="utf-8", errors="backslashreplace")
    return path


def heading(one: Network) -> str:
    """A network's name as Markdown."""
    return f"### {plain(one.candidate.name)}"


def _new(folder: Path, name: str, ending: str) -> Path:
    place = folder / "exports" / uuid4().hex
    place.mkdir(parents=True)
    return place / f"{name}{ending}"


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
