"""Threads for blocking work, bounded in number and in what may wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .errors import HttpError

T = TypeVar("T")


class Pool:
    """A bounded pool.

    Args:
        workers: calls that run at once.
        queued: calls that may wait beside them; one more is refused at once.
    """

    def __init__(self, name: str, workers: int, queued: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._most, self._taken, self._lock = workers + queued, 0, threading.Lock()

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread; a call that still waits when the caller goes away is never made.

        Raises:
            HttpError: 429, the queue is full.
        """
        return await self.start(function)

    def start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Like :meth:`run`, but it is refused or taken before this returns, and waited for later.

        Raises:
            HttpError: 429, the queue is full.
        """
        with self._lock:
            if self._taken >= self._most:
                raise HttpError(429, "busy", "too many calls are waiting; try again", retry_s=1)
            self._taken += 1
        try:
            future = self._executor.submit(function)
        except BaseException:
            self._release()
            raise
        # Not when the caller stops waiting: a thread cannot be taken back, so its place stays taken to its end.
        future.add_done_callback(self._release)
        return asyncio.wrap_future(future)

    def close(self) -> None:
        """Start nothing more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _release(self, _: Future[Any] | None = None) -> None:
        with self._lock:
            self._taken -= 1
