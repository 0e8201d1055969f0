"""Conversations: threads that persist, each of one process at a time, over the chat graph."""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict

from ..agents.follow_ups import is_go_on, yes_or_no
from ..memory.home import home, home_folder
from ..memory.records import Records
from .chat import ChatContext, ChatState, chat_graph
from .config import Config
from .locking import one_process
from .services import Event, no_events
from .thread_file import Exchange, ThreadFile
from .turn_replies import approval_reply, cut_off_reply, failed_reply, stopped_reply
from .turn_work import TurnWork
from .turns import Conversation, Message, Reply
from .workshop import Workshop

__all__ = ["ThreadSummary", "list_threads", "open_conversation"]

Approve = Literal["ask", "always", "never"]
MOST_CHARS = 20_000
"""Characters of a message that are kept; a request of half of that is refused already."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPEN = frozenset({"approval", "stopped", "failed"})
_log = logging.getLogger(__name__)


class ThreadError(ValueError):
    """A thread cannot be opened under this name."""


class ThreadSummary(BaseModel):
    """One thread in a list.

    Attributes:
        first: the first words that were said in it.
        at: when something was said last, ISO 8601, UTC.
        state: kind of the last reply; ``open`` where the last message has none yet.
    """

    model_config = ConfigDict(frozen=True)

    thread: str
    first: str
    at: str
    state: str


def list_threads(records: Records) -> list[ThreadSummary]:
    """All threads of the data directory, the newest first."""
    found = []
    for path in sorted((home() / "threads").glob("*/thread.db")):
        with closing(ThreadFile(path.parent)) as file:
            first, last = file.first(), file.last()
        if first is not None and last is not None:
            state = last.reply.kind if last.reply else "open"
            words = " ".join(first.said.split())[:80]
            found.append(ThreadSummary(thread=path.parent.name, first=words, at=last.replied or last.at, state=state))
    return sorted(found, key=lambda one: one.at, reverse=True)


@contextmanager
def open_conversation(
    config: Config,
    records: Records,
    thread: str | None = None,
    *,
    approve: Approve = "ask",
    workshop: Workshop | None = None,
) -> Iterator[Conversation]:
    """A conversation, new or gone on with.

    Args:
        thread: its id: letters, digits, dots, dashes and underscores; one that does not exist is begun under it.
            ``None``: a new one.
        approve: what answers where an approval is asked for.
        workshop: an open model and sandbox that outlive the conversation; without one they are closed with it.

    Raises:
        ThreadError: the id cannot be used.
        CampaignBusy: another process has the thread open.
    """
    name = thread or f"chat-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    if not _ID.fullmatch(name):
        raise ThreadError("the id of a thread has letters, digits, dots, dashes and underscores, 64 at most")
    folder = home_folder("threads", name)
    with ExitStack() as stack:
        stack.enter_context(one_process(folder, name, "thread"))
        file = stack.enter_context(closing(ThreadFile(folder)))
        shop = workshop or stack.enter_context(closing(Workshop()))
        yield _Thread(name, folder, file, TurnWork(name, config, records, file, shop), approve)


class _Thread:
    """One thread, opened."""

    def __init__(self, thread: str, folder: Path, file: ThreadFile, work: TurnWork, approve: Approve) -> None:
        self.thread = thread
        self._folder = folder
        self._file = file
        self._work = work
        self._approve = approve

    def say(
        self, text: str, *, notify: Callable[[Event], None] = no_events, control: RunControl | None = None
    ) -> Reply:
        """Take one message and answer it; see :class:`~netwright.graphs.turns.Conversation`."""
        # Half characters, of a terminal's bytes that are no UTF-8 or of JSON's escapes, cannot be written down.
        text = text[:MOST_CHARS].encode("utf-8", "replace").decode()
        last = self._file.last()
        if last is not None and last.reply is None:
            if last.said == text:  # the same message once more, after its answer was cut off
                return self._answer(last, notify, control)
            self._file.keep_reply(last.k, cut_off_reply())
        opened = self._open()
        if opened is not None:
            decision = yes_or_no(text) if self._asks(opened) else None
            if decision is not None or is_go_on(text):
                return self._answer(self._file.begin(text, opened.work, decision), notify, control)
        return self._answer(self._file.begin(text), notify, control)

    def decide(
        self, approved: bool, *, notify: Callable[[Event], None] = no_events, control: RunControl | None = None
    ) -> Reply:
        """Answer the open approval.

        Raises:
            ThreadError: none is open.
        """
        last = self._file.last()
        if (
            last is not None and last.reply is None and last.decision == approved
        ):  # decided before its answer was cut off
            return self._answer(last, notify, control)
        opened = self._open()
        if opened is None or not self._asks(opened):
            raise ThreadError(f"no approval is open in thread {self.thread}: nothing to decide")
        return self._answer(self._file.begin("yes" if approved else "no", opened.work, approved), notify, control)

    def history(self) -> tuple[Message, ...]:
        """All that was said, oldest first."""
        messages = []
        for one in self._file.exchanges():
            messages.append(Message(role="person", text=one.said, at=one.at))
            if one.reply is not None:
                messages.append(
                    Message(role="netwright", text=one.reply.text, reply=one.reply, at=one.replied or one.at)
                )
        return tuple(messages)

    def _open(self) -> Exchange | None:
        """The exchange whose work can be gone on with: the newest, but for questions that came in between."""
        for one in reversed(self._file.exchanges()):
            if one.reply is not None and one.reply.kind == "question" and one.work == one.k:
                continue
            return one if one.reply is None or one.reply.kind in _OPEN else None
        return None

    def _step_asked(self, exchange: Exchange) -> str | None:
        """The step that the last approval before an exchange asked about, for the same work."""
        for one in reversed(self._file.exchanges()):
            if one.k < exchange.k and one.work == exchange.work and one.reply is not None and one.reply.approval:
                return str(one.reply.approval["step"])
        return None

    def _asks(self, exchange: Exchange) -> bool:
        return exchange.reply is not None and exchange.reply.kind == "approval"

    def _answer(self, exchange: Exchange, notify: Callable[[Event], None], control: RunControl | None) -> Reply:
        """Work until there is a reply, which is on file before anybody sees it."""
        self._work.begin(exchange.k, notify, control or RunControl())
        try:
            reply = self._drive(exchange)
        except Exception as error:  # said to the person, who can go on once its cause is gone
            _log.exception("a turn of thread %s failed", self.thread)
            reply = failed_reply(error)
        return self._file.keep_reply(exchange.k, reply)

    def _drive(self, exchange: Exchange) -> Reply:
        place: RunnableConfig = {"configurable": {"thread_id": str(exchange.work)}}
        with closing(sqlite3.connect(self._folder / "checkpoints.db", check_same_thread=False)) as connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            saver = SqliteSaver(connection)
            graph = chat_graph(saver)
            decision = exchange.decision
            while True:
                state = graph.get_state(place)
                if not state.interrupts or state.interrupts[0].value["step"] != self._step_asked(exchange):
                    decision = None  # it was about a step that is decided already
                entry: Any = None if state.next else ChatState(work=exchange.work)
                if state.interrupts:
                    if decision is None and self._approve == "ask":
                        return approval_reply(self._work, exchange.work, state.interrupts[0].value)
                    agreed = decision if decision is not None else self._approve == "always"
                    entry, decision = Command(resume=agreed), None
                try:
                    graph.invoke(
                        entry, place, context=ChatContext(self._work), durability="sync", control=self._work.control
                    )
                except GraphDrained:
                    return stopped_reply(self._work.control.drain_reason)
                answered = self._file.exchange(exchange.k).reply
                if answered is not None:
                    _prune(connection, exchange.work, whole=answered.kind != "question")
                    return answered


def _prune(connection: sqlite3.Connection, work: int, *, whole: bool) -> None:
    """Drop the checkpoints of a turn that is answered: nobody goes on from there.

    Args:
        whole: those of all turns before it too; a question leaves an approval open that was asked before it.
    """
    with connection:
        for table in ("writes", "checkpoints"):
            connection.execute(f"DELETE FROM {table} WHERE ? OR thread_id = ?", (whole, str(work)))
