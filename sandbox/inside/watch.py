"""What a running job uses, read from /proc by the worker outside of the job's namespaces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Of all processes of a job together: CPU seconds, number of processes."""

    cpu_s: float
    processes: int


def _read(path: str) -> str:
    """A /proc file, or nothing: a process may end between being listed and being read."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``."""
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for thread in threads:
            children = [int(child) for child in _read(f"/proc/{parent}/task/{thread}/children").split()]
            found.extend(children)
            pending.extend(children)
    return found


def neighbours() -> list[int]:
    """All processes that this worker can see, but itself and the init of its namespace."""
    own = (1, os.getpid())
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]


def usage(pids: list[int]) -> Usage:
    """CPU seconds and number of these processes, with what their reaped children used."""
    ticks = count = 0
    for pid in pids:
        text = _read(f"/proc/{pid}/stat")
        if text:
            count += 1
            # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), after the name in parentheses
            ticks += sum(int(field) for field in text.rpartition(")")[2].split()[11:15])
    return Usage(ticks / _TICKS, count)


class MemoryGauge:
    """MiB that a job holds beyond what it shares with the worker it was forked from."""

    def __init__(self) -> None:
        self._me = os.getpid()

    def used_mib(self, pids: list[int], enough_mib: float) -> float:
        """MiB in use; exact only above ``enough_mib``, where the cheap upper bound does not settle it."""
        bound = sum(_resident_kib(pid) for pid in pids) / 1024
        if bound <= enough_mib:
            return bound
        # A page shared by n processes counts 1/n in each one's proportional set. What the worker's own
        # pages lack in its set is what the job's processes were charged for them.
        rss, pss = _anonymous_kib(self._me)
        return (sum(_anonymous_kib(pid)[1] for pid in pids) - (rss - pss)) / 1024


def _fields(text: str) -> dict[str, int]:
    pairs = (line.partition(":") for line in text.splitlines() if line.endswith("kB"))
    return {name: int(value.split()[0]) for name, _, value in pairs}


def _resident_kib(pid: int) -> int:
    fields = _fields(_read(f"/proc/{pid}/status"))
    return fields.get("RssAnon", 0) + fields.get("RssShmem", 0)


def _anonymous_kib(pid: int) -> tuple[int, int]:
    fields = _fields(_read(f"/proc/{pid}/smaps_rollup"))
    return fields.get("Anonymous", 0), fields.get("Pss_Anon", 0) + fields.get("Pss_Shmem", 0)
