"""What a sandbox's outcome says about a candidate. All that comes out of a sandbox is hostile data."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass

from ..sandbox.protocol import Limits, Outcome

MAX_MESSAGE_CHARS = 500
MAX_CLASS_CHARS = 80
MAX_LINE = 10_000_000


@dataclass(frozen=True)
class Stop:
    """Why a job ended early: a class like ``Timeout``, and one line for a person."""

    error_class: str
    message: str
    line: int | None = None


def stop_of(outcome: Outcome, limits: Limits) -> Stop | None:
    """The reason why a job has no result; None when it has one.

    Args:
        outcome: as the sandbox gave it.
        limits: those that the job had, for the message.
    """
    if outcome.status == "ok":
        return None
    if outcome.status == "error" and outcome.failure is not None:
        failure = outcome.failure
        return Stop(name(failure.error_class), text(failure.message), line_number(failure.line))
    if outcome.status == "crash":
        return _crash(outcome, limits)
    known = {
        "timeout": ("Timeout", f"more than {limits.wall_s:g} seconds of wall time"),
        "cpu": ("CpuLimit", f"more than {limits.cpu_s:g} seconds of CPU time"),
        "memory": ("MemoryLimit", f"more than {limits.memory_mb} MiB of memory"),
        "output": ("OutputLimit", f"more than {limits.output_kb} KiB of output"),
        "result": ("ResultLimit", f"its result was missing, malformed or larger than {limits.result_kb} KiB"),
        "error": ("HandlerError", "the handler failed and did not say why"),
    }
    return Stop(*known[outcome.status])


def forged(why: str) -> Stop:
    """A result that no honest handler makes."""
    return Stop("ResultLimit", f"its result was malformed: {why}")


def text(value: object, limit: int = MAX_MESSAGE_CHARS) -> str:
    """One printable line of at most ``limit`` characters: no control characters reach a terminal."""
    if not isinstance(value, str):
        return ""
    clean = "".join(ch if ch.isprintable() else " " for ch in value[: 4 * limit])
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def name(value: object) -> str:
    """The name of an error class."""
    return text(value, MAX_CLASS_CHARS) or "UnknownError"


def count(value: object, most: int = 10**15) -> int | None:
    """A whole number in 0…most, else None."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    return None


def number(value: object, least: float = 0.0, most: float = 1e9) -> float | None:
    """A finite number in a range, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value) if least <= value <= most else None
    return None


def line_number(value: object) -> int | None:
    """A line of a source text, counted from 1, else None."""
    return count(value, MAX_LINE) or None


def _crash(outcome: Outcome, limits: Limits) -> Stop:
    """The process is gone: by the limit of processes, by a signal, by ``os._exit``."""
    if outcome.failure is not None and outcome.failure.error_class == "ProcessesExceeded":
        return Stop("ProcessLimit", f"more than {limits.processes} processes or threads")
    code = outcome.exit_code
    if code is None:
        return Stop("Crash", "the process died")
    if code >= 0:
        return Stop("Crash", f"the process ended itself with exit code {code}")
    known = {member.value: member.name for member in signal.Signals}
    return Stop("Crash", f"the process died by {known.get(-code, f'signal {-code}')}")
