"""Live progress of a campaign in the terminal."""

from __future__ import annotations

from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ...graphs.config import Config
from ...graphs.services import Event
from .console import err


class CampaignView:
    """Shows one bar for the cycles and one for the stage that runs. Called with events from any thread."""

    def __init__(self, config: Config, *, hidden: bool) -> None:
        self._cycles = config.budget.cycles
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
            disable=hidden,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        self._bars["cycles"] = self._progress.add_task("cycles", total=self._cycles)
        self._bars["stage"] = self._progress.add_task("starting", total=None)
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        stage = self._bars["stage"]
        if event.kind == "begin":
            self._progress.reset(stage, total=event.total, description=f"cycle {event.cycle}: {event.stage}")
        elif event.kind == "cycle":
            self._progress.update(self._bars["cycles"], completed=event.cycle)
        else:
            self._progress.update(stage, advance=1)
