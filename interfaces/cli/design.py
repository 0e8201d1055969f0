"""``netwright design``: one request, one validated network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax

from ...memory.records import Records
from ...tools.tasks import known_datasets
from ...tools.understanding import Understood, understand
from .campaign import DownloadFlag, SetOption
from .console import INTERRUPTED, JsonFlag, fail, graceful_stop, guarded, out, print_json
from .driving import fetch
from .live import activity

_STOPPED = "interrupted; the same command goes on: what was written and judged is on record"


@guarded
def design(
    text: Annotated[str, typer.Argument(help="What to design, in words: data set, parameter limit, style.")],
    train: Annotated[bool, typer.Option("--train", help="Train the valid candidates and give the best one.")] = False,
    candidates: Annotated[int, typer.Option("--candidates", "-n", min=1, max=256, help="Candidates per round.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same answer.")] = 0,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="Write the network to this file.")] = None,
    overrides: SetOption = None,
    download: DownloadFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Design a network for a request and print it with its verdict. Exit code 1 if no try met the request."""
    from langgraph.runtime import RunControl

    from ...graphs.config import load_config
    from ...graphs.design import run_design

    request = parse_request(text)
    config = load_config(overrides=[f"campaign.seed={seed}", f"campaign.candidates={candidates}", *(overrides or ())])
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
        print_json({"ok": True, **designed.as_json()})
        return
    out.print(Syntax(designed.candidate.source, "python"))
    out.print(designed.explanation, markup=False)
    if to is not None:
        out.print(f"written to {to}", markup=False, soft_wrap=True)
