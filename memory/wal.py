"""SQLite files that several processes write: the write-ahead log, and transactions that never stay open."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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


@contextmanager
def transaction(connection: sqlite3.Connection, lock: AbstractContextManager[object]) -> Iterator[sqlite3.Connection]:
    """Write all of a block or nothing, while no other thread uses the connection.

    Whatever goes wrong, a full disk at the commit too, the file's lock is given back and the connection serves on.

    Args:
        connection: in autocommit mode (``isolation_level=None``).
    """
    with lock:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite has taken some back by itself
                connection.execute("ROLLBACK")
            raise
