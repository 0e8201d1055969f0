"""One process per campaign or design request, and who that is."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

LOCK: Final = "lock"
PATIENCE_S: Final = 1.0
"""How long a lock is tried for: whoever looks whether a run is alive holds it for a moment."""


class CampaignBusy(RuntimeError):
    """Another process works on this campaign."""


@dataclass(frozen=True)
class Identity:
    """A process, told apart from a later one with the same number.

    Attributes:
        boot: of the machine that it runs on; another one after a restart.
        started: seconds since the epoch.
    """

    pid: int
    boot: str
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Raises: psutil.NoSuchProcess: there is none."""
        return cls(pid, boot_id(), psutil.Process(pid).create_time())

    @classmethod
    def read(cls, text: str) -> Identity | None:
        """What :meth:`text` wrote; ``None`` for anything else, such as the empty lock of an earlier version."""
        try:
            held = json.loads(text)
            return cls(int(held["pid"]), str(held["boot"]), float(held["started"]))
        except (ValueError, KeyError, TypeError):
            return None

    def text(self) -> str:
        """As it is kept in files."""
        return json.dumps({"pid": self.pid, "boot": self.boot, "started": self.started})

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        if self.boot != boot_id():
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def boot_id() -> str:
    """Names this run of the machine; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@contextmanager
def one_process(folder: Path, run: str, what: str = "campaign") -> Iterator[None]:
    """Hold a run's lock, which dies with its holder.

    Args:
        folder: the run's own, where the lock file lies.
        what: it is, for the error.

    Raises:
        CampaignBusy: another process holds it.
    """
    with (folder / LOCK).open("a+") as handle:  # not "w": that would wipe out who holds it
        if not _locked(handle, fcntl.LOCK_EX, PATIENCE_S):
            raise CampaignBusy(f"{what} {run} is being run by another process; stop that one first")
        handle.truncate(0)
        handle.write(Identity.of(os.getpid()).text())
        handle.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process works on the run of this folder now. Its lock says so, which no dead process holds."""
    try:
        with (folder / LOCK).open("r") as handle:
            return not _locked(handle, fcntl.LOCK_SH, 0.0)
    except FileNotFoundError:
        return False


def holder(folder: Path) -> Identity | None:
    """Who holds the lock; ``None`` when nobody does, or in the moment in which it is taken."""
    if not is_held(folder):
        return None
    return Identity.read((folder / LOCK).read_text())


def _locked(handle: IO[str], kind: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
