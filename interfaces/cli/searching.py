"""``netwright evaluate --search``: the trials of a search, best first, and the command that repeats the best."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.table import Table

from ...memory.records import Records
from ...memory.types import Protocol
from ...tools.protocols import protocol
from .check import verdict_table
from .console import going_on, out, print_json
from .evaluating import Judged, Work, opened, validated

if TYPE_CHECKING:
    from ...tools.search import SearchResult, SearchRow

FIELD_OPTIONS = {
    "epochs": "--epochs",
    "batch": "--batch",
    "lr": "--lr",
    "momentum": "--momentum",
    "transform": "--transform",
    "precision": "--precision",
    "train_limit": "--train-limit",
    "seed": "--seed",
    "time_limit_s": "--time-limit",
}
"""Fields of a protocol and the options that replace them; ``prm`` has ``--set-prm``."""


def run_search(work: Work, records: Records, transforms: Sequence[str], n: int, seed: int) -> None:
    """Search, and print what was found. Exit code 1 if the network is invalid or no trial is complete."""
    from ...tools.execution import SourceRefused, read_source

    try:
        source = read_source(work.file)
    except SourceRefused as refused:
        judged: Judged | SearchResult = Judged(refused.verdict)
    else:
        search = ["--search", str(n), "--search-seed", str(seed)]
        again = [repeating(work, work.protocol), shlex.join([*search, *(f"--transform={name}" for name in transforms)])]
        with going_on(" ".join(again)):
            judged = _searched(work, records, source, transforms, n, seed)
    if isinstance(judged, Judged):
        _print_invalid(work, judged)
        raise typer.Exit(1)
    if work.hidden:
        print_json(_document(work, judged, seed))
    else:
        _print(work, judged)
    if judged.best is None:
        raise typer.Exit(1)


def _searched(
    work: Work, records: Records, source: str, transforms: Sequence[str], n: int, seed: int
) -> Judged | SearchResult:
    from ...tools.search import search, supported_names

    with opened(work, single=False, transforms=transforms) as (sandbox, evaluator, tell):
        verdict = validated(work, records, sandbox, source, tell)
        if not verdict.ok:
            return Judged(verdict)
        rows: list[SearchRow] = []

        def told(row: SearchRow) -> None:
            rows.append(row)
            scores = [row.trial.metric for row in rows if row.trial.metric is not None]
            best = f", best {work.task.metric} {max(scores):.4f}" if scores else ""
            tell(f"searching: {len(rows)} of {n} trials{best}")

        tell(f"searching: 0 of {n} trials")
        names = supported_names(sandbox, source)
        return search(
            evaluator, records, source, names, work.task, work.protocol, n, seed, transforms=transforms, on_trial=told
        )


def _print_invalid(work: Work, judged: Judged) -> None:
    verdict = judged.verdict
    assert verdict is not None  # only a trial from the records comes without one
    if work.hidden:
        reason = {**verdict.model_dump(mode="json"), "reason": verdict.reason}
        print_json({"file": str(work.file), "verdict": reason, "best": None, "trials": []})
    else:
        out.print(verdict_table({str(work.file): verdict}))


def _document(work: Work, found: SearchResult, seed: int) -> dict[str, Any]:
    return {
        "file": str(work.file),
        "protocol": {**work.protocol.model_dump(), "hash": work.protocol.hash},
        "seed": seed,
        "best": _row(work, found.best) if found.best else None,
        "trials": [_row(work, row) for row in found.ranking],
    }


def _row(work: Work, row: SearchRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "prm": row.prm,
        "protocol": row.protocol.hash,
        "trial": row.trial.model_dump(mode="json"),
        "first_part": row.first.model_dump(mode="json"),
        "cached": row.cached,
        "command": repeating(work, row.protocol),
    }


def _print(work: Work, found: SearchResult) -> None:
    table = Table("trial", work.task.metric, "first part", "hyperparameters", "state")
    for row in found.ranking:
        trial, first = ("–" if made.metric is None else f"{made.metric:.4f}" for made in (row.trial, row.first))
        why = f": {row.trial.error_class}" if row.trial.state == "failed" else ""
        state = f"{row.trial.state}{why}{', cached' if row.cached else ''}"
        table.add_row(str(row.number), trial, first, escape(_values(row, found)), escape(state))
    out.print(table)
    if found.best is None:
        out.print("no trial is complete")
        return
    best = found.best
    out.print(f"best: {work.task.metric} {best.trial.metric:.4f} under {best.protocol.name} ({best.protocol.hash})")
    out.print(f"again: {repeating(work, best.protocol)}", markup=False, highlight=False, soft_wrap=True)


def _values(row: SearchRow, found: SearchResult) -> str:
    """The hyperparameters that are not the same in all rows."""
    shown = []
    for name, value in row.prm.items():
        if any(other.prm.get(name) != value for other in found.rows):
            shown.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(shown)


def repeating(work: Work, chosen: Protocol) -> str:
    """The command that evaluates the network under one point of a search, answered from the records."""
    command = ["netwright", "evaluate", str(work.file), "--dataset", work.task.dataset, "--protocol", chosen.name]
    named = protocol(chosen.name)
    for field, option in FIELD_OPTIONS.items():
        value = getattr(chosen, field)
        if value != getattr(named, field):
            command += [option, str(value)]
    for name, value in chosen.prm.items():
        if named.prm.get(name) != value:
            command += ["--set-prm", f"{name}={value}"]
    return shlex.join(command)
