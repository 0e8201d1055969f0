"""Live steps of a turn in the terminal, on standard error."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from .console import err
from .live import StageView

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


class TurnView(StageView):
    """Shows the step that runs.

    Where standard error is no terminal each step is one line.

    Args:
        hidden: show nothing.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        super().__init__(*columns, hidden=hidden, transient=True)

    @property
    def stage(self) -> str:
        """The step that runs."""
        return self._stage

    def _begin(self, event: Event) -> None:
        words = _WORDS.get(event.stage, event.stage)
        count = f" {event.total}" if event.total > 1 else ""
        self._show(f"{words}{count}", event.total)
        if self._lines and event.stage != "understand":
            err.print(f"{words}{count} …", highlight=False)


def harmless(text: str) -> str:
    """Text without characters that a terminal would obey: a model may have written them."""
    return "".join(ch for ch in text if ch in "\n\t" or unicodedata.category(ch) not in ("Cc", "Cf", "Cs"))
