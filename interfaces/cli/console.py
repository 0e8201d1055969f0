"""What all commands share: JSON on request, one way to fail, one way to stop."""

from __future__ import annotations

import errno
import functools
import json
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, NoReturn, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

P = ParamSpec("P")

# Messages and programs of others are shown as they are: ":x:" in them is no picture.
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

PACKAGE = __name__.partition(".")[0]
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""

_GO_ON = "go on with: "
_SERVERS = frozenset(
    {"openai", "anthropic", "cohere", "groq", "mistralai", "google", "fireworks", "together", "botocore", "ollama"}
    | {"httpx", "httpcore", "requests", "urllib3", "aiohttp", "huggingface_hub", "langchain_core"}
)
"""Packages through which language models are reached: their errors are about servers, keys and networks."""


def print_json(value: Any) -> None:
    """One JSON document on standard output, for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def fail(message: str, *, as_json: bool = False, code: int = 2, go_on: str | None = None) -> NoReturn:
    """End the command: the reason on standard error, or as JSON on standard output.

    Args:
        code: 1: it ran and the answer is no; 2: it could not run.
        go_on: the command that goes on from here, if there is one.
    """
    if as_json:
        print_json({"ok": False, "error": message} | ({"next": go_on} if go_on else {}))
    else:
        err.print(f"[bold red]error[/]: {escape(message)}", highlight=False, soft_wrap=True)
        if go_on:
            err.print(f"{_GO_ON}[bold]{escape(go_on)}[/]", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def starting(what: str, *, as_json: bool = False) -> None:
    """Say on standard error what takes seconds before a server answers."""
    if not as_json:
        err.print(f"[dim]starting: {escape(what)} …[/]", highlight=False)


def print_remedies(missing: Iterable[tuple[str, str | None]]) -> None:
    """What to do about things that are not there: one line for each remedy, uncut, so that it can be copied."""
    names: dict[str, list[str]] = {}
    for name, remedy in missing:
        if remedy:
            names.setdefault(remedy, []).append(name)
    for remedy, those in names.items():
        out.print(f"[bold]{escape(', '.join(those))}[/]: {escape(remedy)}", highlight=False, soft_wrap=True)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command end in one line and an exit code when it cannot run or is interrupted.

    What netwright raises on purpose, and what files, databases and servers do, is expected; anything else is a fault
    of the program and keeps its traceback.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            fail("interrupted", as_json=as_json, code=INTERRUPTED, go_on=_noted(interrupt))
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            fail(message, as_json=as_json, go_on=_noted(error))

    return run


@contextmanager
def going_on(command: str) -> Iterator[None]:
    """Note on whatever ends the block which command goes on after it."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        error.add_note(_GO_ON + command)
        raise


def _noted(error: BaseException) -> str | None:
    """The command of the innermost :func:`going_on`; LangGraph adds notes of its own."""
    found = (note for note in getattr(error, "__notes__", ()) if note.startswith(_GO_ON))
    return next((note.removeprefix(_GO_ON) for note in found), None)


def explain(error: Exception) -> str | None:
    """What an expected error says to a person; ``None`` for a fault of the program."""
    roots = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    name = type(error).__name__
    if PACKAGE in roots:
        return str(error)
    if roots & {"sqlalchemy", "sqlite3"} and name in {"OperationalError", "DatabaseError"}:
        why = getattr(error, "orig", None) or error
        return f"the records cannot be used: {why}; see 'netwright doctor', or name another folder by NETWRIGHT_HOME"
    if roots & _SERVERS:
        return f"the language model did not answer: {name}: {str(error)[:500]}; check its address, key and network"
    if "safetensors_rust" in roots:
        return f"the weights of the language model cannot be read: {error}"
    if isinstance(error, OSError):
        return _explain_os(error)
    if isinstance(error, ImportError) and not (error.name or PACKAGE).startswith(PACKAGE):
        return f"a Python package is missing: {error}"
    return str(error) if isinstance(error, ValueError) and _raised_here(error) else None


def _explain_os(error: OSError) -> str | None:
    """Errors that name a file or a full disk; the others are between this program and the system."""
    if error.errno is None:
        return str(error)
    if error.filename is None and error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
        return None
    place = f": {error.filename}" if error.filename is not None else ""
    advice = "if this is the data directory, NETWRIGHT_HOME names another, see 'netwright doctor'"
    return f"{error.strerror}{place}; {advice}"


def _raised_here(error: Exception) -> bool:
    """Whether a line of this package raised the error, and not one of a library below it."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).partition(".")[0] == PACKAGE


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
