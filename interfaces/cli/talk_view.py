"""Live steps of a turn in the terminal, on standard error."""

from __future__ import annotations

import threading
import unicodedata
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from .console import err

if TYPE_CHECKING:
    from ...graphs.services import Event

_WORDS = {
    "understand": "understanding",
    "open": "opening model and sandbox",
    "generate": "writing networks",
    "validate": "validating",
    "repair": "repairing",
    "train": "training",
}


class TurnView:
    """Shows the step that runs. Called with events from any thread.

    Where standard error is no terminal each step is one line.

    Args:
        hidden: show nothing.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        self._lines = not hidden and not err.is_terminal
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        self._progress = Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)
        self._lock = threading.Lock()
        self._bar: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    @property
    def stage(self) -> str:
        """The step that runs."""
        return self._stage

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.kind == "begin":
                self._begin(event)
            elif event.kind == "done" and event.stage == self._stage and self._bar is not None:
                self._progress.update(self._bar, advance=1)

    def _begin(self, event: Event) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._stage = event.stage
        words = _WORDS.get(event.stage, event.stage)
        count = f" {event.total}" if event.total > 1 else ""
        # One piece of work has no middle: its bar only moves.
        self._bar = self._progress.add_task(f"{words}{count}", total=event.total if event.total > 1 else None)
        if self._lines and event.stage != "understand":
            err.print(f"{words}{count} …", highlight=False)


def harmless(text: str) -> str:
    """Text without characters that a terminal would obey: a model may have written them."""
    return "".join(ch for ch in text if ch in "\n\t" or unicodedata.category(ch) not in ("Cc", "Cf", "Cs"))
