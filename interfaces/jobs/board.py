"""The job board: takes jobs, runs at most so many at once, and knows of each what became of it.

Several boards may work on one data directory, in several processes: which job is whose turn is decided under a file
lock, and the slots in which jobs run are file locks that the jobs' processes hold themselves. So a board that dies
takes no job with it: running ones go on, waiting ones are started by the next board.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from .folder import QUEUE, JobFolder, stamp
from .model import CANCELLED, Job, JobError, Progress, QueueFull, is_id, new_id
from .process import end_process, free_slot, start_process

REGISTRY: Final = "netwright.interfaces.toolbox:registry"
"""Where a job's process finds the tools: module and function."""
MOST_QUEUED: Final = 256
MOST_KEPT: Final = 1000
"""Ended jobs that are kept; the oldest go first."""
_LOOK_S: Final = 0.05
_IDLE_S: Final = 1.0
_WAITING_S: Final = 0.2

_log = logging.getLogger(__name__)


class JobBoard:
    """The jobs of one data directory.

    Args:
        home: the data directory.
        settings: ``path=value`` overrides of the configuration under which jobs run.
        at_once: jobs that run at the same time, over all boards of the directory; one per core if ``None``.
        most_queued: jobs that may wait.
        registry: where jobs find their tools, as ``module:function``.
        dispatch: start what waits. A board that only looks does not.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: Sequence[str] = (),
        at_once: int | None = None,
        most_queued: int = MOST_QUEUED,
        registry: str = REGISTRY,
        dispatch: bool = True,
    ) -> None:
        self.home = home
        self.at_once = at_once or len(os.sched_getaffinity(0))
        self.most_queued = most_queued
        self._settings, self._registry = tuple(settings), registry
        self._folder = home / "jobs"
        (self._folder / QUEUE).mkdir(parents=True, exist_ok=True)
        self._slots = self._folder / "slots"
        self._slots.mkdir(exist_ok=True)
        self._wake, self._closed = threading.Event(), threading.Event()
        self._dispatcher = threading.Thread(target=self._dispatch, name="jobs", daemon=True)
        if dispatch:
            self._dispatcher.start()

    def close(self) -> None:
        """Start nothing more. What runs goes on, what waits is the next board's."""
        self._closed.set()
        self._wake.set()
        if self._dispatcher.is_alive():
            self._dispatcher.join()

    def __enter__(self) -> JobBoard:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def submit(self, tool: str, arguments: dict[str, Any]) -> Job:
        """Put a job into the queue; when this returns, it outlives this process.

        The arguments are the caller's to check (:meth:`~netwright.tools.registry.Tool.parse`).

        Raises:
            QueueFull: too many wait already.
        """
        folder = self._folder / new_id()
        with self._turn():
            waiting = len(self._waiting())
            if waiting >= self.most_queued:
                raise QueueFull(f"{waiting} jobs wait already, more are not taken: try again when some have ended")
            asked = {"tool": tool, "arguments": arguments, "settings": self._settings, "created": stamp()}
            made = JobFolder.create(folder, asked)
            made.marker.touch()
            self._forget_old()
        self._wake.set()
        return made.job()

    def status(self, job_id: str) -> Job:
        """What is known of a job now.

        Raises:
            JobError: there is none of this id.
        """
        return self._of(job_id).job()

    def steps(self, job_id: str, begin: int = 0) -> tuple[list[Progress], int]:
        """All that a job has told of its progress since ``begin`` (0, or what the call before gave), and the next one.

        Raises:
            JobError: there is none of this id.
        """
        return self._of(job_id).steps(begin)

    def arguments(self, job_id: str) -> dict[str, Any]:
        """What a job was asked.

        Raises:
            JobError: there is none of this id.
        """
        told: dict[str, Any] = self._of(job_id).asked()["arguments"]
        return told

    def result(self, job_id: str) -> Any:
        """The result of a complete job: plain data of the tool's result model.

        Raises:
            JobError: there is none of this id, it has not ended, or it ended without a result (and why).
        """
        folder = self._of(job_id)
        job = folder.job()
        if job.state == "complete":
            return folder.result()
        if job.finished:
            raise JobError(f"job {job_id} has no result, it is {job.state}: {job.error}")
        raise JobError(f"job {job_id} is {job.state}: ask again when it is complete")

    def list(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first."""
        return [JobFolder(path).job() for path in self._jobs()[::-1][:limit]]

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job has ended, or for so many seconds; what is known of it then.

        Raises:
            JobError: there is none of this id.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not (job := self.status(job_id)).finished and (until is None or time.monotonic() < until):
            time.sleep(_LOOK_S)
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job and its whole process tree, within about a second; one that has ended stays as it is.

        Raises:
            JobError: there is none of this id, or its process does not go.
        """
        folder = self._of(job_id)
        with self._turn():  # so that it is not started at this moment
            job = folder.job()
            if job.state == "queued":
                folder.end("cancelled", "cancelled before it began")
                folder.marker.unlink(missing_ok=True)
        if job.state == "running":
            with contextlib.suppress(OSError):  # a full disk must not keep it running
                folder.take_back()
            end_process(folder)
            folder.end("cancelled", CANCELLED)
        return folder.job()

    def _of(self, job_id: str) -> JobFolder:
        if not is_id(job_id):
            raise JobError(f"{job_id[:80]!r} is no id of a job: they look like {new_id()}")
        return JobFolder(self._folder / job_id)

    def _jobs(self) -> Sequence[Path]:
        return sorted(path for path in self._folder.iterdir() if is_id(path.name))

    def _waiting(self) -> Sequence[JobFolder]:
        names = sorted(path.name for path in (self._folder / QUEUE).iterdir() if is_id(path.name))
        return [JobFolder(self._folder / name) for name in names]

    def _forget_old(self) -> None:
        """Remove the oldest jobs beyond those that are kept, if they have ended."""
        for path in self._jobs()[:-MOST_KEPT]:
            if JobFolder(path).job().finished:
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Nobody else starts, takes or cancels jobs of this directory meanwhile."""
        with (self._folder / "turn.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _dispatch(self) -> None:
        """Start what waits whenever there is a slot, until the board is closed."""
        while not self._closed.is_set():
            self._wake.clear()
            try:
                left = self._start_some()
            except OSError:  # a full disk, say: what waits is still in the queue, and the next look may do better
                _log.exception("no job could be started; trying again in %g s", _IDLE_S)
                left = False
            self._wake.wait(_WAITING_S if left else _IDLE_S)

    def _start_some(self) -> bool:
        """Start the oldest waiting jobs in free slots; whether some still wait."""
        if not self._waiting():
            return False
        with self._turn():
            for folder in self._waiting():
                if not folder.path.is_dir() or folder.ended() is not None:  # its canceller died before it took it out
                    folder.marker.unlink(missing_ok=True)
                    continue
                slot = free_slot(self._slots, self.at_once)
                if slot is None:
                    return True
                with slot:
                    self._start(folder, slot)
        return False

    def _start(self, folder: JobFolder, slot: IO[str]) -> None:
        process = start_process(folder, slot, self._registry, self.home)
        if process is not None:
            threading.Thread(target=self._reap, args=(process,), name=f"reap {folder.path.name}", daemon=True).start()

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._wake.set()
