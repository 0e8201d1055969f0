"""SQLite files that several processes share are opened by all of them at once without a lock error."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from netwright.memory.block_store import BlockStore
from netwright.memory.keyword_index import KeywordIndex, Words
from netwright.memory.records import Records
from netwright.memory.wal import transaction
from netwright.tools.dedup.graphs import GraphStore

OPENERS: dict[str, Callable[[Path], object]] = {
    "graphs": GraphStore,
    "blocks": BlockStore,
    "words": KeywordIndex,
    "records": lambda path: Records(f"sqlite:///{path}"),
}


@pytest.mark.parametrize(("kind", "rounds"), [("graphs", 25), ("blocks", 10), ("words", 10), ("records", 2)])
def test_everybody_opens_a_new_file_at_the_same_moment(tmp_path, kind, rounds):
    errors: list[Exception] = []

    def open_one(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            OPENERS[kind](path).close()
        except Exception as error:
            errors.append(error)

    for number in range(rounds):
        together = threading.Barrier(8)
        path = tmp_path / f"{number}.db"
        threads = [threading.Thread(target=open_one, args=(path, together)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_a_write_that_fails_gives_the_lock_back(tmp_path):
    """A full disk in the middle of a write: the file serves on, for this connection and for others."""
    path = tmp_path / "words.db"
    items = [Words(str(n), f"name{n}", "x" * 2000, "", "") for n in range(50)]
    with KeywordIndex(path) as index, KeywordIndex(path) as other:
        pages = index._connection.execute("PRAGMA page_count").fetchone()[0]
        index._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            index.put(items)
        other._connection.execute("PRAGMA busy_timeout = 100")
        assert other.put(items[:1]) == 1
        index._connection.execute("PRAGMA max_page_count = 100000")
        assert index.put(items) == 49
        assert len(other) == 50


def test_two_that_put_the_same_leave_it_once(tmp_path):
    """Both found it missing; the second to get the lock finds it there."""
    path, item = tmp_path / "words.db", Words("one", "attention", "", "", "")
    with KeywordIndex(path) as index, KeywordIndex(path) as other:

        def meanwhile():
            assert other.put([item]) == 1
            yield item

        index.put(meanwhile())
        assert index._connection.execute("SELECT count(*) FROM words").fetchone() == (1,)


def test_a_block_that_fails_is_taken_back(tmp_path):
    connection = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    connection.execute("CREATE TABLE t (x)")
    lock = threading.Lock()

    def fail() -> None:
        with transaction(connection, lock):
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not connection.in_transaction
    assert not lock.locked()
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()
