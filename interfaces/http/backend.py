"""What the routes work with, opened once per server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.runtime import RunControl

from ...graphs.config import Config
from ...graphs.workshop import Workshops
from ...memory.records import Records
from ...tools.registry import Registry
from ..jobs.board import JobBoard
from ..pool import Pool


@dataclass
class Backend:
    """Everything behind the routes.

    Attributes:
        shared: what the tools of the registry share (:class:`~netwright.tools.registry.Context`).
        stopping: set when the server ends, so that streams end too.
        workshops: what conversations keep open between turns, one for each thread of ``chats``.
    """

    config: Config
    registry: Registry
    shared: Any
    records: Records
    board: JobBoard
    stopping: threading.Event = field(default_factory=threading.Event)
    calls: Pool = field(init=False)
    reads: Pool = field(init=False)
    chats: Pool = field(init=False)
    workshops: Workshops = field(init=False)

    def __post_init__(self) -> None:
        limits = self.config.http
        self.calls = Pool("call", limits.workers, limits.queued)
        # Looking something up takes milliseconds and must not wait behind tools that take seconds.
        self.reads = Pool("read", 4, 256)
        self.chats = Pool("chat", limits.chats, limits.queued)
        self.workshops = Workshops(limits.chats)
        self._turns: set[_Turn] = set()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, control: RunControl) -> Iterator[None]:
        """A turn that ends at its next safe point when the server does."""
        entry = _Turn(control)
        with self._lock:
            self._turns.add(entry)
        if self.stopping.is_set():
            control.request_drain("the server is stopping")
        try:
            yield
        finally:
            with self._lock:
                self._turns.discard(entry)

    def stop(self) -> None:
        """Ask everything that runs to end: streams at once, turns at their next safe point."""
        self.stopping.set()
        with self._lock:
            for entry in self._turns:
                entry.control.request_drain("the server is stopping")

    def close(self) -> None:
        """Close what conversations held open; records, board and tools are closed by whoever opened them."""
        self.stop()
        for pool in (self.calls, self.reads, self.chats):
            pool.close()
        self.workshops.close()


@dataclass(frozen=True, eq=False)
class _Turn:
    control: RunControl
