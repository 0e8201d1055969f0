"""The design conversation by OpenAI's own client, against the live server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from netwright.graphs.turns import Reply
from netwright.interfaces.http.backend import Backend
from netwright.interfaces.http.openai_types import Usage
from netwright.interfaces.http.telling import Heading
from starlette.testclient import TestClient

Messages = list[dict[str, Any]]
REQUEST = "a classifier under 60k parameters"


@pytest.fixture(scope="module")
def chat(live: str, token: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live}/v1", api_key=token, max_retries=0, timeout=280) as client:
        yield client


def said(*texts: str) -> Messages:
    """A history: the person and the assistant in turn."""
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def ask(chat: openai.OpenAI, messages: Messages, **more: Any) -> Any:
    return chat.chat.completions.create(model="netwright", messages=messages, **more)  # type: ignore[call-overload]


def text(answer: Any) -> str:
    return str(answer.choices[0].message.content)


@pytest.fixture(scope="module")
def talk(chat: openai.OpenAI) -> list[Any]:
    """A whole conversation: a question, a request for approval, the answer; the third turn is streamed."""
    system = {"role": "system", "content": "You are a helpful assistant."}
    first = ask(chat, [system, *said(REQUEST)], temperature=0.2, tools=[], user="somebody", top_p=1, seed=3)
    second = ask(chat, [system, *said(REQUEST, text(first), "digits")], user="somebody")
    # Clients tidy up the white space of what they were sent.
    history = said(REQUEST, text(first).strip(), "digits", text(second) + "\n", "yes")
    third = ask(chat, history, user="somebody", stream=True, stream_options={"include_usage": True})
    return [first, second, list(third), history]


def test_what_is_missing_is_asked(talk: list[Any]) -> None:
    first = talk[0]
    assert first.netwright["kind"] == "question"
    assert first.choices[0].finish_reason == "stop"
    assert "data set" in text(first)
    assert first.usage.total_tokens == 0
    assert first.model == "netwright"


def test_the_thread_goes_on_and_approval_is_asked_in_words(talk: list[Any]) -> None:
    first, second = talk[0], talk[1]
    assert second.netwright["thread"] == first.netwright["thread"]
    assert second.netwright["kind"] == "approval"
    assert second.netwright["approval"]["step"] == "train"
    assert "yes" in text(second)
    assert second.usage.total_tokens == second.usage.prompt_tokens + second.usage.completion_tokens


def test_the_answer_streams(talk: list[Any]) -> None:
    chunks = talk[2]
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert "```python" in content
    assert "accuracy" in content
    assert len({c.id for c in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens >= 0
    told = next(c.netwright for c in chunks if getattr(c, "netwright", None))
    assert (told["thread"], told["kind"]) == (talk[0].netwright["thread"], "answer")


def test_usage_is_what_the_records_have(talk: list[Any], backend: Backend) -> None:
    run = next(c.netwright["run"] for c in talk[2] if getattr(c, "netwright", None))
    rows = [*backend.records.generations(run), *backend.records.repairs(run)]
    spent = [talk[1].usage, talk[2][-1].usage]
    assert sum(u.prompt_tokens for u in spent) == sum(r.tokens_in for r in rows) > 0
    assert sum(u.completion_tokens for u in spent) == sum(r.tokens_out for r in rows) > 0


def test_the_same_once_more_has_the_same_answer(chat: openai.OpenAI, talk: list[Any]) -> None:
    content = "".join(c.choices[0].delta.content or "" for c in talk[2] if c.choices)
    again = ask(chat, talk[3], user="somebody")
    assert text(again) == content
    assert again.netwright["thread"] == talk[0].netwright["thread"]
    assert again.usage.total_tokens == 0


def test_who_goes_back_gets_a_thread_of_its_own(chat: openai.OpenAI, talk: list[Any]) -> None:
    first = talk[0]
    other = ask(chat, said(REQUEST, text(first), "hm, which are there?"), user="somebody")
    assert other.netwright["thread"] != first.netwright["thread"]
    assert other.netwright["kind"] == "question"
    someone_else = ask(chat, said(REQUEST, text(first), "hm, which are there?"), user="somebody else")
    assert someone_else.netwright["thread"] not in (first.netwright["thread"], other.netwright["thread"])


def test_a_thread_can_be_named(chat: openai.OpenAI) -> None:
    one = ask(chat, said(REQUEST), extra_headers={"X-Netwright-Thread": "mine"})
    two = ask(chat, said("what can you do?"), user="thread:mine")
    assert one.netwright["thread"] == two.netwright["thread"] == "mine"
    with pytest.raises(openai.BadRequestError, match="thread"):
        ask(chat, said("x"), extra_headers={"X-Netwright-Thread": "../mine"})


def test_contents_may_be_parts(chat: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "a classifier"}, {"type": "text", "text": "under 60k parameters"}]
    assert ask(chat, [{"role": "user", "content": parts}]).netwright["kind"] == "question"


def test_models(chat: openai.OpenAI) -> None:
    assert [one.id for one in chat.models.list()] == ["netwright"]
    assert chat.models.retrieve("netwright").owned_by == "netwright"
    with pytest.raises(openai.NotFoundError) as refusal:
        chat.models.retrieve("gpt-4o")
    assert (refusal.value.code, refusal.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_is_said_in_openai_s_form(chat: openai.OpenAI, stream: bool) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(openai.BadRequestError, match="image_url cannot be read") as refusal:
        ask(chat, [{"role": "user", "content": [{"type": "text", "text": "like this"}, image]}], stream=stream)
    assert (refusal.value.code, refusal.value.param) == ("unsupported_content", "messages")
    for wrong in ({"messages": said("x", "y")}, {"messages": said(" ")}, {"messages": said("x"), "n": 2}):
        with pytest.raises(openai.BadRequestError) as other:
            ask(chat, stream=stream, **wrong)  # type: ignore[arg-type]
        assert other.value.type == "invalid_request_error"
    with pytest.raises(openai.UnprocessableEntityError):
        ask(chat, [], stream=stream)
    with pytest.raises(openai.NotFoundError):
        chat.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}], stream=stream)


@pytest.mark.parametrize("content", [r'"\ud800"', r'[{"type": "text", "text": "\ud800"}]', r'[{"type": "\ud800"}]'])
def test_half_a_character_is_no_text(client: TestClient, content: str) -> None:
    kind = {"Content-Type": "application/json"}
    body = f'{{"messages": [{{"role": "user", "content": {content}}}]}}'
    answer = client.post("/v1/chat/completions", content=body, headers=kind)
    assert answer.status_code == 422
    assert "half a character" in answer.json()["error"]["message"]
    other = r'{"model": "\udcff", "messages": [{"role": "user", "content": "x"}]}'
    named = client.post("/v1/chat/completions", content=other, headers=kind)
    assert (named.status_code, named.json()["error"]["code"]) == (404, "model_not_found")


def test_too_many_are_refused_before_the_stream_begins(
    chat: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.chats, "_most", 0)
    with pytest.raises(openai.RateLimitError, match="more are not taken"):
        ask(chat, said("a digits classifier"), stream=True)


def test_each_chunk_has_usage_where_it_was_asked_for() -> None:
    reply = Reply(kind="answer", text="done")
    chunks = [*Heading("id", 0, "m", usage=True).pieces(reply, "t", Usage(total_tokens=3))][:-1]
    read = [json.loads(one.removeprefix("data: ")) for one in chunks]
    assert [one["usage"] and one["usage"]["total_tokens"] for one in read] == [None, None, 3]
    assert "usage" not in Heading("id", 0, "m").opening()


def test_a_wrong_key_is_refused(live: str) -> None:
    with (
        openai.OpenAI(base_url=f"{live}/v1", api_key="wrong", max_retries=0) as other,
        pytest.raises(openai.AuthenticationError, match="a bearer token is needed"),
    ):
        other.models.list()


def test_a_broken_off_stream_goes_on_when_it_is_asked_again(chat: openai.OpenAI, live: str, token: str) -> None:
    body = {"stream": True, "user": "thread:broken", "messages": said("a digits classifier under 50k parameters")}
    head = {"Authorization": f"Bearer {token}"}
    with httpx.stream("POST", f"{live}/v1/chat/completions", json=body, headers=head, timeout=120) as stream:
        lines = stream.iter_lines()
        next(lines)
        progress = [next(line for line in lines if line.startswith(":"))]
    assert progress[0].startswith(": ")
    patient = chat.with_options(max_retries=20)  # the thread is busy until the first turn has stopped
    again = ask(patient, body["messages"], user="thread:broken")  # type: ignore[arg-type]
    assert again.netwright["kind"] in ("approval", "answer")
    assert again.netwright["thread"] == "broken"
