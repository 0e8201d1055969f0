"""What a warm worker runs in, seen from the host: a channel, what it printed, its limits and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from . import cgroups
from .inside import watch

_END_S = 5.0
_LAUNCHER = Path(__file__).with_name("launcher.py")
TAIL = 3000
"""Bytes of what a worker printed that are kept for the message about its end."""


class Limiter(Protocol):
    """Sets the limits that the host, and not the worker, holds."""

    def limit(self, memory_mib: float, processes: int) -> None:
        """For the next job. Raises ``OSError`` if they cannot be set."""

    def resident_mib(self) -> float:
        """MiB that the waiting worker holds."""

    def kills(self) -> int:
        """How often the kernel killed one of its processes for want of memory; 0 where the worker looks itself."""


class Vessel(Protocol):
    """One started worker's surroundings.

    Attributes:
        greeting: header of the first frame to the worker (see ``inside.main``).
        seccomp: body of the first frame: the system call filter of its jobs; empty for none.
        to: descriptor to write frames to.
        source: descriptor to read frames from.
        limiter: where limits can be set from outside.
    """

    greeting: dict[str, Any]
    seccomp: bytes
    to: int
    source: int
    limiter: Limiter | None

    def printed(self) -> str:
        """The end of what it wrote to its standard error."""

    def processes(self) -> list[int]:
        """Ids of its processes at this moment, as the host sees them."""

    def end(self) -> None:
        """End all of it and wait until it is gone; the channel then is at its end. May be called again."""

    def release(self) -> None:
        """Close the channel, after ``end`` and when nobody reads from it. May be called again."""


@dataclass(frozen=True)
class Plan:
    """How to start a worker by the launcher.

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


class Launched:
    """A worker that is a child process below the launcher (see ``launcher``)."""

    def __init__(self, plan: Plan) -> None:
        """Start it.

        Raises:
            OSError: a data file cannot be opened, or the launcher cannot be started.
        """
        self.limiter: Limiter | None = plan.group
        self.seccomp = plan.seccomp
        self._group = plan.group
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="netwright-worker-")  # noqa: SIM115 (closed by release)
        files: dict[str, dict[str, int]] = {}
        numbers: list[int] = []
        try:
            for name, stems in plan.data.items():
                files[name] = {}
                for stem, path in stems.items():
                    numbers.append(os.open(path, os.O_RDONLY))
                    files[name][stem] = numbers[-1]
            self._process = _launch(plan, self._log, numbers)
        except BaseException:
            self._log.close()
            raise
        finally:
            for fd in numbers:
                os.close(fd)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.to, self.source = self._process.stdin.fileno(), self._process.stdout.fileno()
        self.greeting = {**plan.configuration, "data": files}

    def printed(self) -> str:
        """The end of what it wrote to its standard error."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - TAIL))
        return self._log.read().decode("utf-8", "replace")

    def processes(self) -> list[int]:
        """Ids of its processes, without the launcher."""
        return watch.descendants(self._process.pid)

    def end(self) -> None:
        """End the launcher, which takes the worker and the control group along."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._group is not None:
            self._group.remove()  # usually the launcher has done so, but not if it was killed

    def release(self) -> None:
        """Close the channel and the log."""
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None and not stream.closed:
                stream.close()


def _launch(plan: Plan, log: IO[bytes], files: list[int]) -> subprocess.Popen[bytes]:
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
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(_LAUNCHER), json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=files,
        start_new_session=True,
        cwd="/",
    )
