"""What is logged of a campaign: its graph's events, and a log file of its own, rotated so that it stays small."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from .service_settings import RetentionSettings
from .services import Event

LOG: Final = "campaign.log"

_log = logging.getLogger(__name__)
_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def logged(run: str, notify: Callable[[Event], None]) -> Callable[[Event], None]:
    """Events of a graph in the log, once each, before whoever shows them is told."""

    def tell(event: Event) -> None:
        level = logging.DEBUG if event.kind == "done" else logging.INFO
        about = f"cycle {event.cycle} closed" if event.kind == "cycle" else f"cycle {event.cycle}: {event.stage}"
        if event.kind == "done":
            about += ", one done"
        elif event.total > 1:
            about += f", {event.total} to do"
        place = {"campaign": run, "event": event.kind, "cycle": event.cycle, "stage": event.stage or None}
        _log.log(level, "%s", about, extra={**place, "total": event.total if event.kind == "begin" else None})
        notify(event)

    return tell


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
