"""``netwright validate`` and ``netwright evaluate``: judge a network that somebody wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from ...memory.types import RequestLimits, Verdict
from ...sandbox import SandboxUnavailable, open_sandbox
from ...tools.protocols import default_protocol, protocol
from ...tools.tasks import UnknownDataset, task
from .console import JsonFlag, fail, out, print_json

Backend = Annotated[
    Literal["bubblewrap", "process"],
    typer.Option("--sandbox", help="process is no security boundary: only for code that you trust."),
]
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="Data set whose shapes the network must take.")]


def validate(
    files: Annotated[list[Path], typer.Argument(help="Python files, each with one network.")],
    dataset: Dataset = "digits",
    max_params: Annotated[int | None, typer.Option("--max-params", min=1, help="Parameter limit.")] = None,
    backend: Backend = "bubblewrap",
    as_json: JsonFlag = False,
) -> None:
    """Say how far each file gets: extract, parse, contract, build, forward, backward. Exit code 1 if any fails.

    Example:  netwright validate net.py --dataset cifar10 --max-params 200000
    """
    from ...tools.execution import Validator, validation_image

    try:
        wanted = task(dataset)
        with open_sandbox(backend, validation_image(), workers=1) as sandbox:
            validator = Validator(sandbox)
            limits = RequestLimits(max_params=max_params)
            verdicts = {str(path): validator.validate_file(path, wanted, limits) for path in files}
    except (UnknownDataset, SandboxUnavailable) as error:
        fail(str(error), as_json=as_json)
    if as_json:
        print_json([{"file": name, **v.model_dump(mode="json"), "reason": v.reason} for name, v in verdicts.items()])
    else:
        out.print(_verdict_table(verdicts))
    if not all(v.ok for v in verdicts.values()):
        raise typer.Exit(1)


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
    """Train one network under a protocol and print its metric.

    Example:  netwright evaluate net.py --dataset fashion-mnist --epochs 2
    """
    from ...tools.datasets import DatasetMissing, prepare
    from ...tools.execution import Validator, read_source
    from ...tools.training import Evaluator, evaluation_image

    changes = {k: v for k, v in {"epochs": epochs, "seed": seed}.items() if v is not None}
    try:
        wanted = task(dataset)
        chosen = protocol(protocol_name or default_protocol(dataset).name, **changes)
        prepare(wanted.dataset, download=download)
        with open_sandbox(backend, evaluation_image([wanted.dataset]), workers=1) as sandbox:
            verdict = Validator(sandbox).validate_file(file, wanted)
            trial = Evaluator(sandbox).train(read_source(file), wanted, chosen) if verdict.ok else None
    except (ValueError, DatasetMissing, SandboxUnavailable) as error:
        fail(str(error), as_json=as_json)
    document = {
        "file": str(file),
        "protocol": {**chosen.model_dump(), "hash": chosen.hash},
        "verdict": {**verdict.model_dump(mode="json"), "reason": verdict.reason},
        "trial": trial.model_dump(mode="json") if trial else None,
    }
    if as_json:
        print_json(document)
    elif trial is None:
        out.print(_verdict_table({str(file): verdict}))
    elif trial.state != "complete":
        out.print(f"{file}: training {trial.state}: {trial.error_class}: {trial.message}", markup=False)
    else:
        out.print(
            f"{file}: {wanted.metric} {trial.metric:.4f} under {chosen.name} ({chosen.hash}), "
            f"{verdict.params:,} parameters, {trial.cpu_s:.1f} CPU seconds",
            markup=False,
        )
    if trial is None or trial.state != "complete":
        raise typer.Exit(1)


def _verdict_table(verdicts: dict[str, Verdict]) -> Table:
    table = Table("file", "verdict", "stage", "parameters", "FLOPs", "seconds", "reason")
    for name, verdict in verdicts.items():
        numbers = [f"{n:,}" if n is not None else "–" for n in (verdict.params, verdict.flops)]
        mark = "[green]valid[/]" if verdict.ok else "[red]invalid[/]"
        reason = verdict.reason.replace("[", "\\[")
        table.add_row(name.replace("[", "\\["), mark, verdict.stage, *numbers, f"{verdict.seconds:.2f}", reason)
    return table
