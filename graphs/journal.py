"""What happened to a campaign's process in the night, one JSON line each: begun, waiting, killed, ended."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from ..memory.rows import now
from ..memory.types import Frozen

JOURNAL: Final = "events.jsonl"
_MOST: Final = 10_000
"""Lines that are read, the newest: a night has a few dozen."""

_log = logging.getLogger(__name__)

What = Literal["begun", "killed", "waiting", "recovered", "stopped", "ended", "failed", "pruned"]


class Happening(Frozen):
    """One line of the journal.

    Attributes:
        what: ``begun``: a process took the campaign up; ``killed``: it was found that the one before had died without a
            word; ``waiting`` and ``recovered``: of trouble that passes; ``pruned``: adapters were deleted.
        kind: of trouble.
        seconds: how long it was waited, or how long the dead process had been silent.
        tries: in vain, before it went on.
    """

    at: datetime = Field(default_factory=now)
    what: What
    reason: str = ""
    kind: str | None = None
    seconds: float | None = None
    tries: int | None = None


def note(folder: Path, happening: Happening) -> None:
    """Add a line, on the disk when this returns. On a full disk it is logged alone: a diary must not end the work."""
    line = (happening.model_dump_json(exclude_none=True) + "\n").encode()
    try:
        with (folder / JOURNAL).open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _log.warning("could not write %s down: %s", happening.what, error)


def happenings(folder: Path) -> list[Happening]:
    """All lines, oldest first; one that a loss of power cut in two is passed over."""
    try:
        lines = (folder / JOURNAL).read_bytes().splitlines()[-_MOST:]
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Happening.model_validate_json(line))
        except ValidationError:
            continue
    return found
