"""Where a served model's answers come from: a server at an address, or one that is started when it is first needed."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

from .adapters import AdapterSwap
from .client import Connection
from .environment import ready_environment
from .server import ServerState, find_server, start_server, stop_server, wait_ready
from .settings import ServeSpec


class ServerSource(ABC):
    """A server that may have to be started first."""

    @abstractmethod
    def opened(self) -> tuple[Connection, AdapterSwap]:
        """The connection and the adapters of a server that answers.

        Raises:
            ServingError: there is none, and none can be started.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the server; one that was started for this source alone is stopped."""

    @abstractmethod
    def make_room(self) -> None:
        """Called before the model is tuned: a server that shares the GPU may end here and is started again later."""


class FoundServer(ServerSource):
    """A server that somebody else runs.

    Args:
        base: the server's name of the model without an adapter.
    """

    def __init__(self, connection: Connection, base: str) -> None:
        self._connection = connection
        self._swap = AdapterSwap(connection, base)

    def opened(self) -> tuple[Connection, AdapterSwap]:
        return self._connection, self._swap

    def close(self) -> None:
        self._connection.close()

    def make_room(self) -> None:
        """Nothing: somebody else's server stays."""


class OwnServer(ServerSource):
    """A server that is started by its first use and ends with this process at the latest. Thread-safe.

    A server that was left running for the same model and settings is used instead, and left running. One that
    was started here and has ended since, for want of memory say, is started again at the next use.
    """

    def __init__(self, spec: ServeSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()
        self._state: ServerState | None = None
        self._owned = False
        self._open: tuple[Connection, AdapterSwap] | None = None

    def opened(self) -> tuple[Connection, AdapterSwap]:
        with self._lock:
            if self._state is not None and (self._open is None or not self._state.alive):
                self._let_go()  # it has ended, or its start was interrupted
            if self._open is None:
                self._state = find_server(self.spec)
                self._owned = self._state is None
                if self._state is None:
                    self._state = start_server(self.spec, ready_environment(self.spec.kind), owned=True)
                wait_ready(self._state)
                connection = self._state.connect()
                self._open = connection, AdapterSwap(connection, self.spec.name)
            return self._open

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def make_room(self) -> None:
        if self.spec.settings.stop_to_tune:
            self.close()

    def _let_go(self) -> None:
        if self._open is not None:
            self._open[0].close()
        if self._state is not None and self._owned:
            stop_server(self._state)
        self._state, self._open, self._owned = None, None, False
