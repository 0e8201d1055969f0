"""``netwright evaluate``: train a network that somebody wrote, or search for its hyperparameters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from ...memory.records import Records
from ...memory.types import Precision, Protocol, Verdict
from ...tools.devices import DeviceChoice
from ...tools.protocols import check_fits, default_protocol, protocol
from ...tools.tasks import task_info
from .check import DEFAULT_BACKENDS, Backend, Dataset, verdict_table
from .console import JsonFlag, fail, guarded, out, print_json
from .evaluating import Judged, Work, judge
from .searching import run_search

TransformOption = Annotated[
    list[str] | None,
    typer.Option("--transform", help="Name or text of an image transform; with --search, several to choose from."),
]
PrmOption = Annotated[
    list[str] | None, typer.Option("--set-prm", help="Hyperparameter of the network, e.g. dropout=0.3; repeatable.")
]


@guarded
def evaluate(
    file: Annotated[Path, typer.Argument(help="Python file with one network.")],
    dataset: Dataset = "digits",
    protocol_name: Annotated[str | None, typer.Option("--protocol", "-p", help="Default: the data set's own.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the protocol's.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Instead of the protocol's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate instead of the protocol's.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Instead of the protocol's.")] = None,
    transform: TransformOption = None,
    precision: Annotated[
        Precision | None, typer.Option(help="auto: bf16 where this machine gains by it; the trial says which.")
    ] = None,
    train_limit: Annotated[int | None, typer.Option(min=1, help="Use only so many shuffled training images.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the protocol's.")] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", help="CPU seconds instead of the protocol's.")
    ] = None,
    set_prm: PrmOption = None,
    search: Annotated[
        int | None, typer.Option("--search", min=1, help="Search for hyperparameters in so many trials.")
    ] = None,
    search_seed: Annotated[int, typer.Option(min=0, help="Same seed, same proposals.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again although there is a result on record.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Allow fetching the data set.")] = False,
    device: Annotated[
        DeviceChoice, typer.Option(help="auto: a GPU where there is one with room, else the CPU.")
    ] = "auto",
    backend: Backend = None,
    as_json: JsonFlag = False,
) -> None:
    """Train one network under a protocol and print its metric. Exit code 1 if it is invalid or its training fails."""
    from ...tools.datasets import prepare

    transforms = transform or []
    if search is None and len(transforms) > 1:
        fail("one training has one --transform; several are what --search chooses from", as_json=as_json)
    if search is not None and fresh:
        fail("--fresh is for one training: a search lives on what is on record", as_json=as_json)
    info = task_info(dataset)
    changes: dict[str, Any] = {
        "epochs": epochs,
        "batch": batch,
        "lr": lr,
        "momentum": momentum,
        "precision": precision,
        "seed": seed,
    }
    changes |= {
        "time_limit_s": time_limit,
        "train_limit": train_limit,
        "transform": transforms[0] if transforms else None,
    }
    chosen = _protocol(protocol_name or default_protocol(dataset).name, changes, set_prm or [], as_json)
    check_fits(chosen, info)
    if download:
        prepare(info.dataset, download=True)  # before the spinner: a download has a bar of its own
    work = Work(file, info.task, chosen, tuple(backend or DEFAULT_BACKENDS), device, hidden=as_json)
    with Records() as records:
        if search is not None:
            run_search(work, records, transforms[1:], search, search_seed)
            return
        judged = judge(work, records, fresh=fresh)
    if as_json:
        print_json(_document(work, judged))
    else:
        _print(work, judged)
    if judged.trial is None or judged.trial.state != "complete":
        raise typer.Exit(1)


def _protocol(name: str, changes: dict[str, Any], prm: list[str], as_json: bool) -> Protocol:
    given = {key: value for key, value in changes.items() if value is not None}
    if prm:
        given["prm"] = {**protocol(name).prm, **dict(_number(text, as_json) for text in prm)}
    try:
        return protocol(name, **given)
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()), as_json=as_json)


def _number(text: str, as_json: bool) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not name or not math.isfinite(number):
        fail(f"--set-prm wants NAME=NUMBER, such as dropout=0.3, not {text!r}", as_json=as_json)
    return name, number


def _document(work: Work, judged: Judged) -> dict[str, Any]:
    verdict, trial = judged.verdict, judged.trial
    return {
        "file": str(work.file),
        "protocol": {**work.protocol.model_dump(), "hash": work.protocol.hash},
        "verdict": {**verdict.model_dump(mode="json"), "reason": verdict.reason} if verdict else None,
        "trial": trial.model_dump(mode="json") if trial else None,
        "cached": judged.cached,
        "recorded": judged.recorded,
    }


def _print(work: Work, judged: Judged) -> None:
    trial, chosen = judged.trial, work.protocol
    if trial is None:
        out.print(verdict_table({str(work.file): judged.verdict} if judged.verdict else {}))
        return
    known = " (cached: from the records; --fresh trains again)" if judged.cached else ""
    if not judged.recorded:
        known = " (not recorded: a finished trial never changes)"
    if trial.state != "complete" or trial.metric is None:
        told = f"{work.file}: training {trial.state}: {trial.error_class}: {trial.message}{known}"
        out.print(told, markup=False, soft_wrap=True)
        return
    out.print(
        f"{work.file}: {work.task.metric} {trial.metric:.4f} under {chosen.name} ({chosen.hash}), "
        f"{_parameters(judged.verdict)}{trial.cpu_s:.1f} CPU seconds{known}",
        markup=False,
        soft_wrap=True,
    )


def _parameters(verdict: Verdict | None) -> str:
    return f"{verdict.params:,} parameters, " if verdict is not None and verdict.params is not None else ""
