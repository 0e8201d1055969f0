"""What a candidate's process wrote, turned into an outcome: data to be bounded and checked, never trusted."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from .protocol import Failure, Limits, Outcome, Status

MAX_DEPTH = 32
"""Levels of nesting of a result. Handlers return a few; deep nesting only serves to exhaust the reader."""
_REASONS: dict[str, Status] = {
    "timeout": "timeout",
    "cpu": "cpu",
    "memory": "memory",
    "output": "output",
    "result": "result",
    "processes": "crash",
}
_SIGXCPU = -24


class _Unusable(Exception):
    """The result is not what a handler writes."""


def outcome_from(ending: dict[str, Any], answer: bytes | bytearray, limits: Limits) -> Outcome:
    """The outcome of a job.

    Args:
        ending: what the worker, which is trusted, knows: reason, exit code, times, note, output.
        answer: what came through the result pipe, which the candidate may have written.
        limits: the job's limits, for the messages.
    """
    outcome = Outcome(
        status="crash",
        note=ending["note"],
        stdout=ending["stdout"],
        wall_s=ending["wall_s"],
        cpu_s=ending["cpu_s"],
        exit_code=ending["exit_code"],
    )
    reason, code = ending["reason"], ending["exit_code"]
    if reason is None and code == _SIGXCPU:
        reason = "cpu"
    if reason is not None:
        failure = Failure(error_class=_CLASSES[reason], message=_explain(reason, limits))
        return outcome.model_copy(update={"status": _REASONS[reason], "failure": failure})
    if code != 0 or not answer:
        failure = Failure(error_class="Crash", message=_crash(code))
        return outcome.model_copy(update={"failure": failure})
    try:
        return outcome.model_copy(update=_reading(answer))
    except _Unusable as error:
        failure = Failure(error_class="BadResult", message=str(error))
        return outcome.model_copy(update={"status": "result", "failure": failure})


_CLASSES = {
    "timeout": "WallTimeExceeded",
    "cpu": "CpuTimeExceeded",
    "memory": "MemoryExceeded",
    "output": "OutputExceeded",
    "result": "ResultExceeded",
    "processes": "ProcessesExceeded",
}


def _explain(reason: str, limits: Limits) -> str:
    return {
        "timeout": f"did not end within {limits.wall_s:g} s",
        "cpu": f"used more than {limits.cpu_s:g} s of CPU time",
        "memory": f"used more than {limits.memory_mb} MiB of memory",
        "output": f"printed more than {limits.output_kb} KiB",
        "result": f"the result is larger than {limits.result_kb} KiB",
        "processes": f"started more than {limits.processes} processes",
    }[reason]


def _crash(code: int | None) -> str:
    if code is None:
        return "the process disappeared"
    if code < 0:
        return f"the process was killed by signal {-code}"
    return f"the process ended with exit code {code} and without a result"


def _reading(answer: bytes | bytearray) -> dict[str, Any]:
    try:
        envelope = json.loads(bytes(answer))
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"the result is not JSON: {type(error).__name__}: {str(error)[:200]}") from error
    check_bounds(envelope)
    kind = envelope.get("kind") if isinstance(envelope, dict) else None
    if kind == "ok" and isinstance(envelope.get("result"), dict):
        return {"status": "ok", "result": envelope["result"]}
    if kind in ("error", "memory", "result"):
        try:
            failure = Failure.model_validate(envelope.get("failure"), strict=True)
        except ValidationError as error:
            raise _Unusable("the result holds a malformed failure") from error
        cut = {"message": failure.message[:2000], "traceback": failure.traceback[-4000:]}
        cut["error_class"] = failure.error_class[:200]
        return {"status": kind, "failure": failure.model_copy(update=cut)}
    raise _Unusable("the result is of no known kind")


def check_bounds(value: Any) -> None:
    """Refuse nesting deeper than ``MAX_DEPTH`` and text that is not valid Unicode.

    Whether numbers are finite is left to the caller, who knows where a NaN has a meaning.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following.extend(item.keys())
                following.extend(item.values())
            elif isinstance(item, list):
                following.extend(item)
            elif isinstance(item, str) and not _is_text(item):
                raise _Unusable("the result holds text that is not valid Unicode")
        if not following:
            return
        level = following
    raise _Unusable(f"the result is nested deeper than {MAX_DEPTH} levels")


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
