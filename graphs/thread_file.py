"""A conversation's own file: what was said, what was planned for it, what was shown. Written before it is seen.

One SQLite file per thread. Every write is idempotent by the number of the exchange, so that a turn that was cut off
and is done again leaves the same rows.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..agents.plans import Known, Step
from ..memory.wal import switch_to_wal, transaction
from .turns import Reply, Shown

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchanges (
  k INTEGER PRIMARY KEY, work INTEGER NOT NULL, said TEXT NOT NULL, decision INTEGER, step TEXT,
  at TEXT NOT NULL, reply TEXT, replied TEXT);
CREATE TABLE IF NOT EXISTS shown (
  n INTEGER PRIMARY KEY, run TEXT NOT NULL, candidate TEXT NOT NULL, work INTEGER NOT NULL, shown TEXT NOT NULL,
  known TEXT NOT NULL, UNIQUE (run, candidate));
"""
_BUSY_S = 30.0


@dataclass(frozen=True)
class Exchange:
    """One message and what came of it.

    Attributes:
        k: its number in the thread, from 1.
        work: number of the exchange whose step it works on: its own, or the one that it decides or goes on with.
        decision: yes or no to an approval that was open.
        step: what is done for it, once that is decided.
        reply: ``None`` until it is answered, also after the process was killed in between.
    """

    k: int
    work: int
    said: str
    decision: bool | None
    step: Step | None
    at: str
    reply: Reply | None
    replied: str | None


class ThreadFile:
    """The file of one thread; safe to use from the threads of one process."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            folder / "thread.db", timeout=_BUSY_S, check_same_thread=False, isolation_level=None
        )
        switch_to_wal(self._connection)
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def exchanges(self) -> list[Exchange]:
        """All exchanges, oldest first."""
        return [_exchange(row) for row in self._all(f"SELECT {_COLUMNS} FROM exchanges ORDER BY k")]

    def exchange(self, k: int) -> Exchange:
        """Raises: LookupError: no such exchange."""
        rows = self._all(f"SELECT {_COLUMNS} FROM exchanges WHERE k = ?", k)
        if not rows:
            raise LookupError(f"the thread has no exchange {k}")
        return _exchange(rows[0])

    def last(self) -> Exchange | None:
        """The newest exchange."""
        rows = self._all(f"SELECT {_COLUMNS} FROM exchanges ORDER BY k DESC LIMIT 1")
        return _exchange(rows[0]) if rows else None

    def first(self) -> Exchange | None:
        """The oldest exchange."""
        rows = self._all(f"SELECT {_COLUMNS} FROM exchanges ORDER BY k LIMIT 1")
        return _exchange(rows[0]) if rows else None

    def begin(self, said: str, work: int | None = None, decision: bool | None = None) -> Exchange:
        """Write a message down, with what it decides or goes on with.

        Args:
            work: the exchange that it works on; ``None``: its own.
        """
        with transaction(self._connection, self._lock) as connection:
            k = connection.execute("SELECT coalesce(max(k), 0) + 1 FROM exchanges").fetchone()[0]
            connection.execute(
                "INSERT INTO exchanges (k, work, said, decision, at) VALUES (?, ?, ?, ?, ?)",
                (k, work or k, json.dumps(said), decision, _now()),
            )
        return self.exchange(k)

    def keep_step(self, work: int, step: Step) -> Step:
        """Write down what is done for an exchange; one that stands already stays. The one that stands."""
        with transaction(self._connection, self._lock) as connection:
            connection.execute(
                "UPDATE exchanges SET step = ? WHERE k = ? AND step IS NULL", (step.model_dump_json(), work)
            )
        kept = self.exchange(work).step
        assert kept is not None  # written above
        return kept

    def keep_reply(self, k: int, reply: Reply) -> Reply:
        """Write an answer down; one that stands already stays. The one that stands."""
        with transaction(self._connection, self._lock) as connection:
            connection.execute(
                "UPDATE exchanges SET reply = ?, replied = ? WHERE k = ? AND reply IS NULL",
                (json.dumps(reply.model_dump(mode="json")), _now(), k),
            )
        kept = self.exchange(k).reply
        assert kept is not None  # written above
        return kept

    def show(self, work: int, run: str, made: list[tuple[Shown, Known]]) -> list[Shown]:
        """Give candidates their numbers; one that the run has shown before keeps its own.

        Args:
            made: candidates, whatever their ``n``.
        """
        numbered = []
        with transaction(self._connection, self._lock) as connection:
            for shown, known in made:
                key = (run, shown.candidate_id)
                row = connection.execute("SELECT n FROM shown WHERE run = ? AND candidate = ?", key).fetchone()
                top = connection.execute("SELECT coalesce(max(n), 0) + 1 FROM shown").fetchone()
                n = row[0] if row else top[0]
                one, other = shown.model_copy(update={"n": n}), known.model_copy(update={"n": n})
                values = (json.dumps(one.model_dump(mode="json")), json.dumps(other.model_dump(mode="json")))
                connection.execute(
                    "INSERT INTO shown (n, run, candidate, work, shown, known) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (n) DO UPDATE SET shown = excluded.shown, known = excluded.known",
                    (n, *key, work, *values),
                )
                numbered.append(one)
        return numbered

    def known(self) -> list[Known]:
        """All candidates that were shown, by number."""
        return [Known.model_validate_json(row[0]) for row in self._all("SELECT known FROM shown ORDER BY n")]

    def shown(self, n: int) -> Shown:
        """Raises: LookupError: nothing of that number was shown."""
        rows = self._all("SELECT shown FROM shown WHERE n = ?", n)
        if not rows:
            raise LookupError(f"the thread has shown no network {n}")
        return Shown.model_validate_json(rows[0][0])

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()


_COLUMNS = "k, work, said, decision, step, at, reply, replied"


def _exchange(row: tuple[Any, ...]) -> Exchange:
    k, work, said, decision, step, at, reply, replied = row
    return Exchange(
        k=k,
        work=work,
        said=json.loads(said),
        decision=None if decision is None else bool(decision),
        step=Step.model_validate_json(step) if step else None,
        at=at,
        reply=Reply.model_validate_json(reply) if reply else None,
        replied=replied,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
