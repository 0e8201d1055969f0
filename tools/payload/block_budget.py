"""How much CPU time and memory the tries to build and run one block may take.

A try that takes too long ends with an exception, so that the others are still made and what was found before is kept.
The sandbox's own limits stand behind this one: a block that escapes it here loses its result and nothing more.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MIB = 1 << 20


class OutOfTime(Exception):
    """A try took more CPU time than it may."""


class Budget:
    """CPU seconds for all tries on one block.

    Args:
        total_s: for all; none begins after that.
        try_s: for one.
    """

    def __init__(self, total_s: float, try_s: float) -> None:
        self._end = time.process_time() + total_s
        self._try_s = try_s
        signal.signal(signal.SIGPROF, _stop)

    @property
    def spent(self) -> bool:
        """Whether there is no time for another try."""
        return time.process_time() >= self._end

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One try. Raises :class:`OutOfTime` within when it takes too long."""
        left = max(0.05, min(self._try_s, self._end - time.process_time()))
        signal.setitimer(signal.ITIMER_PROF, left, 0.2)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def keep_free(megabytes: int) -> None:
    """Let allocations fail with an exception this much before the address space ends.

    Otherwise the sandbox would end the whole process for the memory of one try.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_AS, (max(soft - megabytes * _MIB, soft // 2), hard))


def _stop(number: int, frame: Any) -> None:
    raise OutOfTime("the try took too much CPU time")
