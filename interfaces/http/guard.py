"""The guard around the application: token, host, origin, slow bodies, faults and the access log.

It is the outermost layer, so that nothing behind it, the OpenAPI document and unknown paths included, answers before
the request has passed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..addresses import host_name
from ..tokens import bears
from .errors import answer, as_http_error, error_response

log = logging.getLogger("netwright.http")
access = logging.getLogger("netwright.http.access")

GONE = 499
"""What the log says where the client went away before its answer was complete."""
_PATH = 200
"""Characters of a path that the access log keeps."""


@dataclass
class Exchange:
    """One request and what became of it."""

    scope: Scope
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    begun: float = field(default_factory=time.monotonic)
    status: int = 0
    sent: int = 0

    def write(self) -> None:
        """One line of the access log: no query, no header, no body, so no secret."""
        client = self.scope.get("client")
        access.info(
            "request",
            extra={
                "request": self.id,
                "method": self.scope["method"],
                "path": self.scope["path"][:_PATH],
                "status": self.status,
                "ms": round((time.monotonic() - self.begun) * 1000),
                "bytes": self.sent,
                "client": client[0] if client else None,
            },
        )


class Guard:
    """ASGI middleware.

    Args:
        token: what ``Authorization: Bearer …`` must carry; ``None`` lets everybody in.
        hosts: names that the Host header may have, in lower case and without brackets; ``None`` for any.
        body_bytes: largest body.
        body_s: seconds between two pieces of a body.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None, hosts: Collection[str] | None, body_bytes: int, body_s: float
    ) -> None:
        self.app, self._hosts, self._body_bytes, self._body_s = app, hosts, body_bytes, body_s
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # a websocket: nothing here speaks that
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope)
        send = _noting(exchange, send)
        try:
            refusal = self._refusal(scope["path"], Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
            else:
                await self.app(scope, self._bounded(receive), send)
        except ClientDisconnect:
            exchange.status = GONE
        except Exception as error:
            if exchange.status:  # too late for another answer: the connection is closed, so that the client notices
                log.exception("request %s broke off", exchange.id)
                raise
            await self._answer(exchange, error)(scope, receive, send)
        finally:
            exchange.write()

    def _answer(self, exchange: Exchange, error: Exception) -> Response:
        """An error that nobody expected where it happened: explained if it says itself what to do, else by its id."""
        path, known = exchange.scope["path"], as_http_error(error)
        if known is not None:
            # What is missing on this machine is its owner's business; what was wrong with the request is the client's.
            if known.status == 424:
                log.warning("request %s: %s", exchange.id, known.message)
            return answer(path, known)
        log.error("request %s failed", exchange.id, exc_info=error)
        return error_response(path, 500, "internal", f"a fault of the server, see its log for request {exchange.id}")

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        """Why a request is not let in, the same for every path."""
        named = headers.getlist("host")
        name = host_name(named[0]) if len(named) == 1 else None
        if name is None:
            return error_response(path, 400, "bad_request", "one Host header is needed")
        # Without this a page that resolves its own name to this address would read the answers (DNS rebinding).
        if self._hosts is not None and name not in self._hosts:
            return error_response(path, 421, "wrong_host", "this server does not answer for that host")
        if self._token is not None and not bears(headers.getlist("authorization"), self._token):
            asks = {"WWW-Authenticate": "Bearer"}
            return error_response(path, 401, "unauthorized", "a bearer token is needed", headers=asks)
        origin = headers.get("origin")
        if origin is not None and host_name(origin.partition("://")[2]) != name:
            return error_response(path, 403, "wrong_origin", "pages of other sites may not ask")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._body_bytes:  # said at once, before anything is sent
            return error_response(path, 413, "too_large", f"a body may have {self._body_bytes:,} bytes")
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """Bodies must be small and must arrive: a client that sends a byte an hour would hold a connection for ever.

        What arrives is counted: a Content-Length need not be there, and need not be true.
        """
        whole, size = False, 0

        async def bounded() -> Message:
            nonlocal whole, size
            if whole:  # what comes now is the client's going away, for which there is no haste
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._body_s)
            except TimeoutError:
                raise HTTPException(408, f"no more of the body came within {self._body_s:g} s") from None
            size += len(message.get("body", b""))
            if size > self._body_bytes:
                raise HTTPException(413, f"a body may have {self._body_bytes:,} bytes")
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        return bounded


def _noting(exchange: Exchange, send: Send) -> Send:
    """Note status and size of what is sent, and add the headers that every answer has."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = exchange.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
        elif message["type"] == "http.response.body":
            exchange.sent += len(message.get("body", b""))
        await send(message)

    return noting
