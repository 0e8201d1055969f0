"""Untrusted source text: read, parsed, executed as a module, and its failures described as data."""

from __future__ import annotations

import ast
import linecache
import sys
import types
import warnings
from typing import Any

FILENAME = "<candidate>"
MODULE = "candidate"
MAX_SOURCE_BYTES = 256 * 1024
MAX_MESSAGE_CHARS = 500


class Rejected(Exception):
    """A candidate is refused for a reason that has a name of its own."""

    def __init__(self, error_class: str, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.line = line


def parse(source: object, most: int = MAX_SOURCE_BYTES) -> tuple[ast.Module, types.CodeType]:
    """Check and compile a source text.

    Args:
        most: bytes that are read.

    Raises:
        Rejected: not text, empty, too large, with null bytes, not encodable, nested too deeply.
        SyntaxError: as Python reports it, with its line.
    """
    if not isinstance(source, str):
        raise Rejected("NotText", f"the source is {type(source).__name__}, not text")
    if not source.strip():
        raise Rejected("EmptySource", "the source is empty")
    if "\0" in source:
        raise Rejected("NullByte", "the source has a null byte", source[: source.index("\0")].count("\n") + 1)
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Rejected("EncodingError", f"the source is not valid Unicode: {error.reason}") from error
    if size > most:
        raise Rejected("TooLarge", f"the source has {size} bytes, at most {most} are read")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source, FILENAME)
            return tree, compile(source, FILENAME, "exec", dont_inherit=True)
        except (RecursionError, MemoryError) as error:
            raise Rejected("TooDeep", "the source is nested too deeply for Python's parser") from error


def execute(source: str, code: types.CodeType) -> types.ModuleType:
    """Run the module's top level in a fresh namespace. Whatever it raises comes through."""
    module = types.ModuleType(MODULE)
    module.__file__ = FILENAME
    # Registered, because dataclasses and pickling look modules up by name; in linecache, because
    # inspect.getsource (torch.jit, some registries) reads lines from there.
    sys.modules[MODULE] = module
    linecache.cache[FILENAME] = (len(source), None, source.splitlines(keepends=True), FILENAME)
    exec(code, module.__dict__)
    return module


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as ``error_class``, ``message`` and ``line`` of the candidate's source, where known."""
    line = _line(error)
    if isinstance(error, Rejected):
        name = error.error_class
    elif _out_of_memory(error):
        name = "MemoryLimit"
    else:
        name = type(error).__name__
    return {"error_class": str(name)[:80], "message": _message(error), "line": line}


def _message(error: BaseException) -> str:
    try:
        if isinstance(error, SyntaxError):
            text = str(error.msg)
        elif isinstance(error, KeyError) and len(error.args) == 1:
            text = f"missing key {error.args[0]!r}"
        else:
            text = str(error)
        notes = "; ".join(note for note in getattr(error, "__notes__", ()) if isinstance(note, str))
    except BaseException as second:  # a candidate's own exception class may do anything in __str__
        text, notes = f"(its message could not be made: {type(second).__name__})", ""
    unsaid = "an allocation went over the memory limit" if _out_of_memory(error) else "(no message)"
    text = _shortened(text, MAX_MESSAGE_CHARS // (2 if notes else 1)) or unsaid
    return _shortened(f"{text}; {notes}", MAX_MESSAGE_CHARS) if notes else text


def _shortened(text: str, most: int) -> str:
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    # torch reports a failed allocation on the CPU as a RuntimeError.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)[:2000]


def _line(error: BaseException) -> int | None:
    if isinstance(error, Rejected) and error.line is not None:
        return error.line
    if isinstance(error, SyntaxError) and error.filename == FILENAME:
        return error.lineno
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
