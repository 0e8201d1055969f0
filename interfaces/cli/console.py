"""What all commands share: JSON on request, one way to fail, one way to stop."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(value: Any) -> None:
    """One JSON document on standard output, for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def fail(message: str, *, as_json: bool = False, code: int = 2) -> NoReturn:
    """End the command: the reason on standard error, or as JSON on standard output."""
    if as_json:
        print_json({"ok": False, "error": message})
    else:
        err.print(f"[bold red]error[/]: {_plain(message)}", highlight=False)
    raise typer.Exit(code)


def _plain(message: str) -> str:
    """Text that rich takes as it is: brackets in it are no markup."""
    return message.replace("[", "\\[")


@contextmanager
def graceful_stop(ask: Callable[[str], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM ask for a stop at the next safe point; a second Ctrl-C ends at once.

    Args:
        ask: called with ``"interrupted"`` or ``"terminated"``.
    """
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True
        name = "interrupted" if number == signal.SIGINT else "terminated"
        err.print(f"[yellow]{name}: stopping at the next safe point (Ctrl-C again: at once)[/]")
        ask(name)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
