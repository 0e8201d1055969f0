"""A conversation as the chat tab shows it: messages, candidates, what can be said next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....graphs.turns import Message, Reply, Shown
from .text import coloured, count, difference, percent, shown

OFFERS = 6
"""Most offers that are shown as buttons."""


class Standing(NamedTuple):
    """What the last reply of a thread leaves open.

    Attributes:
        approval: what is asked for, in words; ``None`` where nothing is.
        offers: what can be said next, word for word.
    """

    approval: str | None
    offers: tuple[str, ...]


def messages(history: Sequence[Message], said: str | None = None) -> list[dict[str, str]]:
    """The history as Gradio's chat takes it; what people and models wrote is text, not HTML.

    Args:
        said: the message of a turn that runs now, if there is one.
    """
    made = [{"role": "user" if one.role == "person" else "assistant", "content": shown(one.text)} for one in history]
    if said is not None and not (history and history[-1].role == "person"):
        made.append({"role": "user", "content": shown(said)})
    return made


def last_reply(history: Sequence[Message]) -> Reply | None:
    """The newest reply, if it answers the newest message."""
    return history[-1].reply if history else None


def standing(history: Sequence[Message]) -> Standing:
    """What is open after the newest message."""
    reply = last_reply(history)
    if reply is None:
        return Standing(None, ())
    if reply.kind == "approval":
        asked = reply.approval or {}
        what = {"train": "Train these networks?"}.get(str(asked.get("step")), "Go on?")
        return Standing(f"{what} {': '.join(str(asked[key]) for key in ('why', 'cost') if asked.get(key))}".strip(), ())
    return Standing(None, reply.offers[:OFFERS])


def candidates(history: Sequence[Message]) -> list[Shown]:
    """All candidates that the thread has shown, by number, as they were shown last."""
    known = {one.n: one for message in history if message.reply for one in message.reply.shown}
    return [known[n] for n in sorted(known)]


def newest(history: Sequence[Message]) -> int | None:
    """The number of the first candidate in the newest reply that shows any: the best of it."""
    replies = [message.reply for message in history if message.reply and message.reply.shown]
    return replies[-1].shown[0].n if replies else None


def choices(known: Sequence[Shown]) -> list[tuple[str, int]]:
    """Candidates as what to choose from."""
    return [(f"{one.n}: {one.name} · {count(one.params)} parameters · {_reached(one)}", one.n) for one in known]


def table(known: Sequence[Shown]) -> list[list[str | int]]:
    """Candidates as rows: number, name, parameters, FLOPs, metric, what it varies."""
    return [[one.n, one.name, count(one.params), count(one.flops), _reached(one), one.parent or ""] for one in known]


def changes(one: Shown, known: Sequence[Shown], other: Shown | None = None) -> str:
    """The difference to the candidate's parent, or to the one before it, for a Markdown widget."""
    by_number = {each.n: each for each in known}
    before = other or by_number.get(one.parent or one.n - 1)
    if before is None:
        return "Nothing to compare with: it is the first of this thread."
    told = "it varies" if one.parent == before.n else "shown before it"
    names = (f"{before.n}: {before.name} ({told})", f"{one.n}: {one.name}")
    return coloured(difference(before.source, one.source, names))


def _reached(one: Shown) -> str:
    return "not trained" if one.metric is None else f"{percent(one.metric)} {one.metric_name}"
