"""A reply of the design conversation in the words and numbers of an OpenAI answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...graphs.services import Event
from ...graphs.turns import Reply
from ...memory.records import Records
from .openai_types import Answer, ChatCompletion, Choice, FinishReason, Told, Usage

PIECE = 400
"""Characters of a streamed piece, about: pieces end with a line."""


def content_of(reply: Reply) -> str:
    """The whole answer as Markdown: the words and the code of the first network shown.

    The others can be asked for ("show me the code of 2"): each can have hundreds of lines.
    """
    text = reply.text
    if reply.kind == "answer" and reply.shown and "```" not in text:
        best = reply.shown[0]
        text += f"\n\nNetwork {best.n}, {best.name}:\n\n```python\n{best.source.rstrip()}\n```"
    if reply.offers:
        text += f"\n\nYou can say: {', '.join(f'“{offer}”' for offer in reply.offers)}."
    return text


def finish_of(reply: Reply) -> FinishReason:
    """Why it ends here."""
    return "length" if reply.kind == "stopped" else "stop"


def told_of(reply: Reply, thread: str) -> Told:
    """The reply's own fields."""
    return Told(
        thread=thread,
        kind=reply.kind,
        run=reply.run,
        candidates=[one.candidate_id for one in reply.shown],
        offers=list(reply.offers),
        approval=reply.approval,
    )


@dataclass(frozen=True)
class Heading:
    """What all pieces of one answer share.

    Attributes:
        usage: each chunk of a stream has this field, because the client asked for it: null but in the last one.
    """

    id: str
    created: int
    model: str
    usage: bool = False

    def whole(self, reply: Reply, thread: str, usage: Usage) -> ChatCompletion:
        """The answer in one piece."""
        choice = Choice(message=Answer(content=content_of(reply)), finish_reason=finish_of(reply))
        return ChatCompletion(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[choice],
            usage=usage,
            netwright=told_of(reply, thread),
        )

    def opening(self) -> str:
        """The first chunk of a stream."""
        return self._chunk([_delta({"role": "assistant", "content": ""})])

    def pieces(self, reply: Reply, thread: str, usage: Usage) -> Iterator[str]:
        """The chunks of a reply, to the end of the stream; the tokens in one of their own where they were asked for."""
        for piece in split(content_of(reply)):
            yield self._chunk([_delta({"content": piece})])
        yield self._chunk([_delta({}, finish_of(reply))], netwright=told_of(reply, thread).model_dump(mode="json"))
        if self.usage:
            yield self._chunk([], usage=usage.model_dump())
        yield "data: [DONE]\n\n"

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> str:
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **({"usage": None} if self.usage else {}),
            **more,
        }
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


def _delta(delta: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def split(text: str) -> Iterator[str]:
    """A text in pieces that end with a line, together the text."""
    piece = ""
    for line in text.splitlines(keepends=True):
        piece += line
        if len(piece) >= PIECE:
            yield piece
            piece = ""
    if piece:
        yield piece


class Progress:
    """A turn's progress as comments of the stream, which clients that do not look for it pass over."""

    def __init__(self) -> None:
        self._done, self._total = 0, 1

    def comment(self, event: Event) -> str:
        """One event: the stage, and how many of its branches have ended."""
        if event.kind == "begin":
            self._done, self._total = 0, event.total
        elif event.kind == "done":
            self._done += 1
        return f": {event.stage or event.kind} {self._done}/{self._total}\n\n"


class Meter:
    """Tokens that one turn spends.

    A design that was on record before the turn counts only as far as the turn went on with it.

    Args:
        before: designs that the thread had, which later turns may go on with.
        begun: when the turn began, UTC.
    """

    def __init__(self, records: Records, before: set[str], begun: datetime) -> None:
        self._records, self._begun = records, begun
        self._before = {run: self._tokens(run) for run in before}

    def usage(self, run: str | None) -> Usage:
        """What the turn spent on a design."""
        if run is None:
            return Usage()
        stored = self._records.get_campaign(run)
        if run not in self._before and stored.updated < self._begun:
            return Usage()  # answered from the records
        old_in, old_out = self._before.get(run, (0, 0))
        all_in, all_out = self._tokens(run)
        prompt, completion = all_in - old_in, all_out - old_out
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)

    def _tokens(self, run: str) -> tuple[int, int]:
        written, repaired = self._records.generations(run), self._records.repairs(run)
        spent_in = sum(one.tokens_in for one in written) + sum(one.tokens_in for one in repaired)
        return spent_in, sum(one.tokens_out for one in written) + sum(one.tokens_out for one in repaired)
