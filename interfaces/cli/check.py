"""``netwright validate``: how far does a network get that somebody wrote?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ...memory.types import RequestLimits, Verdict
from ...sandbox import BACKENDS, open_sandbox
from ...tools.protocols import changed, default_protocol
from ...tools.tasks import task
from .console import JsonFlag, guarded, out, print_json
from .live import activity

Backend = Annotated[
    list[str] | None,
    typer.Option(
        "--sandbox",
        metavar="|".join(BACKENDS),
        help="Several times: the first that runs here. process is no security boundary: only for code that you trust.",
        show_default="bubblewrap",
    ),
]
DEFAULT_BACKENDS = ("bubblewrap",)
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="Data set whose shapes the network must take.")]


@guarded
def validate(
    files: Annotated[list[Path], typer.Argument(help="Python files, each with one network.")],
    dataset: Dataset = "digits",
    max_params: Annotated[int | None, typer.Option("--max-params", min=1, help="Parameter limit.")] = None,
    transform: Annotated[
        str | None, typer.Option("--transform", help="Show the network images as this transform makes them: norm_224.")
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Show what the network is made of: depth, layers, flags.")
    ] = False,
    backend: Backend = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how far each file gets: extract, parse, contract, build, forward, backward. Exit code 1 if any fails."""
    from ...tools.execution import Validator, validation_image

    wanted, limits = task(dataset), RequestLimits(max_params=max_params)
    if transform is not None:
        from ...tools.training import seen_task  # imports torch, which a plain validation does not need here

        wanted = seen_task(wanted, changed(default_protocol(dataset), transform=transform))
    verdicts: dict[str, Verdict] = {}
    with (
        activity("starting the sandbox", hidden=as_json) as tell,
        open_sandbox(backend or DEFAULT_BACKENDS, validation_image(), workers=1) as sandbox,
    ):
        validator = Validator(sandbox)
        for number, path in enumerate(files, start=1):
            tell(f"validating {path.name} ({number} of {len(files)})")
            verdicts[str(path)] = validator.validate_file(path, wanted, limits)
    if as_json:
        print_json([{"file": name, **v.model_dump(mode="json"), "reason": v.reason} for name, v in verdicts.items()])
    else:
        out.print(verdict_table(verdicts))
        if figures:
            _print_figures(verdicts)
    if not all(v.ok for v in verdicts.values()):
        raise typer.Exit(1)


def verdict_table(verdicts: dict[str, Verdict]) -> Table:
    """One line for each file."""
    table = Table("file", "verdict", "stage", "parameters", "FLOPs", "seconds", "reason")
    table.columns[0].overflow = "fold"  # of files in one folder the ends of their names tell which is which
    for name, verdict in verdicts.items():
        numbers = [f"{n:,}" if n is not None else "–" for n in (verdict.params, verdict.flops)]
        mark = "[green]valid[/]" if verdict.ok else "[red]invalid[/]"
        row = (escape(name), mark, verdict.stage, *numbers, f"{verdict.seconds:.2f}", escape(verdict.reason))
        table.add_row(*row)
    return table


def _print_figures(verdicts: dict[str, Verdict]) -> None:
    """One line for each figure of each network; those that failed may have none."""
    for name, verdict in verdicts.items():
        table = Table("figure", "value", title=escape(name), title_justify="left")
        for figure, value in verdict.figures.items():
            table.add_row(escape(figure), escape(f"{value:.4g}" if isinstance(value, float) else str(value)))
        if verdict.figures:
            out.print(table)
