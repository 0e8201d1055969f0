"""Keeping a campaign's folder small: checkpoints that nobody goes on from, adapters that nothing needs any more."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from ..memory.adapters import AdapterStore
from ..memory.records import Records
from .journal import Happening, note
from .service_settings import RetentionSettings

_log = logging.getLogger(__name__)


def open_checkpoints(folder: Path) -> sqlite3.Connection:
    """The campaign's checkpoints, in a file that gives back the room of what is deleted.

    ``synchronous=NORMAL``: a kill takes nothing; for a loss of power there is :func:`distrust_checkpoints`.
    """
    connection = sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)
    connection.execute("PRAGMA busy_timeout=60000")
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")  # a file that has tables already takes the mode only so
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_size_limit=1048576")
    return connection


def distrust_checkpoints(folder: Path) -> None:
    """Forget where the campaign stood, after a loss of power.

    It may have taken the records' newest transactions and left the checkpoint that comes after them. From the beginning
    of its open cycle a campaign finds in the records what is done, and does the rest.
    """
    for path in folder.glob("checkpoints.db*"):
        path.unlink()


def prune_checkpoints(connection: sqlite3.Connection, run: str) -> None:
    """Keep the newest checkpoint only: LangGraph stores one per step and never drops any."""
    newest = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?"
    with connection:
        for table in ("writes", "checkpoints"):
            connection.execute(f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id < ({newest})", (run, run))
    connection.executescript("PRAGMA incremental_vacuum")  # execute() takes one step of it, which frees one page
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def prune_adapters(run: str, records: Records, folder: Path, settings: RetentionSettings) -> None:
    """Delete old adapters, if the settings say so.

    The newest stay, for going on and for taking collapsed cycles back; so do those that a cycle under way is on record
    with, and the one that wrote the campaign's best network.
    """
    if settings.adapters is None:
        return
    gone = AdapterStore(records, run).prune(settings.adapters, _needed(run, records))
    if gone:
        told = f"adapters of cycles {', '.join(map(str, gone))} deleted (retention.adapters={settings.adapters})"
        _log.info("%s", told)
        note(folder, Happening(what="pruned", reason=told))


def _needed(run: str, records: Records) -> set[str]:
    cycles = records.cycles(run)
    admitted = [one for one in records.admissions(run) if one.admitted and one.metric is not None]
    best = max(admitted, key=lambda one: one.metric or 0.0, default=None)
    wrote = {one.adapter for one in cycles if one.ended is None or (best is not None and one.n == best.cycle)}
    return {path for path in wrote if path}
