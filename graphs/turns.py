"""What is said in a design conversation, as data: the same for terminal, web app and chat clients.

A conversation is a *thread* of turns. A turn begins with what the person said and ends with one :class:`Reply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from langgraph.runtime import RunControl
from pydantic import BaseModel, ConfigDict, Field

from .services import Event, no_events

ReplyKind = Literal["answer", "question", "approval", "refusal", "stopped", "failed"]
"""``answer``: candidates were designed. ``question``: something is missing, the next message answers it.
``approval``: an expensive step waits for yes or no. ``refusal``: it cannot be met, and why. ``stopped``: it was
stopped and goes on when asked. ``failed``: something broke, and what to do."""


class Turning(BaseModel):
    """Base of the immutable parts of a conversation."""

    model_config = ConfigDict(frozen=True)


class Shown(Turning):
    """A candidate as it is shown: the ``n`` by which follow-ups refer to it ("the second one").

    Attributes:
        n: 1 for the first candidate that the thread showed, counted on over all its turns.
        parent: the ``n`` of the shown candidate that it varies, if it does.
        epochs: metric after each epoch, if it was trained.
    """

    n: int
    candidate_id: str
    name: str
    source: str
    params: int | None = None
    flops: int | None = None
    stage: str
    metric: float | None = None
    metric_name: str = "accuracy"
    epochs: tuple[float, ...] = ()
    parent: int | None = None


class Reply(Turning):
    """What the design graph says at the end of a turn.

    Attributes:
        text: the whole reply in words, as Markdown.
        understood: what the request was understood as, in words; empty where nothing was.
        offers: follow-ups that can be said word for word ("smaller", "use attention").
        run: id of the design in the records, where one was begun.
        approval: what an approval is asked for: ``{"step": "train", "why": …, "cost": …}``.
    """

    kind: ReplyKind
    text: str
    understood: str = ""
    shown: tuple[Shown, ...] = ()
    offers: tuple[str, ...] = ()
    run: str | None = None
    approval: dict[str, Any] | None = None


class Message(Turning):
    """One entry of a thread's history."""

    role: Literal["person", "netwright"]
    text: str
    reply: Reply | None = None
    at: str = Field(description="ISO 8601, UTC")


class Conversation(Protocol):
    """One thread; ``netwright.graphs.talking.open_conversation`` makes it. Not for two threads of execution at once."""

    thread: str

    def say(
        self, text: str, *, notify: Callable[[Event], None] = no_events, control: RunControl | None = None
    ) -> Reply:
        """Take one message and answer it; in an open approval, "yes" and "no" decide it."""
        ...

    def decide(
        self, approved: bool, *, notify: Callable[[Event], None] = no_events, control: RunControl | None = None
    ) -> Reply:
        """Answer the open approval."""
        ...

    def history(self) -> tuple[Message, ...]:
        """All that was said, oldest first."""
        ...
