"""The processes of jobs: in which slots they run, how they begin, and how they are ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final

from ..tokens import TOKEN_VARIABLE
from .folder import JobFolder
from .model import JobError

TERM_S: Final = 1.0
"""Seconds that a cancelled job has to stop by itself."""
_KILL_S: Final = 5.0
_LOOK_S: Final = 0.05
_SECRETS: Final = frozenset({TOKEN_VARIABLE})


def free_slot(slots: Path, count: int) -> IO[str] | None:
    """One of so many slots, locked, or ``None`` where all are taken."""
    for number in range(count):
        handle = (slots / str(number)).open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        return handle
    return None


def start_process(folder: JobFolder, slot: IO[str], registry: str, home: Path) -> subprocess.Popen[bytes] | None:
    """Make a job's process: it inherits its own lock and its slot's, held from before it begins.

    Args:
        registry: where it finds the tools, as ``module:function``.

    Returns:
        ``None`` where it could not be made; the job has failed then.
    """
    folder.start(None)
    with folder.lock.open("a") as lock, folder.log.open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.marker.unlink(missing_ok=True)
        kept = [lock.fileno(), slot.fileno()]
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "netwright.interfaces.jobs.work", str(folder.path), registry]
                + [str(fd) for fd in kept],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=kept,
                start_new_session=True,
                env={**environment, "NETWRIGHT_HOME": str(home)},
            )
        except OSError as error:
            folder.end("failed", f"its process could not be made: {error}")
            return None
        with contextlib.suppress(OSError):  # the process writes it too; but one that is slow to begin can be ended now
            folder.start(process.pid)
        return process


def end_process(folder: JobFolder) -> None:
    """End a running job's process group: asked first, then killed. Its sandboxes see their host go and end too.

    Raises:
        JobError: something of it is still there.
    """
    began = time.monotonic()
    asked = killed = False
    while folder.alive():
        passed = time.monotonic() - began
        if passed > _KILL_S:
            raise JobError(f"job {folder.path.name} does not end: its process {(folder.started() or {}).get('pid')}")
        group = (folder.started() or {}).get("pid")
        if group is not None and not asked:
            asked = _signal(group, signal.SIGTERM)
        if group is not None and not killed and passed > TERM_S:
            killed = _signal(group, signal.SIGKILL)
        time.sleep(_LOOK_S)


def _signal(group: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):  # it went by itself meanwhile
        os.killpg(group, number)
    return True
