"""The host's side of one warm worker: start it, give it jobs, notice when it is dead or stuck, end it."""

from __future__ import annotations

import select
import threading
import time
from typing import Any, Literal

from .inside import wire
from .protocol import Job, Outcome
from .results import outcome_from
from .vessel import Vessel

START_S = 300.0
"""Seconds for a worker to import everything; a cold torch on a slow disk takes a minute."""
_GRACE_S = 15.0
"""Seconds beyond a job's wall-clock limit after which a silent worker counts as stuck."""
_LOOK_S = 0.2
_SLACK_MIB = 96
"""Memory of a control group for the kernel's own structures, file pages in use and the waiting worker."""
_SLACK_PROCESSES = 6
"""bwrap twice, the worker, the job's init, and room for one that is just ending."""


class WorkerGone(Exception):
    """The worker died or does not answer; the message says how it went."""

    def __init__(self, message: str, status: Literal["crash", "memory"] = "crash") -> None:
        super().__init__(message)
        self.status: Literal["crash", "memory"] = status


class WorkerLost(WorkerGone):
    """The worker was gone before it could take the job, which another one may take."""


class Worker:
    """One started worker. The pool hands it to one thread at a time; only ``close`` may come from another."""

    def __init__(self, vessel: Vessel) -> None:
        """Tell a started worker what to load; :meth:`wait_ready` waits until it can take jobs."""
        self._vessel = vessel
        self._exchange = threading.Lock()
        self._closed = False
        self._resident_mib = 0.0
        self.readiness: dict[str, Any] = {}
        self.served = 0
        try:
            self._tell(vessel.greeting, vessel.seccomp)
        except BaseException:
            self.close()
            raise

    def _tell(self, header: dict[str, Any], body: bytes) -> None:
        try:
            wire.send(self._vessel.to, header, body)
        except OSError as error:
            raise WorkerGone(self._obituary("it ended")) from error

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait for the worker's imports. Raises :class:`WorkerGone` with what it printed."""
        try:
            self.readiness, _ = wire.receive(self._vessel.source, 0, time.monotonic() + timeout_s)
        except wire.Closed as error:
            raise WorkerGone(self._obituary("it ended while it started")) from error
        except (wire.Late, wire.Malformed) as error:
            raise WorkerGone(self._obituary(f"it was not ready after {timeout_s:.0f} s {error}")) from error
        if self._vessel.limiter is not None:
            self._resident_mib = self.readiness.get("resident_mib") or self._vessel.limiter.resident_mib()

    def run(self, job: Job, payload: bytes) -> Outcome:
        """Run one job, whose payload is given as JSON.

        Raises:
            WorkerLost: it did not live to take the job.
            WorkerGone: it did not survive the job.
        """
        with self._exchange:
            if self._closed:
                raise WorkerGone("it was closed")
            self.served += 1
            return self._run(job, payload)

    def _run(self, job: Job, payload: bytes) -> Outcome:
        limits, limiter = job.limits, self._vessel.limiter
        killed_before = 0
        if limiter is not None:
            memory = self._resident_mib + limits.memory_mb + limits.scratch_mb + _SLACK_MIB
            try:
                limiter.limit(memory, limits.processes + _SLACK_PROCESSES)
            except OSError as error:
                raise WorkerLost(self._obituary(f"its control group takes no limits ({error})")) from error
            killed_before = limiter.kills()
        bounds = {**limits.model_dump(), "address_space": job.address_space}
        header = {"handler": job.handler, "data": job.data, "limits": bounds}
        idle = select.poll()
        idle.register(self._vessel.source, select.POLLIN)
        if idle.poll(0):  # a worker that waits for a job says nothing: this is the end of the channel
            raise WorkerLost(self._obituary("it ended while it was idle"))
        try:
            self._tell(header, payload)
        except WorkerGone as error:
            raise WorkerLost(str(error)) from error
        deadline = time.monotonic() + limits.wall_s + _GRACE_S
        try:
            self._await_answer(killed_before, deadline)
            ending, answer = wire.receive(self._vessel.source, (limits.result_kb + 64) * 1024, deadline)
        except wire.Closed as error:
            if limiter is not None and limiter.kills() > killed_before:
                raise WorkerGone("its control group ran out of memory", "memory") from error
            raise WorkerGone(self._obituary("it ended during the job")) from error
        except (wire.Late, wire.Malformed) as error:
            raise WorkerGone(self._obituary(f"it did not answer properly {error}")) from error
        if limiter is not None and ending["reason"] is None and limiter.kills() > killed_before:
            ending["reason"] = "memory"
        return outcome_from(ending, answer, limits)

    def _await_answer(self, killed_before: int, deadline: float) -> None:
        """Wait for the answer to begin. The kernel kills single processes; the job then ends as a whole."""
        waiter = select.poll()
        waiter.register(self._vessel.source, select.POLLIN)
        limiter = self._vessel.limiter
        while not waiter.poll(_LOOK_S * 1000) and time.monotonic() < deadline:
            if limiter is not None and limiter.kills() > killed_before:
                self._tell({"stop": "memory"}, b"")
                return

    def _obituary(self, how: str) -> str:
        printed = self._vessel.printed().strip()
        return f"{how.strip()}; it printed: {printed}" if printed else f"{how.strip()}; it printed nothing"

    def processes(self) -> list[int]:
        """Ids of its processes at this moment, as the host sees them."""
        return self._vessel.processes()

    def close(self) -> None:
        """End the worker and wait until it is gone. A running job gets no answer."""
        self._vessel.end()
        with self._exchange:  # a thread that waits for an answer sees the end of the channel first
            self._closed = True
            self._vessel.release()
