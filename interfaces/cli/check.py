"""``netwright validate`` and ``netwright evaluate``: judge a network that somebody wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from ...memory.types import Protocol, RequestLimits, Task, Trial, Verdict
from ...sandbox import open_sandbox
from ...tools.protocols import default_protocol, protocol
from ...tools.tasks import task
from .console import JsonFlag, guarded, out, print_json
from .live import activity

Backend = Annotated[
    Literal["bubblewrap", "process"],
    typer.Option("--sandbox", help="process is no security boundary: only for code that you trust."),
]
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="Data set whose shapes the network must take.")]


@guarded
def validate(
    files: Annotated[list[Path], typer.Argument(help="Python files, each with one network.")],
    dataset: Dataset = "digits",
    max_params: Annotated[int | None, typer.Option("--max-params", min=1, help="Parameter limit.")] = None,
    backend: Backend = "bubblewrap",
    as_json: JsonFlag = False,
) -> None:
    """Say how far each file gets: extract, parse, contract, build, forward, backward. Exit code 1 if any fails."""
    from ...tools.execution import Validator, validation_image

    wanted, limits = task(dataset), RequestLimits(max_params=max_params)
    verdicts: dict[str, Verdict] = {}
    with (
        activity("starting the sandbox", hidden=as_json) as tell,
        open_sandbox(backend, validation_image(), workers=1) as sandbox,
    ):
        validator = Validator(sandbox)
        for number, path in enumerate(files, start=1):
            tell(f"validating {path.name} ({number} of {len(files)})")
            verdicts[str(path)] = validator.validate_file(path, wanted, limits)
    if as_json:
        print_json([{"file": name, **v.model_dump(mode="json"), "reason": v.reason} for name, v in verdicts.items()])
    else:
        out.print(_verdict_table(verdicts))
    if not all(v.ok for v in verdicts.values()):
        raise typer.Exit(1)


@guarded
def evaluate(
    file: Annotated[Path, typer.Argument(help="Python file with one network.")],
    dataset: Dataset = "digits",
    protocol_name: Annotated[str | None, typer.Option("--protocol", "-p", help="Default: the data set's own.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the protocol's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the protocol's.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Allow fetching the data set.")] = False,
    backend: Backend = "bubblewrap",
    as_json: JsonFlag = False,
) -> None:
    """Train one network under a protocol and print its metric. Exit code 1 if it is invalid or its training fails."""
    from ...tools.datasets import prepare

    changes = {k: v for k, v in {"epochs": epochs, "seed": seed}.items() if v is not None}
    wanted, chosen = task(dataset), protocol(protocol_name or default_protocol(dataset).name, **changes)
    if download:
        prepare(wanted.dataset, download=True)  # before the spinner: a download has a bar of its own
    verdict, trial = _train(file, wanted, chosen, backend, hidden=as_json)
    if as_json:
        print_json(
            {
                "file": str(file),
                "protocol": {**chosen.model_dump(), "hash": chosen.hash},
                "verdict": {**verdict.model_dump(mode="json"), "reason": verdict.reason},
                "trial": trial.model_dump(mode="json") if trial else None,
            }
        )
    else:
        _print_trial(file, wanted, chosen, verdict, trial)
    if trial is None or trial.state != "complete":
        raise typer.Exit(1)


def _train(file: Path, wanted: Task, chosen: Protocol, backend: str, *, hidden: bool) -> tuple[Verdict, Trial | None]:
    """Validate a file, and train it if it is valid."""
    from ...tools.execution import Validator, read_source
    from ...tools.training import Evaluator, evaluation_image

    with activity("preparing the data", hidden=hidden) as tell:
        image = evaluation_image([wanted.dataset])
        tell("starting the sandbox")
        with open_sandbox(backend, image, workers=1) as sandbox:
            tell(f"validating {file.name}")
            verdict = Validator(sandbox).validate_file(file, wanted)
            if not verdict.ok:
                return verdict, None
            tell(f"training {file.name} on {wanted.dataset}, epochs: {chosen.epochs}")
            return verdict, Evaluator(sandbox).train(read_source(file), wanted, chosen)


def _print_trial(file: Path, wanted: Task, chosen: Protocol, verdict: Verdict, trial: Trial | None) -> None:
    if trial is None:
        out.print(_verdict_table({str(file): verdict}))
    elif trial.state != "complete" or trial.metric is None:
        told = f"{file}: training {trial.state}: {trial.error_class}: {trial.message}"
        out.print(told, markup=False, soft_wrap=True)
    else:
        out.print(
            f"{file}: {wanted.metric} {trial.metric:.4f} under {chosen.name} ({chosen.hash}), "
            f"{verdict.params or 0:,} parameters, {trial.cpu_s:.1f} CPU seconds",
            markup=False,
            soft_wrap=True,
        )


def _verdict_table(verdicts: dict[str, Verdict]) -> Table:
    table = Table("file", "verdict", "stage", "parameters", "FLOPs", "seconds", "reason")
    for name, verdict in verdicts.items():
        numbers = [f"{n:,}" if n is not None else "–" for n in (verdict.params, verdict.flops)]
        mark = "[green]valid[/]" if verdict.ok else "[red]invalid[/]"
        row = (escape(name), mark, verdict.stage, *numbers, f"{verdict.seconds:.2f}", escape(verdict.reason))
        table.add_row(*row)
    return table
