"""The server's log: JSON lines, one per request and one per fault, in a file that stays bounded."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ...memory.home import home_folder

MOST_BYTES = 8 * 2**20
KEPT = 3
_FIELDS = ("request", "method", "path", "status", "ms", "bytes", "client")


class JsonLines(logging.Formatter):
    """One JSON object per entry."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as a line; a traceback is one of its fields."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=True, default=str)


@contextmanager
def logging_to_file(path: Path | None = None) -> Iterator[Path]:
    """Write what the server and uvicorn say to ``logs/http.log`` of the data directory while the block runs."""
    file = path or home_folder("logs") / "http.log"
    handler = RotatingFileHandler(file, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
    handler.setFormatter(JsonLines())
    loggers = [logging.getLogger("netwright"), logging.getLogger("uvicorn")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield file
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()
