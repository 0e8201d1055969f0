"""Transactions are whole or not at all, and a failed one leaves the connection ready for the next."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from netwright.memory.files import write_whole
from netwright.memory.wal import transaction


def test_a_failed_transaction_is_taken_back() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE kept (n INTEGER UNIQUE)")
        with transaction(connection, nullcontext()) as same:
            same.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError), transaction(connection, nullcontext()):
            connection.executemany("INSERT INTO kept VALUES (?)", [(2,), (1,)])
        with transaction(connection, nullcontext()):
            connection.execute("INSERT INTO kept VALUES (3)")
        assert connection.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(1,), (3,)]


def test_one_that_sqlite_ended_by_itself_keeps_its_error() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE kept (n INTEGER UNIQUE)")
        connection.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError), transaction(connection, nullcontext()):
            connection.execute("INSERT OR ROLLBACK INTO kept VALUES (1)")
        assert not connection.in_transaction


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "one"
    write_whole(file, b"old")
    with pytest.raises(TypeError):
        write_whole(file, "no bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["one"]
