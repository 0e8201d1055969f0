"""The host's side of one warm worker: start it, give it jobs, notice when it is dead or stuck, end it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from . import cgroups
from .inside import watch, wire
from .protocol import Job, Outcome
from .results import outcome_from

START_S = 300.0
"""Seconds for a worker to import everything; a cold torch on a slow disk takes a minute."""
_GRACE_S = 15.0
"""Seconds beyond a job's wall-clock limit after which a silent worker counts as stuck."""
_END_S = 5.0
_LOOK_S = 0.2
_SLACK_MIB = 96
"""Memory of a control group for the kernel's own structures, file pages in use and the waiting worker."""
_SLACK_PROCESSES = 6
"""bwrap twice, the worker, the job's init, and room for one that is just ending."""
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Plan:
    """How to start a worker.

    Attributes:
        command: program and arguments of the worker.
        environment: all of its environment variables.
        configuration: header of the first frame (see ``inside.main``), without the data.
        seccomp: system call filter for its jobs; empty for none.
        data: data set name -> stem -> ``.npy`` file.
        stage: folder over which root shows ``folders`` in a mount namespace of its own; ``None`` without.
        folders: name -> source of what is bound below ``stage``.
        copied: name -> source of what is copied below ``stage``.
        identity: user and group id to change to; ``None`` to stay as we are.
        group: its control group, where there is one.
    """

    command: list[str]
    environment: dict[str, str]
    configuration: dict[str, Any]
    seccomp: bytes = b""
    data: dict[str, dict[str, Path]] = field(default_factory=dict)
    stage: str | None = None
    folders: dict[str, str] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)
    identity: int | None = None
    group: cgroups.Group | None = None


class WorkerGone(Exception):
    """The worker died or does not answer; the message says how it went."""

    def __init__(self, message: str, status: Literal["crash", "memory"] = "crash") -> None:
        super().__init__(message)
        self.status: Literal["crash", "memory"] = status


class Worker:
    """One started worker. The pool hands it to one thread at a time; only ``close`` may come from another."""

    def __init__(self, plan: Plan) -> None:
        """Start the process; :meth:`wait_ready` waits until it can take jobs.

        Raises:
            OSError: a data file cannot be opened, or the launcher cannot be started.
        """
        self._group = plan.group
        self._exchange = threading.Lock()
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="netwright-worker-")  # noqa: SIM115 (closed by close)
        files: dict[str, dict[str, int]] = {}
        numbers: list[int] = []
        try:
            for name, stems in plan.data.items():
                files[name] = {}
                for stem, path in stems.items():
                    numbers.append(os.open(path, os.O_RDONLY))
                    files[name][stem] = numbers[-1]
            order = {
                "host": os.getpid(),
                "command": plan.command,
                "environment": plan.environment,
                "stage": plan.stage,
                "folders": plan.folders,
                "copied": plan.copied,
                "identity": plan.identity,
                "groups": plan.group.folders if plan.group else [],
            }
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(_LAUNCHER), json.dumps(order)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                pass_fds=numbers,
                start_new_session=True,
                cwd="/",
            )
        except BaseException:
            self._log.close()
            raise
        finally:
            for fd in numbers:
                os.close(fd)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._resident_mib = 0.0
        self.readiness: dict[str, Any] = {}
        self._tell({**plan.configuration, "data": files}, plan.seccomp)

    def _tell(self, header: dict[str, Any], body: bytes) -> None:
        try:
            wire.send(self._to, header, body)
        except BrokenPipeError as error:
            raise WorkerGone(self._obituary("it ended")) from error

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait for the worker's imports. Raises :class:`WorkerGone` with what it printed."""
        try:
            self.readiness, _ = wire.receive(self._from, 0, time.monotonic() + timeout_s)
        except wire.Closed as error:
            raise WorkerGone(self._obituary("it ended while it started")) from error
        except (wire.Late, wire.Malformed) as error:
            raise WorkerGone(self._obituary(f"it was not ready after {timeout_s:.0f} s {error}")) from error
        if self._group is not None:
            self._resident_mib = self._group.resident_mib()

    def run(self, job: Job, payload: bytes) -> Outcome:
        """Run one job, whose payload is given as JSON. Raises :class:`WorkerGone` if the worker did not survive it."""
        with self._exchange:
            if self._log.closed:
                raise WorkerGone("it was closed")
            return self._run(job, payload)

    def _run(self, job: Job, payload: bytes) -> Outcome:
        limits = job.limits
        killed_before = 0
        if self._group is not None:
            memory = self._resident_mib + limits.memory_mb + limits.scratch_mb + _SLACK_MIB
            try:
                self._group.limit(memory, limits.processes + _SLACK_PROCESSES)
            except OSError as error:
                raise WorkerGone(self._obituary(f"its control group takes no limits ({error})")) from error
            killed_before = self._group.kills()
        header = {"handler": job.handler, "data": job.data, "limits": limits.model_dump()}
        self._tell(header, payload)
        deadline = time.monotonic() + limits.wall_s + _GRACE_S
        try:
            self._await_answer(killed_before, deadline)
            ending, answer = wire.receive(self._from, (limits.result_kb + 64) * 1024, deadline)
        except wire.Closed as error:
            if self._group is not None and self._group.kills() > killed_before:
                raise WorkerGone("its control group ran out of memory", "memory") from error
            raise WorkerGone(self._obituary("it ended during the job")) from error
        except (wire.Late, wire.Malformed) as error:
            raise WorkerGone(self._obituary(f"it did not answer properly {error}")) from error
        if self._group is not None and ending["reason"] is None and self._group.kills() > killed_before:
            ending["reason"] = "memory"
        return outcome_from(ending, answer, limits)

    def _await_answer(self, killed_before: int, deadline: float) -> None:
        """Wait for the answer to begin. The kernel kills single processes; the job then ends as a whole."""
        waiter = select.poll()
        waiter.register(self._from, select.POLLIN)
        group = self._group
        while not waiter.poll(_LOOK_S * 1000) and time.monotonic() < deadline:
            if group is not None and group.kills() > killed_before:
                self._tell({"stop": "memory"}, b"")
                return

    def _obituary(self, how: str) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 3000))
        printed = self._log.read().decode("utf-8", "replace").strip()
        return f"{how.strip()}; it printed: {printed}" if printed else f"{how.strip()}; it printed nothing"

    def processes(self) -> list[int]:
        """Ids of its processes at this moment, without the launcher."""
        return watch.descendants(self._process.pid)

    def close(self) -> None:
        """End the worker and wait until it and its control group are gone. A running job gets no answer."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._group is not None:
            self._group.remove()  # usually the launcher has done so, but not if it was killed
        with self._exchange:  # a thread that waits for an answer sees the end of the channel first
            for stream in (self._process.stdin, self._process.stdout, self._log):
                if stream is not None and not stream.closed:
                    stream.close()
