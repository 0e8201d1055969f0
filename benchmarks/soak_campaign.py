"""``netwright`` with a clock of what its campaign waits for: the process that the soak benchmark starts.

All arguments are the command line's. At the end of the campaign the file that ``SOAK_CLOCK`` names holds

* ``wall_s``: seconds from the moment when all that the campaign works with is open until its graph has ended;
* ``busy_s``: seconds of these in which at least one job ran in the sandbox, or the model wrote;
* ``worker_s``: seconds that jobs ran, added over all workers (``workers`` of them);
* ``cpu_s``: CPU seconds of this process alone, sandbox workers not counted;
* ``jobs``: number and seconds of jobs by handler, ``model`` of the model's answers.

A job runs from the moment when a worker is given it until its outcome is back: the wait for a free worker is not
counted, what the host does with the outcome is not either.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from netwright.agents import designer, repair
from netwright.graphs import attempt
from netwright.interfaces.cli.main import main
from netwright.sandbox.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")


class BusyClock:
    """Adds up the time in which something runs, once however much of it runs at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self.busy_s = 0.0
        self.jobs: dict[str, tuple[int, float]] = {}

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """One piece of work."""
        begun = time.perf_counter()
        with self._lock:
            if self._running == 0:
                self._since = begun
            self._running += 1
        try:
            yield
        finally:
            ended = time.perf_counter()
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self.busy_s += ended - self._since
                count, seconds = self.jobs.get(name, (0, 0.0))
                self.jobs[name] = (count + 1, seconds + ended - begun)

    def measured(self, function: Callable[P, R], name: Callable[P, str]) -> Callable[P, R]:
        """A function whose calls are counted as work."""

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.running(name(*args, **kwargs)):
                return function(*args, **kwargs)

        return call


def watched(clock: BusyClock, target: Path) -> Callable[..., Any]:
    """The function that drives the campaign's graph, with a clock around it."""
    drive = attempt._drive

    @functools.wraps(drive)
    def call(*args: Any, **kwargs: Any) -> Any:
        begun, cpu = time.perf_counter(), _cpu_s()
        clock.busy_s, clock.jobs = 0.0, {}
        try:
            return drive(*args, **kwargs)
        finally:
            told = {
                "wall_s": time.perf_counter() - begun,
                "busy_s": clock.busy_s,
                "worker_s": sum(seconds for name, (_, seconds) in clock.jobs.items() if name != "model"),
                "workers": len(os.sched_getaffinity(0)),
                "cpu_s": _cpu_s() - cpu,
                "jobs": {name: {"count": n, "seconds": round(s, 3)} for name, (n, s) in sorted(clock.jobs.items())},
            }
            target.write_text(json.dumps(told), encoding="utf-8")

    return call


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def install(clock: BusyClock, target: Path) -> None:
    """Put the clock around the sandbox's workers, the model's answers and the graph."""
    Worker.run = clock.measured(Worker.run, lambda worker, job, payload: job.handler)  # type: ignore[method-assign]
    designer.ask = repair.ask = clock.measured(designer.ask, lambda *_, **__: "model")
    attempt._drive = watched(clock, target)


if __name__ == "__main__":
    install(BusyClock(), Path(os.environ["SOAK_CLOCK"]))
    main()
