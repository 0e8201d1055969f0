"""What a campaign's folder says of the process that runs it: its heartbeat, what it waits for, who asked it to stop."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from ..memory.files import write_whole
from ..memory.rows import now
from ..memory.types import Frozen
from .locking import Identity, boot_id

HEARTBEAT: Final = "heartbeat.json"
LAUNCHED: Final = "launched.json"
ASKED: Final = "asked.txt"


class Waiting(Frozen):
    """Why a campaign waits, and until when.

    Attributes:
        kind: of trouble: ``disk``, ``memory`` or ``model``.
        tries: how often it has been tried in vain since it last worked.
        since: of the first of these tries.
    """

    kind: str
    reason: str
    tries: int = Field(ge=1)
    since: datetime
    next_try: datetime


class Heartbeat(Frozen):
    """The newest sign of life.

    Attributes:
        pid, boot: of the process, and of the run of the machine.
        waiting: set while it waits for a disk, memory or a model's server.
    """

    pid: int
    boot: str
    at: datetime = Field(default_factory=now)
    waiting: Waiting | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was written."""
        return max(0.0, (now() - self.at).total_seconds())

    @property
    def elsewhere(self) -> bool:
        """Whether it is of another run of the machine, or of another machine."""
        return self.boot != boot_id()


def beat(folder: Path, waiting: Waiting | None = None) -> None:
    """Leave a sign of life of this process."""
    here = Identity.of(os.getpid())
    text = Heartbeat(pid=here.pid, boot=here.boot, waiting=waiting).model_dump_json()
    write_whole(folder / HEARTBEAT, text.encode(), flush=False)


def heartbeat(folder: Path) -> Heartbeat | None:
    """The newest sign of life of whichever process it was; ``None`` when there never was one."""
    try:
        return Heartbeat.model_validate_json((folder / HEARTBEAT).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def launched(folder: Path, pid: int) -> None:
    """Write down a process that was started to run a campaign, before it has its lock."""
    write_whole(folder / LAUNCHED, Identity.of(pid).text().encode())


def starting(folder: Path) -> Identity | None:
    """The process that was started to run a campaign, while it is alive."""
    try:
        found = Identity.read((folder / LAUNCHED).read_text())
    except FileNotFoundError:
        return None
    return found if found is not None and found.alive else None


def ask(folder: Path, pid: int, reason: str) -> None:
    """Write down why a process is about to be asked to stop: a signal carries no words."""
    write_whole(folder / ASKED, f"{pid} {reason}".encode())


def asked(folder: Path, pid: int) -> str | None:
    """Why this process was asked to stop; what an earlier one was asked is not meant for it."""
    try:
        told, _, reason = (folder / ASKED).read_text().partition(" ")
    except FileNotFoundError:
        return None
    return reason if told == str(pid) else None
