"""``netwright import``: networks and results of others into the records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ...memory.records import Records
from .console import JsonFlag, guarded, out, print_json
from .live import activity

if TYPE_CHECKING:
    from ...tools.corpus.lemur_import import Imported

app = typer.Typer(no_args_is_help=True, help="Bring networks and results of others into the records.")

SHOWN = 20
"""Problems that are shown as text; ``--json`` and ``--problems`` have all."""


@app.command(
    "lemur",
    epilog="Examples:  netwright import lemur ./nn-dataset  |  netwright import lemur ./nn-dataset --dry-run --json",
)
@guarded
def lemur(
    folder: Annotated[Path, typer.Argument(help="Checkout of the LEMUR data set, or its folder ab/nn.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    problems: Annotated[
        Path | None, typer.Option("--problems", help="Write everything that is left out to this file, a line each.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Import networks, transforms, metrics and records; what is malformed is listed and left out."""
    from ...tools.corpus.lemur_import import import_lemur

    with Records() as records, activity("reading the checkout", hidden=as_json) as tell:

        def progress(what: str, done: int, total: int) -> None:
            tell(f"{what} ({done:,} of {total:,})")

        done = import_lemur(folder, records, dry_run=dry_run, tell=progress)
    if problems is not None:
        problems.write_text("".join(f"{p.path}\t{p.reason}\n" for p in done.problems), encoding="utf-8")
    if as_json:
        print_json(_document(done, dry_run))
    else:
        _print(done, dry_run, problems)


def _document(done: Imported, dry_run: bool) -> dict[str, Any]:
    return {
        "ok": True,
        "dry_run": dry_run,
        "networks": done.networks,
        "transforms": done.transforms,
        "metrics": done.metrics,
        "statistics": done.statistics,
        "records": done.records,
        "new_records": done.new_records,
        "changed": done.changed,
        "problems": [{"path": p.path, "reason": p.reason} for p in done.problems],
    }


def _print(done: Imported, dry_run: bool, problems: Path | None) -> None:
    verb = "would be imported" if dry_run else "imported"
    new = "" if done.new_records is None else f" ({done.new_records:,} new)"
    out.print(
        f"{verb}: {done.networks:,} networks, {done.transforms:,} transforms, {done.metrics:,} metrics, "
        f"{done.records:,} records{new}",
        highlight=False,
    )
    if done.changed:
        shown = ", ".join(done.changed[:SHOWN]) + (", …" if len(done.changed) > SHOWN else "")
        out.print(f"names with a new program: {escape(shown)}", highlight=False, soft_wrap=True)
    if not done.problems:
        return
    out.print(f"left out: {len(done.problems):,}", highlight=False)
    for problem in done.problems[:SHOWN]:
        out.print(f"  {escape(problem.path)}: {escape(problem.reason)}", highlight=False, soft_wrap=True)
    if len(done.problems) > SHOWN:
        reasons = Counter(problem.reason.partition(":")[0] for problem in done.problems)
        common = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(5))
        out.print(f"  … most often: {escape(common)}", highlight=False, soft_wrap=True)
        if problems is None:
            out.print("  all of them: --problems FILE, or --json", highlight=False)
