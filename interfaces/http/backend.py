"""What the routes work with, opened once per server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.runtime import RunControl

from ...graphs.config import Config
from ...graphs.workshop import Workshop
from ...memory.records import Records
from ...tools.registry import Registry
from ..jobs.board import JobBoard
from ..toolbox.calls import WAITING
from .pool import Pool


@dataclass
class Backend:
    """Everything behind the routes.

    Attributes:
        shared: what the tools of the registry share (:class:`~netwright.tools.registry.Context`).
        stopping: set when the server ends, so that streams end too.
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

    def __post_init__(self) -> None:
        limits = self.config.http
        self.calls = Pool("call", limits.workers, limits.queued)
        # Tools that only wait for something to happen must not keep others from being called.
        self.waits = Pool("wait", WAITING, limits.queued)
        # Looking something up takes milliseconds and must not wait behind tools that take seconds.
        self.reads = Pool("read", 4, 256)
        self.chats = Pool("chat", limits.chats, limits.queued)
        self._shops: queue.SimpleQueue[Workshop] = queue.SimpleQueue()
        self._workshops = [Workshop() for _ in range(limits.chats)]
        for shop in self._workshops:
            self._shops.put(shop)
        self._tells: set[Callable[[], object]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def workshop(self) -> Iterator[Workshop]:
        """A model and a sandbox that stay open between turns, for one turn: one for each thread of ``chats``."""
        shop = self._shops.get()
        try:
            yield shop
        finally:
            self._shops.put(shop)

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
        for _ in self._workshops:  # one that a turn still holds is given back at its safe point
            self._shops.get().close()
