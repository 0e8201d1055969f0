"""``netwright design``: one request, one validated network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.syntax import Syntax

from ...memory.records import Records
from ...tools.tasks import known_datasets
from ...tools.understanding import Understood, understand
from .choosing import DownloadFlag, SetOption
from .console import INTERRUPTED, JsonFlag, err, fail, graceful_stop, guarded, out, print_json
from .driving import fetch
from .live import activity

_STOPPED = "interrupted; the same command goes on: what was written and judged is on record"

CANDIDATES = 8
"""Candidates per round where neither the command nor the request says."""


@guarded
def design(
    text: Annotated[str, typer.Argument(help="What to design, in words: data set, parameter limit, style.")],
    train: Annotated[
        bool,
        typer.Option("--train", help="Train the valid candidates and give the best one; the request may ask for it."),
    ] = False,
    candidates: Annotated[
        int | None,
        typer.Option("--candidates", "-n", min=1, max=256, help="Candidates per round; 8 unless the request says."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same answer; 0 unless the request says.")] = None,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="Write the network to this file.")] = None,
    overrides: SetOption = None,
    download: DownloadFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Design a network for a request and print it with its verdict. Exit code 1 if no try met the request."""
    from langgraph.runtime import RunControl

    from ...graphs.config import load_config
    from ...graphs.design import run_design

    understood = understand(text)
    if understood.request is None:
        _not_understood(understood, as_json=as_json)
    request, wishes = understood.request, understood.wishes
    train = train or wishes.train
    settings = [
        f"campaign.seed={seed if seed is not None else wishes.seed or 0}",
        f"campaign.candidates={candidates or wishes.candidates or CANDIDATES}",
        *([f"protocol.epochs={wishes.epochs}"] if wishes.epochs else []),
    ]
    config = load_config(overrides=[*settings, *(overrides or ())])
    if not as_json:
        _print_notes(understood)
    if to is not None and (to.is_dir() or not to.absolute().parent.is_dir()):
        fail(f"--out must name a file in a folder that exists, not {to}", as_json=as_json)
    if download:
        fetch(request.task.dataset)
    control = RunControl()
    doing = "designing and training" if train else "designing"
    try:
        with (
            Records() as records,
            graceful_stop(control.request_drain),
            activity(f"{doing} for {request.task.dataset}", hidden=as_json),
        ):
            designed = run_design(request, config, records, train=train, control=control)
    except KeyboardInterrupt:
        fail(_STOPPED, as_json=as_json, code=INTERRUPTED)
    if not designed.finished:
        fail(_STOPPED, as_json=as_json, code=INTERRUPTED)
    if designed.candidate is None:
        fail(designed.explanation, as_json=as_json, code=1)
    if to is not None:
        to.write_text(designed.candidate.source, encoding="utf-8")
    if as_json:
        print_json({"ok": True, **designed.as_json(), "understood": _told(understood)})
        return
    out.print(Syntax(designed.candidate.source, "python"))
    out.print(designed.explanation, markup=False)
    if to is not None:
        out.print(f"written to {to}", markup=False, soft_wrap=True)


def _not_understood(understood: Understood, *, as_json: bool) -> NoReturn:
    """End the command: what is missing in the request, or why it is refused, with what was read on the way."""
    known = ", ".join(known_datasets())
    reason = understood.refusal or f"the request names no data set; name one of: {known}"
    if as_json:
        print_json({"ok": False, "error": reason, "understood": _told(understood)})
        raise typer.Exit(2)
    _print_notes(understood)
    fail(reason)


def _print_notes(understood: Understood) -> None:
    """What was read as something else or passed over, beside the answer and not in it."""
    for note in understood.notes:
        err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _told(understood: Understood) -> dict[str, Any]:
    """How the request was understood, beside the request itself."""
    return understood.model_dump(mode="json", exclude={"request", "refusal", "limits"})
