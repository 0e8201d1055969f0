"""A content-addressed index of source files in SQLite: what was found in a file is kept under the hash of its bytes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from .home import home_folder
from .wal import switch_to_wal, transaction

_SCHEMA: Final = 1
_BUSY_S: Final = 60.0
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (
    hash TEXT NOT NULL,
    format INTEGER NOT NULL,
    outline BLOB NOT NULL,
    uses BLOB NOT NULL,
    PRIMARY KEY (hash, format)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    path TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (source, version, path)
) WITHOUT ROWID;
"""


def content_hash(data: bytes) -> str:
    """SHA-1 of a file's bytes in hexadecimal (*LEMUR 2*, supplement 9.3.1)."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class FileIndex:
    """Facts by content hash, and which files a source had when it was last read.

    Args:
        path: the file; ``<home>/blocks/files.db`` when not given. Its folder is made.
        format: version of the facts' format; facts of another are not seen.

    Raises:
        ValueError: the file was written by another version of netwright.
    """

    def __init__(self, path: Path | None = None, *, format: int = 1) -> None:
        self.path = home_folder("blocks") / "files.db" if path is None else path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._format = format
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._connection = self._connect()
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, _SCHEMA):
            self._connection.close()
            raise ValueError(f"{self.path} is an index in format {version}, not {_SCHEMA}: remove it, it is made anew")
        self._connection.executescript(f"{_TABLES} PRAGMA user_version = {_SCHEMA};")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
        switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def outline(self, digest: str) -> str | None:
        """The outline of the file with this hash, ``None`` when it was not read yet."""
        return self._text("outline", digest)

    def uses(self, digest: str) -> str | None:
        """What its statements use, the larger half of its facts."""
        return self._text("uses", digest)

    def put(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Keep ``(hash, outline, uses)`` of files, in one transaction; what is there already stays."""
        packed = [
            (digest, self._format, zlib.compress(outline.encode(), 1), zlib.compress(uses.encode(), 1))
            for digest, outline, uses in rows
        ]
        with transaction(self._connection, self._lock) as connection:
            connection.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?)", packed)

    def record(self, source: str, version: str, files: Iterable[tuple[str, str]]) -> None:
        """Note which files, as ``(path, hash)``, a source has now; replaces what was noted of it."""
        rows = [(source, version, path, digest) for path, digest in files]
        with transaction(self._connection, self._lock) as connection:
            connection.execute("DELETE FROM files WHERE source = ? AND version = ?", (source, version))
            connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)

    def files(self, source: str, version: str) -> list[tuple[str, str]]:
        """``(path, hash)`` of a source's files, by path."""
        query = "SELECT path, hash FROM files WHERE source = ? AND version = ? ORDER BY path"
        with self._lock:
            return list(self._connection.execute(query, (source, version)))

    def _text(self, column: str, digest: str) -> str | None:
        query = f"SELECT {column} FROM facts WHERE hash = ? AND format = ?"
        with self._lock:
            if self._process != os.getpid():
                # In a forked worker: SQLite's connections must not be shared with the parent.
                self._process, self._connection = os.getpid(), self._connect()
            row = self._connection.execute(query, (digest, self._format)).fetchone()
        return None if row is None else zlib.decompress(row[0]).decode()
