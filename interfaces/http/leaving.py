"""Work that stops when the client that asked for it goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

T = TypeVar("T")
_LOOK_S = 0.25


async def while_here(request: Request, work: Awaitable[T], gone: Callable[[], None]) -> T:
    """Wait for work, and call ``gone`` once if the client goes away before it is done.

    The work is waited for all the same: it runs in a thread, which ends by itself when it has been told.
    """

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK_S)
        gone()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
