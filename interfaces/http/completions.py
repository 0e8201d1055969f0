"""``POST /v1/chat/completions`` and ``GET /v1/models``: the design conversation for any OpenAI client."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Request
from langgraph.runtime import RunControl
from starlette.responses import Response, StreamingResponse

from ...graphs.services import Event, no_events
from ...graphs.talking import open_conversation
from ...graphs.turns import Reply
from ...memory.rows import now
from .backend import Backend
from .errors import OPENAI, HttpError, as_http_error, documented, error_content
from .leaving import while_here
from .openai_types import MODEL, ChatCompletion, ChatMessage, ChatRequest, Model, ModelList, Usage
from .telling import Heading, Meter, Progress, content_of
from .threads import Place, ThreadIndex

THREAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAMED = "thread:"
QUIET_S = 10.0
"""Seconds after which a stream without news says that it is still there, before clients and proxies give up."""

log = logging.getLogger("netwright.http")


@dataclass(frozen=True)
class Turned:
    """A turn that is over."""

    thread: str
    reply: Reply
    usage: Usage


@dataclass(frozen=True)
class Turn:
    """A turn as it was asked.

    Attributes:
        named: the thread that the client named, if it did.
    """

    messages: list[ChatMessage]
    said: str
    owner: str
    named: str | None


def completion_routes(backend: Backend) -> APIRouter:
    """Routes below ``/v1``."""
    router, index = APIRouter(prefix="/v1", tags=["chat"]), ThreadIndex()

    @router.get("/models", operation_id="list_models", responses=documented())
    async def models() -> ModelList:
        """The models: one, the design conversation."""
        return ModelList(data=[Model(id=MODEL)])

    @router.get("/models/{model}", operation_id="get_model", responses=documented())
    async def model(model: str) -> Model:
        """One model."""
        _check_model(model)
        return Model(id=MODEL)

    @router.post(
        "/chat/completions",
        operation_id="create_chat_completion",
        response_model=ChatCompletion,
        responses={
            200: {"description": "The answer, streamed if asked for", "content": {"text/event-stream": {}}},
            **documented(409, 424),
        },
    )
    async def completions(
        request: Request,
        asked: ChatRequest,
        x_netwright_thread: Annotated[str | None, Header(description="names the conversation")] = None,
    ) -> Response:
        """Answer the last message. The conversation goes on with the messages before it.

        It designs networks: it asks for what is missing, and before anything expensive; the next message answers.
        """
        turn = _turn(asked, x_netwright_thread)
        wants_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        heading = Heading(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), MODEL, wants_usage)
        if asked.stream:
            # Begun before the stream is, whose status could not say any more that too many wait.
            stream = _stream(_begun(backend, index, turn), heading)
            return StreamingResponse(stream, media_type="text/event-stream")
        control = RunControl()
        work = backend.chats.run(lambda: _take(backend, index, turn, control, no_events))
        turned = await while_here(request, work, lambda: control.request_drain("the client went away"))
        whole = heading.whole(turned.reply, turned.thread, turned.usage)
        return Response(whole.model_dump_json(), media_type="application/json")

    return router


def _check_model(name: str) -> None:
    if name != MODEL:
        raise HttpError(404, "model_not_found", f"there is one model here, {MODEL!r}", param="model")


def _turn(asked: ChatRequest, header: str | None) -> Turn:
    """What was asked, checked.

    Raises:
        HttpError: another model, several answers, nothing to read, or a thread that cannot be named so.
    """
    _check_model(asked.model)
    if asked.n not in (None, 1):
        raise HttpError(400, "invalid_request_error", "n must be 1: there is one answer", param="n")
    owner = asked.user or ""
    named = header if header is not None else owner.removeprefix(NAMED) if owner.startswith(NAMED) else None
    if named is not None and not THREAD.fullmatch(named):
        where = "header X-Netwright-Thread" if header is not None else "user"
        raise HttpError(400, "invalid_request_error", f"{where}: a thread has up to 64 letters, digits and . _ -")
    return Turn(asked.messages, asked.turn(), owner, named)


def _take(
    backend: Backend, index: ThreadIndex, turn: Turn, control: RunControl, notify: Callable[[Event], None]
) -> Turned:
    """Take a turn, in a thread of the pool; the answer is kept before it is returned."""
    place = Place(thread=turn.named) if turn.named else index.find(turn.messages, turn.owner)
    if place.reply is not None and place.thread is not None:
        return Turned(place.thread, place.reply, Usage())
    with (
        backend.turn(control),
        backend.workshops.one() as shop,
        open_conversation(backend.config, backend.records, place.thread, workshop=shop) as talk,
    ):
        for said in place.replay:
            talk.say(said, notify=notify, control=control)
        before = {one.reply.run for one in talk.history() if one.reply and one.reply.run}
        meter = Meter(backend.records, before, now())
        reply = talk.say(turn.said, notify=notify, control=control)
        index.keep(talk.thread, turn.messages, turn.owner, reply, content_of(reply))
        return Turned(talk.thread, reply, meter.usage(reply.run))


@dataclass(frozen=True)
class Begun:
    """A turn that runs or waits to run.

    Attributes:
        news: its progress as comments, and ``None`` at its end.
    """

    work: asyncio.Future[Turned]
    news: asyncio.Queue[str | None]
    control: RunControl


def _begun(backend: Backend, index: ThreadIndex, turn: Turn) -> Begun:
    """Begin a turn that is streamed.

    Raises:
        HttpError: 429, too many wait.
    """
    control, loop = RunControl(), asyncio.get_running_loop()
    news: asyncio.Queue[str | None] = asyncio.Queue()
    progress = Progress()

    def notify(event: Event) -> None:
        loop.call_soon_threadsafe(news.put_nowait, progress.comment(event))

    work = asyncio.wrap_future(backend.chats.submit(lambda: _take(backend, index, turn, control, notify)))
    work.add_done_callback(lambda _: news.put_nowait(None))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask for it
    return Begun(work, news, control)


async def _stream(turn: Begun, heading: Heading) -> AsyncIterator[str]:
    """The turn as server-sent events: progress as comments, then the answer in pieces."""
    try:
        yield heading.opening()
        while (told := await _next(turn.news)) is not None:
            yield told
        turned = await turn.work
        for piece in heading.pieces(turned.reply, turned.thread, turned.usage):
            yield piece
    except (asyncio.CancelledError, GeneratorExit):
        turn.control.request_drain("the client went away")
        turn.work.cancel()  # if it still waits for its turn
        raise
    except Exception as error:
        yield error_event(error)


async def _next(news: asyncio.Queue[str | None]) -> str | None:
    """The next progress, or a sign of life; ``None`` at the end."""
    try:
        return await asyncio.wait_for(news.get(), QUIET_S)
    except TimeoutError:
        return ": still here\n\n"


def error_event(error: Exception) -> str:
    """An error within a stream, whose status is sent already."""
    known = as_http_error(error)
    if known is None:
        known = HttpError(500, "internal", f"a fault of the server, see its log for stream {secrets.token_hex(6)}")
        log.error("%s", known.message, exc_info=error)
    return f"data: {json.dumps(error_content(OPENAI, known.kind, known.message, known.param))}\n\n"
