"""One container with one warm worker in it, as the first and only process of its own."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
from dataclasses import dataclass
from typing import Any

from .daemon import LABEL, container_name, host_label
from .vessel import TAIL, Limiter
from .worker import WorkerGone

_FRAME = struct.Struct(">BxxxL")
_STDOUT = 1
_CHUNK = 1 << 16
_PATIENCE_S = 5.0
_START_MIB = 16_384
"""Memory of a worker while it imports and loads its data; each job then sets its own limit."""
MOST_PROCESSES = 512
"""Processes and threads of a container. A job's own limit is held in its own user namespace, below this."""


@dataclass(frozen=True)
class Order:
    """How to make a container.

    Attributes:
        image: name of the image.
        command: program and arguments of the worker.
        environment: its environment variables.
        user: user and group id.
        host_config: arguments of the SDK's ``create_host_config``.
        greeting: header of the worker's first frame.
        seccomp: filter of its jobs.
    """

    image: str
    command: list[str]
    environment: dict[str, str]
    user: int
    host_config: dict[str, Any]
    greeting: dict[str, Any]
    seccomp: bytes


class Container:
    """A started container whose standard input and output are the channel to its worker (a ``Vessel``)."""

    def __init__(self, client: Any, order: Order) -> None:
        """Create, attach and start.

        Raises:
            WorkerGone: the daemon refused; the message is its own.
        """
        from docker.errors import DockerException

        self.greeting, self.seccomp = order.greeting, order.seccomp
        self.name = container_name()
        self._api = client.api
        self._tail = bytearray()
        self._limits: tuple[str, ...] = ()
        try:
            self._api.create_container(
                order.image,
                order.command,
                name=self.name,
                hostname="sandbox",
                user=f"{order.user}:{order.user}",
                stdin_open=True,
                environment=order.environment,
                labels={LABEL: host_label()},
                working_dir="/scratch",
                entrypoint=[],
                use_config_proxy=False,  # its addresses may hold passwords
                host_config=self._api.create_host_config(
                    **order.host_config,
                    mem_limit=f"{_START_MIB}m",
                    memswap_limit=f"{_START_MIB}m",
                    pids_limit=MOST_PROCESSES,
                    auto_remove=True,
                ),
            )
            # Attached before the start, so that nothing is missed and the end of the host is the end of the input.
            self._attached = self._api.attach_socket(
                self.name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._socket = self._attached._sock
            self._socket.settimeout(None)
            self._api.start(self.name)
        except (DockerException, OSError) as error:  # OSError: the daemon is gone
            self.end()
            raise WorkerGone(str(getattr(error, "explanation", None) or error)) from error
        self.to = self._socket.fileno()
        self.source, inward = os.pipe()
        self.limiter: Limiter | None = self
        self._pump = threading.Thread(target=self._carry, args=(inward,), name=f"{self.name}-output", daemon=True)
        self._pump.start()

    def _carry(self, inward: int) -> None:
        """Take apart what the daemon sends: frames of the worker's output to the pipe, its errors to the tail."""
        try:
            while head := self._exactly(_FRAME.size):
                kind, left = _FRAME.unpack(head)
                while left:
                    data = self._socket.recv(min(left, _CHUNK))
                    if not data:
                        return
                    left -= len(data)
                    self._keep(inward, data, kind)
        except OSError:
            return  # one of the ends was closed
        finally:
            os.close(inward)

    def _keep(self, inward: int, data: bytes, kind: int) -> None:
        if kind != _STDOUT:
            self._tail += data
            del self._tail[:-TAIL]
            return
        view = memoryview(data)
        while view:
            view = view[os.write(inward, view) :]

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def limit(self, memory_mib: float, processes: int) -> None:
        """Set the memory limit for the next job; ``processes`` is held by the job's own namespace.

        Raises:
            OSError: the daemon refuses.
        """
        from docker.errors import APIError

        wanted = (f"{int(memory_mib)}m",)
        if wanted == self._limits:
            return
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._api.update_container(self.name, mem_limit=wanted[0], memswap_limit=wanted[0])
            except APIError as error:
                # The memory of a job that just ended may take a moment to be given back.
                if error.status_code == 404 or time.monotonic() > deadline:
                    raise OSError(str(error.explanation)) from error
                time.sleep(0.1)
            else:
                self._limits = wanted
                return

    def resident_mib(self) -> float:
        """Not known here: a worker that sees its control group says so itself when it is ready."""
        return 0.0

    def kills(self) -> int:
        """Always 0: the worker watches its own control group."""
        return 0

    def printed(self) -> str:
        """The end of what the worker wrote to its standard error."""
        return bytes(self._tail).decode("utf-8", "replace")

    def processes(self) -> list[int]:
        """Ids of its processes, as the daemon's machine sees them."""
        from docker.errors import APIError

        try:
            found = self._api.top(self.name, ps_args="-o pid")
        except (APIError, OSError):
            return []
        return [int(row[0]) for row in found["Processes"]]

    def end(self) -> None:
        """Kill and remove the container, and wait until the daemon knows it no more."""
        from docker.errors import DockerException, NotFound

        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self._api.remove_container(self.name, force=True)
                self._api.inspect_container(self.name)
            except NotFound:
                return
            except (DockerException, OSError):
                pass  # it is being removed already, or the daemon is gone
            time.sleep(0.05)

    def release(self) -> None:
        """Close the channel."""
        if self.source < 0:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(2)
        os.close(self.source)
        self.source = -1
        self._pump.join(_PATIENCE_S)
        self._attached._response.close()
        self._attached.close()
