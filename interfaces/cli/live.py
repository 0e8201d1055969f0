"""Live progress in the terminal, on standard error: of stages, of a campaign, and of shorter work."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from .console import err

if TYPE_CHECKING:
    from ...graphs.config import Config
    from ...graphs.services import Event


class StageView(ABC):
    """Shows the stage that runs, with a bar of its own. Called with events from any thread.

    Args:
        columns: of the bars.
        hidden: show nothing.
        transient: take the bars away at the end.
    """

    def __init__(self, *columns: ProgressColumn, hidden: bool, transient: bool = False) -> None:
        self._lines = not hidden and not err.is_terminal
        self._progress = Progress(*columns, console=err, transient=transient, disable=hidden or not err.is_terminal)
        self._lock = threading.Lock()
        self._bar: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.kind == "begin":
                self._begin(event)
                self._stage = event.stage
            elif event.stage == self._stage and self._bar is not None:
                self._progress.update(self._bar, advance=1)

    @abstractmethod
    def _begin(self, event: Event) -> None:
        """Show a stage that begins."""

    def _show(self, text: str, total: int | None) -> None:
        """A bar of its own for each stage: its clock starts anew, and rich takes no total off an old one.

        Args:
            total: pieces of work. One piece has no middle: it has no total, and its bar only moves.
        """
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        total = total if total is not None and total > 1 else None
        self._bar, self._stage = self._progress.add_task(text, total=total), ""


class CampaignView(StageView):
    """Shows one bar for the cycles and one for the stage that runs.

    Where standard error is no terminal, each closed cycle is one line instead.

    Args:
        closed: cycles that a resumed campaign has behind it.
        hidden: show nothing.
    """

    def __init__(self, config: Config, *, closed: int = 0, hidden: bool = False) -> None:
        columns = (TextColumn("[bold]{task.description}"), BarColumn(), _Count(), TimeElapsedColumn())
        super().__init__(SpinnerColumn(finished_text=" "), *columns, hidden=hidden)
        self._cycles = config.budget.cycles
        self._all = self._progress.add_task("cycles", total=self._cycles, completed=closed, counted=True)
        self._show("opening model, corpus and sandbox", None)

    @property
    def stage(self) -> Task:
        """The bar of the stage that runs."""
        return self._task(self._bar)

    @property
    def cycles(self) -> Task:
        """The bar of the cycles."""
        return self._task(self._all)

    def __call__(self, event: Event) -> None:
        if event.kind != "cycle":
            super().__call__(event)
            return
        with self._lock:
            self._close(event.cycle)

    def _begin(self, event: Event) -> None:
        self._show(f"cycle {event.cycle}: {event.stage}", event.total)
        self._progress.update(self._all, completed=event.cycle - 1)

    def _close(self, cycle: int) -> None:
        self._show(f"cycle {cycle}: closed", None)
        self._progress.update(self._all, completed=cycle)
        if self._lines:
            of = f" of {self._cycles}" if self._cycles is not None else ""
            err.print(f"cycle {cycle}{of} is closed")

    def _task(self, key: TaskID | None) -> Task:
        return next(task for task in self._progress.tasks if task.id == key)


class _Count(ProgressColumn):
    """How much is done, of how much if that is known; nothing for work in one piece."""

    def render(self, task: Task) -> Text:
        if task.total is not None:
            return Text(f"{task.completed:.0f}/{task.total:.0f}")
        return Text(f"{task.completed:.0f}" if task.fields.get("counted") else "")


@contextmanager
def activity(text: str, *, hidden: bool = False) -> Iterator[Callable[[str], None]]:
    """A spinner with the time since the start, gone at the end.

    Args:
        text: what is being done; call what the block gets with another text when that changes.
        hidden: show nothing.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    shown = Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)
    with shown as progress:
        bar = progress.add_task(text, total=None)
        yield lambda now: progress.update(bar, description=now)
