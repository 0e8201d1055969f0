"""Which thread a history belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from netwright.graphs.turns import Reply, ReplyKind
from netwright.interfaces.http.openai_types import ChatMessage
from netwright.interfaces.http.telling import content_of, split
from netwright.interfaces.http.threads import Place, ThreadIndex


@pytest.fixture
def index(tmp_path: Path) -> ThreadIndex:
    return ThreadIndex(tmp_path / "threads.db")


def history(*texts: str) -> list[ChatMessage]:
    roles = ("user", "assistant")
    return [ChatMessage(role=roles[i % 2], content=text) for i, text in enumerate(texts)]  # type: ignore[arg-type]


def keep(
    index: ThreadIndex, thread: str, *texts: str, answer: str, owner: str = "", kind: ReplyKind = "answer"
) -> Reply:
    reply = Reply(kind=kind, text=answer)
    index.keep(thread, history(*texts), "", reply, content_of(reply))
    return reply


def test_a_first_message_begins_a_thread(index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    assert index.find(history("hello"), "") == Place()


def test_the_history_finds_it(index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    assert index.find(history("hello", "hi", "more"), "") == Place("one")
    assert index.find(history(" hello ", "hi\n", "more"), "") == Place("one")
    assert index.find(history("hello", "hi", "more"), "another") == Place()
    assert index.find(history("hello", "something else", "more"), "") == Place()
    system = ChatMessage(role="system", content="be brief")
    assert index.find([system, *history("hello", "hi", "more")], "") == Place("one")


def test_two_that_say_the_same_are_told_apart_by_where_they_are(index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    keep(index, "one", "hello", "hi", "more", answer="here")
    keep(index, "two", "hello", answer="hi")
    assert index.find(history("hello", "hi", "other"), "") == Place("two")
    assert index.find(history("hello", "hi", "more", "here", "other"), "") == Place("one")


def test_the_same_once_more_is_answered_alike(index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    reply = keep(index, "one", "hello", "hi", "more", answer="here")
    assert index.find(history("hello", "hi", "more"), "") == Place("one", reply=reply)


@pytest.mark.parametrize("kind", ["stopped", "failed"])
def test_what_was_not_answered_goes_on(index: ThreadIndex, kind: ReplyKind) -> None:
    keep(index, "one", "hello", answer="hi")
    keep(index, "one", "hello", "hi", "more", answer="stopped", kind=kind)
    assert index.find(history("hello", "hi", "more"), "") == Place("one")


def test_going_back_says_what_was_said_before_in_a_new_thread(index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    keep(index, "one", "hello", "hi", "more", answer="here")
    assert index.find(history("hello", "hi", "other"), "") == Place(replay=("hello",))


def test_it_is_kept(tmp_path: Path, index: ThreadIndex) -> None:
    keep(index, "one", "hello", answer="hi")
    assert ThreadIndex(tmp_path / "threads.db").find(history("hello", "hi", "more"), "") == Place("one")


@pytest.mark.parametrize("text", ["", "one line", "a\n" * 2000, "x" * 5000, "\r\n\x85\u2028 odd ends\n\n"])
def test_pieces_make_the_whole(text: str) -> None:
    assert "".join(split(text)) == text
