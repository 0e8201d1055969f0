"""The server's log: JSON lines, one per request and one per fault, in a file that stays bounded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ...memory.home import home_folder
from ...tools.logs import JsonFormatter

MOST_BYTES = 8 * 2**20
KEPT = 3
FIELDS = ("request", "method", "path", "status", "ms", "bytes", "client")
"""What a line says of a request."""


@contextmanager
def logging_to_file(path: Path | None = None) -> Iterator[Path]:
    """Write what the server and uvicorn say to ``logs/http.log`` of the data directory while the block runs."""
    file = path or home_folder("logs") / "http.log"
    handler = RotatingFileHandler(file, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
    handler.setFormatter(JsonFormatter(FIELDS))
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
