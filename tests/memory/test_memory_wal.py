"""SQLite files that several processes share are opened by all of them at once without a lock error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from netwright.memory.block_store import BlockStore
from netwright.memory.records import Records
from netwright.tools.dedup.graphs import GraphStore

OPENERS: dict[str, Callable[[Path], object]] = {
    "graphs": GraphStore,
    "blocks": BlockStore,
    "records": lambda path: Records(f"sqlite:///{path}"),
}


@pytest.mark.parametrize(("kind", "rounds"), [("graphs", 25), ("blocks", 10), ("records", 2)])
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
