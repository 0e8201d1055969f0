"""Threads for blocking work, bounded in number and in what may wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class PoolFull(RuntimeError):
    """So many calls are open already that another one is refused."""


class PoolClosed(RuntimeError):
    """The pool takes nothing more."""


class Pool:
    """A bounded pool.

    Args:
        workers: calls that run at once.
        queued: calls that may wait beside them; one more is refused at once.
    """

    def __init__(self, name: str, workers: int, queued: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._most, self._taken, self._lock = workers + queued, 0, threading.Lock()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call a function in a thread; a future that is cancelled while it waits is never called.

        Raises:
            PoolFull: too many are open.
            PoolClosed: :meth:`close` was called.
        """
        with self._lock:
            if self._taken >= self._most:
                raise PoolFull(f"{self._taken} calls are open already, more are not taken: try again in a second")
            self._taken += 1
        try:
            future = self._executor.submit(function)
        except RuntimeError as error:
            self._release()
            raise PoolClosed("netwright is closing: ask again when it runs") from error
        # Not when the caller stops waiting: a thread cannot be taken back, so its place stays taken to its end.
        future.add_done_callback(self._release)
        return future

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread and wait for it without holding the event loop; see :meth:`submit`.

        A call that still waits when the caller goes away is never made.
        """
        return await asyncio.wrap_future(self.submit(function))

    def close(self, *, wait: bool = False) -> None:
        """Start nothing more.

        Args:
            wait: until what runs has ended.
        """
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def _release(self, _: Future[Any] | None = None) -> None:
        with self._lock:
            self._taken -= 1
