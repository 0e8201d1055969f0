"""A campaign's own log, in its folder, rotated so that a long one does not fill the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from .config import RetentionSettings

LOG: Final = "campaign.log"
_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def campaign_log(folder: Path, settings: RetentionSettings) -> Iterator[None]:
    """Write what this package logs to ``campaign.log`` while the block lasts."""
    logger = logging.getLogger(__name__.partition(".")[0])
    handler = RotatingFileHandler(
        folder / LOG, maxBytes=int(settings.log_mb * 2**20), backupCount=settings.logs, encoding="utf-8", delay=True
    )
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter(_FORM))
    before = logger.level
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before)
