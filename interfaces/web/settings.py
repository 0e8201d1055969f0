"""What all tabs of the app share: settings, records, the board of turns, and where its files go."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...graphs.config import Config
from ...memory.home import home_folder
from ...memory.records import Records
from ...memory.types import Task, Verdict
from ...sandbox import open_sandbox
from ...tools.execution import Validator, validation_image
from .turn_board import TurnBoard

UPLOAD_BYTES: Final = 256 * 1024
"""Of one uploaded file: as much as the sandbox's validator reads."""


def files_folder() -> Path:
    """Where uploads and exports lie for the browser, in the data directory; emptied by age."""
    return home_folder("web", "files")


@dataclass
class App:
    """One running app."""

    config: Config
    records: Records
    board: TurnBoard
    _sandbox: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, config: Config, records: Records) -> App:
        """The app over open records, which the caller closes."""
        return cls(config, records, TurnBoard(config, records))

    def validate(self, source: str, task: Task) -> Verdict:
        """How far a text gets on a task, tried in the sandbox, one text at a time."""
        place = self.config.sandbox
        with (
            self._sandbox,
            closing(open_sandbox(place.backend, validation_image(), workers=1, docker=place.docker)) as sandbox,
        ):
            return Validator(sandbox, limits=place.validation).validate(source, task)

    def close(self) -> None:
        """End what runs."""
        self.board.close()
