"""Sketches of many texts: computed over all cores, kept on disk by content, so that no text is read twice.

The file is SQLite in WAL mode. It is written in batches; a run that is killed keeps the batches before.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...memory.signatures import FORMAT, PERMUTATIONS, sketch
from ...memory.wal import switch_to_wal
from .items import Item

_CHUNK: Final = 100
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS sketches (content BLOB PRIMARY KEY, sketch BLOB NOT NULL) WITHOUT ROWID"
_EXACT: Final = 32

_Row = tuple[bytes, bytes]
"""SHA-256 of the text; its exact id, 32 bytes, and its signature, 1,024."""


class Sketches(NamedTuple):
    """Sketches in the order of the items.

    Attributes:
        exact: exact ids, (n, 32) of uint8.
        values: signatures, (n, 256) of uint32.
        computed: how many were not on disk.
    """

    exact: npt.NDArray[np.uint8]
    values: npt.NDArray[np.uint32]
    computed: int


@contextmanager
def cores(workers: int | None) -> Iterator[Executor | None]:
    """Processes that handle text; ``None`` for one worker, who is this process.

    Args:
        workers: ``None``: one for each core.
    """
    count = workers or len(os.sched_getaffinity(0))
    if count <= 1:
        yield None
        return
    # Forked, so that they need not import numpy again; they are started before this process has other threads.
    with ProcessPoolExecutor(count, mp_context=get_context("fork")) as pool:
        yield pool


def sketch_all(
    items: Sequence[Item], path: Path | None, pool: Executor | None, done: Callable[[int], None] = lambda count: None
) -> Sketches:
    """Sketch every item.

    Args:
        path: of the file that keeps the sketches; ``None`` keeps none.
        done: told how many more are finished.

    Raises:
        OSError: a file cannot be read.
    """
    known = _opened(path)
    chunks = [(items[at : at + _CHUNK], path, known > 0) for at in range(0, len(items), _CHUNK)]
    exact = np.empty((len(items), _EXACT), dtype=np.uint8)
    values = np.empty((len(items), PERMUTATIONS), dtype=np.uint32)
    at = computed = 0
    with _writer(path) as write:
        for rows, fresh in (pool.map if pool else map)(_sketch_chunk, chunks):
            for _, row in rows:
                exact[at] = np.frombuffer(row, dtype=np.uint8, count=_EXACT)
                values[at] = np.frombuffer(row, dtype=np.uint32, offset=_EXACT)
                at += 1
            write([rows[place] for place in fresh])
            computed += len(fresh)
            done(len(rows))
    return Sketches(exact, values, computed)


def _sketch_chunk(chunk: tuple[Sequence[Item], Path | None, bool]) -> tuple[list[_Row], list[int]]:
    """The rows of some items, and the places of those that are new."""
    items, path, ask = chunk
    texts = [item.source() for item in items]
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    known = _find(path, keys) if ask and path is not None else {}
    rows: list[_Row] = []
    fresh: list[int] = []
    for place, (key, text) in enumerate(zip(keys, texts, strict=True)):
        row = known.get(key)
        if row is None:
            made = sketch(text)
            row = bytes.fromhex(made.exact) + made.values.tobytes()
            fresh.append(place)
        rows.append((key, row))
    return rows, fresh


def _opened(path: Path | None) -> int:
    """How many sketches a file holds; a file of another format is begun anew."""
    if path is None:
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60)
    try:
        switch_to_wal(connection)
        connection.execute("CREATE TABLE IF NOT EXISTS about (format TEXT NOT NULL)")
        connection.execute(_SCHEMA)
        if connection.execute("SELECT format FROM about").fetchall() != [(FORMAT,)]:
            connection.execute("DELETE FROM sketches")
            connection.execute("DELETE FROM about")
            connection.execute("INSERT INTO about VALUES (?)", (FORMAT,))
        connection.commit()
        return int(connection.execute("SELECT count(*) FROM sketches").fetchone()[0])
    finally:
        connection.close()


def _find(path: Path, keys: list[bytes]) -> dict[bytes, bytes]:
    connection = sqlite3.connect(path, timeout=60)
    try:
        marks = ",".join("?" * len(keys))
        found = connection.execute(f"SELECT content, sketch FROM sketches WHERE content IN ({marks})", keys).fetchall()
    finally:
        connection.close()
    size = _EXACT + 4 * PERMUTATIONS
    return {key: row for key, row in found if len(row) == size}


@contextmanager
def _writer(path: Path | None) -> Iterator[Callable[[list[_Row]], None]]:
    if path is None:
        yield lambda rows: None
        return
    connection = sqlite3.connect(path, timeout=60)

    def write(rows: list[_Row]) -> None:
        with connection:
            connection.executemany("INSERT OR REPLACE INTO sketches VALUES (?, ?)", rows)

    try:
        connection.execute("PRAGMA synchronous=NORMAL")
        yield write
    finally:
        connection.close()
