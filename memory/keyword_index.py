"""Words of blocks in an SQLite FTS5 table: BM25 over fields of different weight, and the words that it knows."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from .wal import switch_to_wal, transaction

_FORMAT: Final = 1  # in the file's ``user_version``; an index is derived, so one of another format is made anew
_BATCH: Final = 500


class Words(NamedTuple):
    """What is indexed of one block: its words by field, and what can be filtered by."""

    id: str
    name: str
    docstring: str
    path: str
    uses: str
    category: str = ""
    package: str = ""
    stage: str = ""


WEIGHTS: Final = {"name": 6.0, "docstring": 3.0, "path": 2.0, "uses": 1.0}
"""Of the fields in BM25: a class is named for what it does; what it calls is only a hint."""


FILTERS: Final = ("category", "package", "stage")

_TABLES: Final = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5({', '.join(WEIGHTS)}, tokenize = 'porter unicode61')",
    "CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab('words', 'row')",
    "CREATE TABLE IF NOT EXISTS marks (id TEXT PRIMARY KEY, place INTEGER NOT NULL, hash TEXT NOT NULL,"
    " category TEXT NOT NULL, package TEXT NOT NULL, stage TEXT NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS marks_by_place ON marks (place)",
    "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


class KeywordIndex:
    """Ids by words. Usable by several threads; the file can always be made again from what it indexes.

    Args:
        path: of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, timeout=60.0, check_same_thread=False, isolation_level=None)
        switch_to_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with transaction(self._connection, self._lock) as connection:
            # Looked at with the file's lock held: another process may be making it at this moment.
            if int(connection.execute("PRAGMA user_version").fetchone()[0]) != _FORMAT:
                for table in ("words", "marks", "notes"):
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM marks").fetchone()[0])

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def put(self, items: Iterable[Words]) -> int:
        """Make the items part of the index; how many were new or had other words."""
        with self._lock:
            known = dict(self._connection.execute("SELECT id, hash FROM marks").fetchall())
        fresh = [item for item in items if known.get(item.id) != _hash(item)]
        for start in range(0, len(fresh), _BATCH):
            with transaction(self._connection, self._lock):
                for item in fresh[start : start + _BATCH]:
                    self._write(item)
        return len(fresh)

    def remove(self, ids: Iterable[str]) -> None:
        """Take items out; unknown ids are passed over."""
        with transaction(self._connection, self._lock) as connection:
            for one in sorted(set(ids)):
                row = connection.execute("DELETE FROM marks WHERE id = ? RETURNING place", (one,)).fetchone()
                if row is not None:
                    connection.execute("DELETE FROM words WHERE rowid = ?", row)

    def clear(self) -> None:
        """Empty the index."""
        with transaction(self._connection, self._lock) as connection:
            for table in ("words", "marks", "notes"):
                connection.execute(f"DELETE FROM {table}")

    def ids(self) -> set[str]:
        """The ids of all items."""
        with self._lock:
            return {row[0] for row in self._connection.execute("SELECT id FROM marks")}

    def note(self, name: str) -> str:
        """A value that was kept by :meth:`set_note`, empty when there is none."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def set_note(self, name: str, value: str) -> None:
        """Keep a value beside the index, until it is cleared."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def vocabulary(self) -> dict[str, int]:
        """Stem -> in how many items it stands, by stem."""
        with self._lock:
            return dict(self._connection.execute("SELECT term, doc FROM vocabulary ORDER BY term").fetchall())

    def knows(self, term: str) -> bool:
        """Whether any item has this word, in any of its forms."""
        with self._lock:
            found = self._connection.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (_quoted(term),))
            return found.fetchone() is not None

    def query(
        self, terms: Mapping[str, float], limit: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[tuple[str, float]]:
        """Ids with a score above 0, best first: BM25 of each term by itself, weighted, added up.

        Args:
            terms: words (they are stemmed here) and their weights.
            limit: how many answers.
            where: ``category``, ``package`` or ``stage`` -> the values that are let through.
        """
        scores: dict[str, float] = {}
        weights = ", ".join(str(weight) for weight in WEIGHTS.values())
        filters, values = "", list[str]()
        for field in FILTERS:
            if where and field in where:
                filters += f" AND {field} IN ({', '.join('?' * len(where[field]))})"
                values += where[field]
        query = (
            f"SELECT id, -bm25(words, {weights}) FROM words JOIN marks ON marks.place = words.rowid "
            f"WHERE words MATCH ?{filters}"
        )
        with self._lock:
            for term, weight in terms.items():
                for one, score in self._connection.execute(query, (_quoted(term), *values)):
                    scores[one] = scores.get(one, 0.0) + weight * max(score, 0.0)
        best = sorted(scores.items(), key=lambda item: (-round(item[1], 6), item[0]))
        return [item for item in best[:limit] if item[1] > 0]

    def _write(self, item: Words) -> None:
        """Within a transaction, for another process may have put the same item in since it was found missing."""
        found = self._connection.execute("SELECT place FROM marks WHERE id = ?", (item.id,)).fetchone()
        place = None if found is None else found[0]
        fields = [item.name, item.docstring, item.path, item.uses]
        cursor = self._connection.execute(
            f"INSERT OR REPLACE INTO words (rowid, {', '.join(WEIGHTS)}) VALUES (?, ?, ?, ?, ?)", (place, *fields)
        )
        row = cursor.lastrowid if place is None else place
        self._connection.execute(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?)",
            (item.id, row, _hash(item), item.category, item.package, item.stage),
        )


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _hash(item: Words) -> str:
    return hashlib.sha256("\n".join(item).encode("utf-8", "surrogatepass")).hexdigest()[:16]
