"""Turns of conversations, each in a thread of execution of its own: the page looks at how they stand.

A browser may reload, or go, while a turn runs: the turn goes on, and its reply is in the thread's file.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from langgraph.runtime import RunControl

from ...graphs.config import Config
from ...graphs.services import Event
from ...graphs.talking import list_threads, open_conversation
from ...graphs.thread_file import ThreadFile
from ...graphs.turns import Conversation, Message, Reply
from ...graphs.workshop import Workshops
from ...memory.home import home
from ...memory.records import Records

AT_ONCE: Final = 2
"""Turns that run side by side; each holds a model and a sandbox."""
WAITING: Final = 16
"""Turns that wait beyond those."""

_log = logging.getLogger(__name__)


class BoardFull(RuntimeError):
    """No further turn is taken, or this thread has one already."""


@dataclass
class Step:
    """A stage of a turn: ``done`` of ``total``."""

    name: str
    total: int
    done: int = 0


@dataclass
class Turn:
    """A turn that was asked for.

    Attributes:
        said: what the person said, in words.
        error: why it could not even begin.
    """

    thread: str
    said: str
    begun: bool = False
    ended: bool = False
    error: str | None = None
    steps: list[Step] = field(default_factory=list)
    control: RunControl = field(default_factory=RunControl)

    def notify(self, event: Event) -> None:
        """Take down a sign of progress; called by the turn."""
        if event.kind == "begin":
            self.steps.append(Step(event.stage, event.total))
        elif event.kind == "done":
            open_step = next((one for one in reversed(self.steps) if one.name == event.stage), None)
            if open_step is not None:
                open_step.done += 1

    def stands(self) -> str:
        """How it stands, in one line."""
        if not self.begun:
            return "waiting for another turn to end"
        if self.control.drain_requested:
            return "stopping at the next safe point"
        if not self.steps:
            return "beginning: opens the model and the sandbox"
        return " · ".join(f"{one.name} {min(one.done, one.total)} of {one.total}" for one in self.steps[-4:])


class TurnBoard:
    """Starts turns, tells how they stand, stops them.

    Args:
        config: settings of every conversation.
    """

    def __init__(self, config: Config, records: Records) -> None:
        self._config = config
        self._records = records
        self._lock = threading.Lock()
        self._turns: dict[str, Turn] = {}
        self._futures: set[Future[None]] = set()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="turn")
        self._workshops = Workshops(AT_ONCE)

    def say(self, thread: str | None, text: str) -> str:
        """Begin a turn with a message; the thread's id.

        Raises:
            BoardFull: it cannot be taken now.
        """
        return self._begin(thread or new_thread(), text, lambda talk, turn: _say(talk, turn, text))

    def decide(self, thread: str, approved: bool) -> str:
        """Begin a turn that answers the open approval; see :meth:`say`."""
        return self._begin(thread, "yes" if approved else "no", lambda talk, turn: _decide(talk, turn, approved))

    def turn(self, thread: str | None) -> Turn | None:
        """The turn that runs in a thread or waits to run; one that could not begin, until the next is begun."""
        with self._lock:
            turn = self._turns.get(thread or "")
        return turn if turn is not None and (not turn.ended or turn.error) else None

    def stop(self, thread: str) -> None:
        """Ask a thread's turn to stop at the next safe point."""
        turn = self.turn(thread)
        if turn is not None:
            turn.control.request_drain("stopped")

    def history(self, thread: str | None) -> tuple[Message, ...]:
        """All that was said in a thread, as far as it is answered or written down."""
        if not thread or thread.startswith(".") or Path(thread).name != thread:
            return ()
        folder = home() / "threads" / thread
        if not (folder / "thread.db").is_file():
            return ()
        messages = []
        with closing(ThreadFile(folder)) as file:
            for one in file.exchanges():
                messages.append(Message(role="person", text=one.said, at=one.at))
                if one.reply is not None:
                    at = one.replied or one.at
                    messages.append(Message(role="netwright", text=one.reply.text, reply=one.reply, at=at))
        return tuple(messages)

    def threads(self) -> list[tuple[str, str]]:
        """Threads as (what to show, id), the newest first."""
        return [(f"{one.first or one.thread} ({one.state})", one.thread) for one in list_threads(self._records)]

    def close(self) -> None:
        """Ask all turns to stop, wait for them, and close what they used."""
        with self._lock:
            for turn in self._turns.values():
                turn.control.request_drain("the app was closed")
            waiting = list(self._futures)
        for future in waiting:
            future.cancel()  # what has not begun does not begin
        self._pool.shutdown()
        self._workshops.close()

    def _begin(self, thread: str, said: str, work: Callable[[Conversation, Turn], Reply]) -> str:
        with self._lock:
            running = [one for one in self._turns.values() if not one.ended]
            if any(one.thread == thread for one in running):
                raise BoardFull("the last message of this thread is still being worked on: wait, or stop it")
            if len(running) >= AT_ONCE + WAITING:
                raise BoardFull(f"{len(running)} turns run or wait already: try again later")
            turn = self._turns[thread] = Turn(thread, said)
            future = self._pool.submit(self._run, turn, work)
            self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return thread

    def _run(self, turn: Turn, work: Callable[[Conversation, Turn], Reply]) -> None:
        try:
            with self._workshops.one() as workshop:
                turn.begun = True
                with open_conversation(self._config, self._records, turn.thread, workshop=workshop) as talk:
                    work(talk, turn)
        except Exception as error:  # shown in the page; a turn's own faults are replies already
            _log.exception("a turn of thread %s could not run", turn.thread)
            turn.error = f"{type(error).__name__}: {error}"
        finally:
            turn.ended = True


def new_thread() -> str:
    """An id for a thread that is about to begin."""
    return f"chat-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _say(talk: Conversation, turn: Turn, text: str) -> Reply:
    return talk.say(text, notify=turn.notify, control=turn.control)


def _decide(talk: Conversation, turn: Turn, approved: bool) -> Reply:
    return talk.decide(approved, notify=turn.notify, control=turn.control)
