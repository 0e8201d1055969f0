"""A pool of warm workers: the part that all backends share."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
import weakref
from abc import ABC, abstractmethod
from typing import Self

from .inside import wire
from .protocol import Failure, Job, Outcome, SandboxUnavailable, WorkerImage
from .vessel import Vessel
from .worker import Worker, WorkerGone, WorkerLost


class WorkerPool(ABC):
    """A :class:`~.protocol.Sandbox` made of equal workers. Subclasses say how one is started."""

    name: str
    isolating: bool

    def __init__(self, image: WorkerImage, workers: int | None = None) -> None:
        """Start all workers and wait until they are ready.

        Args:
            image: what they hold.
            workers: how many; as many as there are usable cores by default.

        Raises:
            SandboxUnavailable: the backend cannot run here, or a worker could not start.
            ValueError: fewer than one worker.
            FileNotFoundError: a folder of the image does not exist.
        """
        self.workers = len(os.sched_getaffinity(0)) if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"a sandbox needs at least one worker, not {self.workers}")
        self._image = image
        self._idle: queue.SimpleQueue[tuple[int, Worker | None]] = queue.SimpleQueue()
        self._alive: dict[int, Worker] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._finalizer = weakref.finalize(self, _close_all, self._alive)
        try:
            for slot in range(self.workers):
                self._spawn(slot)
            for slot, worker in self._alive.items():
                worker.wait_ready()
                self._idle.put((slot, worker))
        except WorkerGone as error:
            self.close()
            raise SandboxUnavailable(self._explain(str(error))) from error
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _vessel(self, slot: int) -> Vessel:
        """Start what the worker of a slot (0 to ``workers`` - 1) runs in."""

    def _is_spent(self, worker: Worker, outcome: Outcome) -> bool:
        """Is a worker to be replaced although it could go on?"""
        return False

    def _explain(self, message: str) -> str:
        """A failed start as advice."""
        return f"the {self.name} sandbox could not start a worker: {message}"

    def run(self, job: Job) -> Outcome:
        """Run a job on the next free worker; blocks until there is one.

        A worker that dies or gets stuck is replaced, and its job's outcome is ``crash``; one that died before it
        took the job is replaced without a word.

        Raises:
            RuntimeError: the sandbox is closed, or was closed while the job ran.
            SandboxUnavailable: a dead worker could not be replaced.
            ValueError: the job names a data set that the image does not have, or its payload is too large.
            TypeError: the payload cannot be written as JSON.
        """
        if job.data is not None and job.data not in self._image.data:
            raise ValueError(f"the worker image has no data set {job.data!r}, only {sorted(self._image.data)}")
        payload = json.dumps(job.payload).encode()
        if len(payload) > wire.MAX_PAYLOAD:
            raise ValueError(f"a payload of {len(payload) >> 20} MiB; at most {wire.MAX_PAYLOAD >> 20} are allowed")
        slot, worker = self._idle.get()
        started = time.monotonic()
        try:
            if self._closed:
                raise RuntimeError(f"the {self.name} sandbox is closed")
            if worker is None or not worker.readiness:
                worker = self._start(slot, worker)
            try:
                outcome = worker.run(job, payload)
            except WorkerLost:
                # Killed while nobody looked, and not by this job, which must not be blamed for it.
                self._discard(slot)
                worker = self._start(slot, None)
                outcome = worker.run(job, payload)
            if self._is_spent(worker, outcome):
                worker = self._renew(slot)
            return outcome
        except WorkerGone as error:
            self._discard(slot)
            worker = None
            if self._closed:
                # The job did nothing wrong: its end must not go on record as its result.
                raise RuntimeError(f"the {self.name} sandbox was closed while the job ran") from error
            failure = Failure(error_class="WorkerGone", message=f"the worker did not survive the job: {error}"[:2000])
            return Outcome(status=error.status, failure=failure, wall_s=time.monotonic() - started)
        except BaseException:
            self._discard(slot)  # an interrupted exchange leaves the channel in the middle of a frame
            worker = None
            raise
        finally:
            self._idle.put((slot, worker))

    def _start(self, slot: int, worker: Worker | None) -> Worker:
        """A worker that is ready: the one that was started ahead, or another."""
        if worker is not None:
            try:
                worker.wait_ready()
                return worker
            except WorkerGone:
                self._discard(slot)  # killed while nobody looked
        try:
            worker = self._spawn(slot)
            worker.wait_ready()
        except WorkerGone as error:
            self._discard(slot)
            raise SandboxUnavailable(self._explain(str(error))) from error
        return worker

    def _renew(self, slot: int) -> Worker | None:
        """Replace a worker. The new one gets ready while nobody waits for it; the next job says if it does not."""
        self._discard(slot)
        try:
            return self._spawn(slot)
        except (WorkerGone, RuntimeError, OSError):
            return None  # the next job tries again, and says why it fails

    def _spawn(self, slot: int) -> Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the {self.name} sandbox is closed")
            self._alive[slot] = Worker(self._vessel(slot))
            return self._alive[slot]

    def _discard(self, slot: int) -> None:
        with self._lock:
            worker = self._alive.pop(slot, None)
        if worker is not None:
            worker.close()

    def processes(self) -> list[int]:
        """Ids of the worker processes, as the host sees them."""
        with self._lock:
            return [pid for worker in self._alive.values() for pid in worker.processes()]

    def given(self, what: str) -> set[str]:
        """``interfaces`` or ``environment`` of the workers, as they found them when they started."""
        with self._lock:
            return {name for worker in self._alive.values() for name in worker.readiness.get(what, ())}

    def close(self) -> None:
        """End all workers. Running jobs have no outcome: ``run`` raises RuntimeError. May be called again."""
        with self._lock:
            self._closed = True
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _close_all(alive: dict[int, Worker]) -> None:
    while alive:
        _, worker = alive.popitem()
        worker.close()
