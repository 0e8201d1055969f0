"""The candidate's process: find the handler, call it, say how it went.

From the moment the handler runs a payload, nothing in this process can be trusted; the host treats what
comes out of it as data.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from traceback import StackSummary, format_exception_only, format_list, walk_tb
from types import TracebackType
from typing import Any, NoReturn

from . import jail, self_check

CANDIDATE = "<candidate>"
"""File name under which handlers compile a candidate's source."""
_MESSAGE_CHARS, _TRACEBACK_CHARS, _TRACEBACK_FRAMES = 2000, 4000, 12
_NOTE_CHARS = 200
_EXHAUSTED = (
    "allocate memory",  # torch's CPU allocator and strerror(ENOMEM)
    "not enough memory",
    "out of memory",
    "could not allocate",
    "bad_alloc",
    "bad allocation",
)
Handler = Callable[[dict[str, Any], Mapping[str, Any], Callable[[str], None]], dict[str, Any]]


def note(text: str) -> None:
    """Tell the host how far the handler is; the last note survives a time-out or a crash."""
    line = " ".join(str(text)[:_NOTE_CHARS].split())
    os.write(jail.NOTE_FD, line.encode("utf-8", "replace") + b"\n")


def find(name: str) -> Handler:
    """The handler ``module.function``. Raises ``LookupError`` if the image has none of that name."""
    module_name, function_name = name.split(".")
    try:
        module = self_check if module_name == "self_check" else importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise LookupError(f"the worker image has no handler module {module_name!r}") from error
    handler = getattr(module, function_name, None)
    if not callable(handler):
        raise LookupError(f"handler module {module_name!r} has no function {function_name!r}")
    found: Handler = handler
    return found


def perform(name: str, payload: bytes | bytearray, data: Mapping[str, Any]) -> NoReturn:
    """Run the handler in this process, write the envelope to the result pipe and end the process."""
    me = os.getpid()
    stream = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), stream, stream
    try:
        result = find(name)(json.loads(bytes(payload)), data, note)
        if not isinstance(result, dict):
            raise TypeError(f"the handler returned {type(result).__name__}, not dict")
        envelope: dict[str, Any] = {"kind": "ok", "result": result}
    except BaseException as error:
        # A SystemExit or KeyboardInterrupt here was raised by the candidate and is its failure.
        jail.use_spare_space()
        envelope = {"kind": _kind(error), "failure": describe(error)}
    if os.getpid() != me:
        os._exit(0)  # a copy that the candidate forked came back through the handler
    try:
        stream.flush()
    finally:
        _write(envelope)
        os._exit(0)


def _write(envelope: dict[str, Any]) -> None:
    try:
        text = json.dumps(envelope)
    except (TypeError, ValueError, RecursionError, MemoryError) as error:
        text = json.dumps({"kind": "result", "failure": describe(error)})
    view = memoryview(text.encode())
    while view:
        view = view[os.write(jail.RESULT_FD, view) :]


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, (RuntimeError, OSError)) and any(sign in _text(error) for sign in _EXHAUSTED):
        return "memory"
    return "error"


def _text(error: BaseException) -> str:
    try:
        return str(error).lower()
    except BaseException:  # a candidate's own exception class may do anything in __str__
        return ""


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as data: class, message, the end of its traceback, the line in the candidate."""
    frames = deque(walk_tb(error.__traceback__), maxlen=_TRACEBACK_FRAMES)
    try:
        message = str(error)[:_MESSAGE_CHARS]
        text = "".join(format_list(StackSummary.extract(iter(frames))))[-_TRACEBACK_CHARS // 2 :]
        text += "".join(format_exception_only(error))[: _TRACEBACK_CHARS // 2]
    except BaseException as second:
        message, text = f"(its message could not be read: {type(second).__name__})", ""
    return {
        "error_class": type(error).__name__[:200],
        "message": message,
        "line": _line(error, error.__traceback__),
        "traceback": text,
    }


def _line(error: BaseException, trace: TracebackType | None) -> int | None:
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == CANDIDATE:
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None and isinstance(error, SyntaxError) and error.filename == CANDIDATE:
        line = error.lineno
    return line if isinstance(line, int) else None
