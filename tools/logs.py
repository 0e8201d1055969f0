"""Structured logs: one JSON object a line, with what the work was about, and without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

FIELDS: Final = ("campaign", "cycle", "stage", "slot", "candidate", "event", "total")
"""What a line may say of its place, by ``extra=`` of a logging call or by :func:`log_context`."""
LEVELS: Final = ("debug", "info", "warning", "error")
MOST_BYTES: Final = 32 * 2**20
"""Size at which a log file is set aside; three older ones are kept."""
HIDDEN: Final = "[hidden]"

_PACKAGE: Final = __name__.partition(".")[0]
_SECRET_NAME: Final = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|WEBHOOK)", re.IGNORECASE)
_SHORTEST: Final = 8
"""Characters of a secret: a shorter value of such a variable may be any word."""
_SHAPES: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(sk|hf|ghp|gho|xoxb|pat)[-_][A-Za-z0-9_-]{12,}"), HIDDEN),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)([?&](?:token|key|api_key|password|secret)=)[^&\s\"']+"), rf"\1{HIDDEN}"),
)
_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039  (never changed in place)


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Put these of :data:`FIELDS` on every line that is logged in the block, and in what it starts as graph nodes."""
    before = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(before)


def redacted(text: str) -> str:
    """A text without the values of this process's secret environment variables, keys, tokens and passwords."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name) and value in text:
            text = text.replace(value, HIDDEN)
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: ``at`` (UTC), ``level``, ``logger``, ``message``, and what is known of
    :data:`FIELDS`; ``error`` is the traceback.

    Args:
        more: further fields that ``extra=`` of a logging call may give.
    """

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._fields = (*FIELDS, *more)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = {name: getattr(record, name) for name in self._fields if getattr(record, name, None) is not None}
        line |= _context.get() | known
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        clean = {key: redacted(value) if isinstance(value, str) else value for key, value in line.items()}
        return json.dumps(clean, ensure_ascii=False, default=str)


def open_log(target: str, level: str = "info") -> logging.Handler:
    """Log as JSON from now on, until the process ends.

    Args:
        target: a file, which grows, or ``-`` for standard error.
        level: one of :data:`LEVELS`, of this package; of others warnings alone.

    Raises:
        ValueError: no such level.
        OSError: the file cannot be written.
    """
    if level not in LEVELS:
        raise ValueError(f"no log level {level!r}: choose from {', '.join(LEVELS)}")
    handler: logging.Handler
    if target == "-":
        handler = logging.StreamHandler(sys.stderr)
    else:
        Path(target).absolute().parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(target, maxBytes=MOST_BYTES, backupCount=3, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    handler.setLevel(level.upper())
    logging.getLogger().addHandler(handler)
    logging.getLogger(_PACKAGE).setLevel(level.upper())
    return handler


def close_log(handler: logging.Handler) -> None:
    """Undo :func:`open_log`."""
    logging.getLogger().removeHandler(handler)
    logging.getLogger(_PACKAGE).setLevel(logging.NOTSET)
    handler.close()
