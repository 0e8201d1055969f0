"""Call tools in a bounded pool of threads, the same way for every server."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import Any, Final

from ...tools.registry import Context, Registry, Report, Result, Tool, ToolError, no_report
from ..pool import Pool, PoolClosed, PoolFull
from .shared import Shared
from .words import explain_error

AT_ONCE: Final = 4
WAITING: Final = 32
"""Threads for tools that only wait for something to happen."""
MOST_WAITING: Final = 1000

_log = logging.getLogger(__name__)


class TooBusy(ToolError):
    """So many calls wait already that another one is refused."""


class CallPool:
    """Runs tools that answer at once; what does not get a thread waits, and beyond a bound is refused.

    Args:
        registry: the tools.
        shared: what they share; the pool closes it.
        at_once: calls that run at the same time.
        most_waiting: calls that may wait, and as many beside them of tools that only wait for something.
    """

    def __init__(
        self,
        registry: Registry,
        shared: Shared,
        *,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.registry = registry
        self.shared = shared
        self._cancelled: set[threading.Event] = set()
        self._lock = threading.Lock()
        self._pool = Pool("call", at_once, most_waiting)
        self._waiters = Pool("wait", WAITING, most_waiting)

    def close(self) -> None:
        """Take back what runs, which ends at its next safe point, and close what tools share."""
        with self._lock:
            for cancelled in self._cancelled:
                cancelled.set()
        for pool in (self._waiters, self._pool):
            pool.close(wait=True)
        self.shared.close()

    def __enter__(self) -> CallPool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def submit(
        self, name: str, arguments: dict[str, Any], cancelled: threading.Event, report: Report = no_report
    ) -> Future[dict[str, Any]]:
        """Call a tool in the pool; the future's result is plain data of its result model.

        Every error of the future is a :class:`ToolError` that can be told to the caller.

        Args:
            cancelled: set it to take the call back.

        Raises:
            ToolError: no such tool, or invalid arguments.
            TooBusy: too many calls wait.
        """
        tool = self.registry[name]
        tool.parse(arguments)
        with self._lock:
            self._cancelled.add(cancelled)

        def left(_: object) -> None:
            with self._lock:
                self._cancelled.discard(cancelled)

        context = Context(self.shared, report, cancelled)
        try:
            future = (self._waiters if tool.waits else self._pool).submit(lambda: self._run(tool, arguments, context))
        except (PoolFull, PoolClosed) as error:
            left(error)
            raise (TooBusy if isinstance(error, PoolFull) else ToolError)(str(error)) from error
        future.add_done_callback(left)
        return future

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool and wait for its result.

        Raises:
            ToolError: it cannot do it, and why.
        """
        return self.submit(name, arguments, threading.Event()).result()

    def _run(self, tool: Tool[Any, Any], arguments: dict[str, Any], context: Context) -> dict[str, Any]:
        context.check()
        return run_tool(tool, arguments, context)


def run_tool(tool: Tool[Any, Any], arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run a tool here and now.

    Raises:
        ToolError: whatever went wrong; of a fault of netwright the traceback is in the log.
    """
    try:
        result: Result = tool.run(arguments, context)
        return result.model_dump(mode="json")
    except ToolError:
        raise
    except Exception as error:
        _log.exception("tool %s", tool.name)
        raise ToolError(explain_error(error)) from error
