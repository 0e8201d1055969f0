"""Tools for the tests of jobs: each shows one way in which a job can go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from netwright.tools.registry import Arguments, Context, Registry, Result, ToolError
from pydantic import Field


class Nap(Arguments):
    """How to sleep."""

    seconds: float = Field(default=0, ge=0, description="How long.")
    note: str = Field(default="", description="A file that is written to at the beginning and the end.")


class Rested(Result):
    """How it was."""

    pid: int
    child: int | None = None


def registry() -> Registry:
    """A registry of jobs."""
    made = Registry()

    @made.tool(title="Sleep", kind="job")
    def sleep(arguments: Nap, context: Context) -> Rested:
        """Sleep, and tell of it."""
        note(arguments, "begin")
        until = time.monotonic() + arguments.seconds
        while time.monotonic() < until:
            context.report(1, 2, "sleeping")
            context.check()
            time.sleep(0.02)
        context.report(2, 2, "awake")
        note(arguments, "end")
        return Rested(pid=os.getpid())

    @made.tool(title="Be stubborn", kind="job")
    def stubborn(arguments: Nap, context: Context) -> Rested:
        """Sleep with a child, and take no notice of a polite request to stop."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({arguments.seconds})"])
        note(arguments, str(child.pid))
        context.report(1, None, "sleeping")
        time.sleep(arguments.seconds)
        return Rested(pid=os.getpid(), child=child.pid)

    @made.tool(title="Fail", kind="job")
    def fail(arguments: Nap, context: Context) -> Rested:
        """Fail on purpose."""
        raise ToolError("cannot sleep: the neighbours sing; ask again tomorrow")

    @made.tool(title="Break", kind="job")
    def broken(arguments: Nap, context: Context) -> Rested:
        """Fail by a fault of the program."""
        return {}["secret detail"]  # type: ignore[no-any-return]

    @made.tool(title="Die", kind="job")
    def die(arguments: Nap, context: Context) -> Rested:
        """Be killed."""
        os.kill(os.getpid(), signal.SIGKILL)
        return Rested(pid=0)

    @made.tool(title="Add")
    def echo(arguments: Nap, context: Context) -> Rested:
        """Answer at once."""
        return Rested(pid=os.getpid())

    return made


def note(arguments: Nap, text: str) -> None:
    if arguments.note:
        with Path(arguments.note).open("a") as file:
            file.write(f"{text} {time.monotonic()}\n")
