"""Which thread goes on, for clients that send the whole conversation each time and no name of it.

A thread is found by a digest of the messages before the last one. Of each turn it is kept which digest it began with,
which it ended with and what was answered, so that a client that asks the same once more (after a lost connection) gets
the same answer, and one that goes back in its history gets a thread of its own.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...graphs.turns import Reply
from ...memory.home import home_folder
from ...memory.wal import switch_to_wal
from .openai_types import ChatMessage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS turns (
  number INTEGER PRIMARY KEY, thread TEXT NOT NULL, before TEXT NOT NULL, asked TEXT NOT NULL, after TEXT NOT NULL,
  reply TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS turns_asked ON turns (asked);
CREATE INDEX IF NOT EXISTS turns_after ON turns (after);
CREATE TABLE IF NOT EXISTS heads (thread TEXT PRIMARY KEY, after TEXT NOT NULL, number INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS heads_after ON heads (after);
"""


@dataclass(frozen=True)
class Place:
    """Where a request stands in a conversation.

    Attributes:
        thread: the thread that goes on; ``None``: a new one.
        replay: what was said before in the history that the client went back to; said again in a new thread.
        reply: the answer, if the very same was asked before.
    """

    thread: str | None = None
    replay: tuple[str, ...] = ()
    reply: Reply | None = None


def digest(messages: Iterable[tuple[str, str]], owner: str = "") -> str:
    """What a conversation so far comes down to: white space and instructions of the client do not count.

    Args:
        messages: roles and texts.
        owner: keeps people apart who say the same.
    """
    said = [(role, " ".join(text.split())) for role, text in messages if role in ("user", "assistant")]
    return hashlib.sha256(json.dumps([owner, said]).encode()).hexdigest()


class ThreadIndex:
    """The turns that came in this way, in ``http/threads.db`` of the data directory; safe to share."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or home_folder("http") / "threads.db"
        with self._open() as connection:
            connection.executescript(_SCHEMA)

    def find(self, messages: list[ChatMessage], owner: str) -> Place:
        """The thread that a request goes on with.

        Args:
            messages: all of them, the turn itself last.
        """
        said = [(one.role, one.words()) for one in messages]
        before, asked = digest(said[:-1], owner), digest(said, owner)
        earlier = [text for role, text in said[:-1] if role == "user"]
        if not earlier:
            return Place()
        with self._open() as connection:
            row = connection.execute(
                "SELECT thread FROM heads WHERE after = ? ORDER BY number DESC LIMIT 1", (before,)
            ).fetchone()
            if row is not None:
                return Place(thread=row[0])
            row = connection.execute(
                "SELECT t.thread, t.reply FROM turns t JOIN heads h ON h.thread = t.thread AND h.after = t.after "
                "WHERE t.asked = ? ORDER BY t.number DESC LIMIT 1",
                (asked,),
            ).fetchone()
            if row is not None:
                reply = Reply.model_validate_json(row[1])
                # What was stopped or broke is not an answer to give twice: the thread goes on with it.
                return Place(thread=row[0], reply=None if reply.kind in ("stopped", "failed") else reply)
            known = connection.execute("SELECT 1 FROM turns WHERE after = ? LIMIT 1", (before,)).fetchone()
        return Place(replay=tuple(earlier) if known else ())

    def keep(self, thread: str, messages: list[ChatMessage], owner: str, reply: Reply, content: str) -> None:
        """Note a turn that was answered, before the client sees the answer.

        Args:
            content: the answer as the client will send it back.
        """
        said = [(one.role, one.words()) for one in messages]
        before, asked = digest(said[:-1], owner), digest(said, owner)
        after = digest([*said, ("assistant", content)], owner)
        with self._open() as connection:
            number = connection.execute(
                "INSERT INTO turns (thread, before, asked, after, reply) VALUES (?, ?, ?, ?, ?)",
                (thread, before, asked, after, json.dumps(reply.model_dump(mode="json"))),
            ).lastrowid
            connection.execute(
                "INSERT INTO heads (thread, after, number) VALUES (?, ?, ?) ON CONFLICT (thread) DO UPDATE SET "
                "after = excluded.after, number = excluded.number",
                (thread, after, number),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use, in one transaction: threads and processes may share the file."""
        with closing(sqlite3.connect(self._path, timeout=30.0)) as connection:
            switch_to_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            with connection:
                yield connection
