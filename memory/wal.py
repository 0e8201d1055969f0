"""SQLite's write-ahead log, switched on where several processes may open a new file at the same moment."""

from __future__ import annotations

import sqlite3
import time
from typing import Final, Protocol

PATIENCE_S: Final = 60.0


class _Executes(Protocol):
    def execute(self, sql: str, /) -> object: ...


def switch_to_wal(connection: _Executes, patience_s: float = PATIENCE_S) -> None:
    """Set the journal mode, which the file then keeps. SQLite does not wait here as it does for a lock.

    Raises:
        sqlite3.OperationalError: the file stays locked.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
