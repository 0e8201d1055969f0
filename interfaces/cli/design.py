"""``netwright design``: one request, one validated network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax

from ...memory.records import Records
from ...sandbox import SandboxUnavailable
from ...tools.requests import RequestError, parse_request
from .campaign import SetOption
from .console import JsonFlag, err, fail, out, print_json


def design(
    text: Annotated[str, typer.Argument(help="What to design, in words: data set, parameter limit, style.")],
    train: Annotated[bool, typer.Option("--train", help="Train the valid candidates and give the best one.")] = False,
    candidates: Annotated[int, typer.Option("--candidates", "-n", min=1, max=256, help="Candidates per round.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same answer.")] = 0,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="Write the network to this file.")] = None,
    overrides: SetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Design a network for a request and print it with its verdict.

    Example:  netwright design "a CIFAR-10 classifier under 200k parameters" --out net.py
    """
    from ...graphs.config import ConfigError, load_config
    from ...graphs.design import run_design

    try:
        request = parse_request(text)
        config = load_config(
            overrides=[f"campaign.seed={seed}", f"campaign.candidates={candidates}", *(overrides or ())]
        )
        with Records() as records, err.status("designing"):
            designed = run_design(request, config, records, train=train)
    except (RequestError, ConfigError, SandboxUnavailable, RuntimeError, ValueError, ImportError) as error:
        fail(str(error), as_json=as_json)
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
        out.print(f"written to {to}", markup=False)
