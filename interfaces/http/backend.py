"""What the routes work with, opened once per server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.runtime import RunControl

from ...graphs.config import Config
from ...graphs.workshop import Workshops
from ...memory.records import Records
from ...tools.registry import Registry
from ..jobs.board import JobBoard
from ..pool import Pool
from ..toolbox.calls import WAITING


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
    waits: Pool = field(init=False)
    reads: Pool = field(init=False)
    chats: Pool = field(init=False)
    workshops: Workshops = field(init=False)

    def __post_init__(self) -> None:
        limits = self.config.http
        self.calls = Pool("call", limits.workers, limits.queued)
        # Tools that only wait for something to happen must not keep others from being called.
        self.waits = Pool("wait", WAITING, limits.queued)
        # Looking something up takes milliseconds and must not wait behind tools that take seconds.
        self.reads = Pool("read", 4, 256)
        self.chats = Pool("chat", limits.chats, limits.queued)
        self.workshops = Workshops(limits.chats)
        self._tells: set[Callable[[], object]] = set()
        self._lock = threading.Lock()

    def turn(self, control: RunControl) -> AbstractContextManager[None]:
        """A turn that ends at its next safe point when the server does."""
        return self.told_to_stop(lambda: control.request_drain("the server is stopping"))

    @contextmanager
    def told_to_stop(self, tell: Callable[[], object]) -> Iterator[None]:
        """Work that is told, by this function, when the server ends."""
        with self._lock:
            self._tells.add(tell)
        if self.stopping.is_set():
            tell()
        try:
            yield
        finally:
            with self._lock:
                self._tells.discard(tell)

    def stop(self) -> None:
        """Ask everything that runs to end: streams at once, turns and calls at their next safe point."""
        self.stopping.set()
        with self._lock:
            for tell in self._tells:
                tell()

    def close(self) -> None:
        """Close what conversations held open; records, board and tools are closed by whoever opened them."""
        self.stop()
        for pool in (self.calls, self.waits, self.reads, self.chats):
            pool.close()
        self.workshops.close()
