"""How the MCP server is reached: standard input and output, or streamable HTTP on loopback with a token."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

import anyio
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers

from ..addresses import LOOPBACK, in_url, is_loopback
from ..tokens import bears
from .server import Serving, build_server

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/mcp"
_MOST_SESSIONS: Final = 64
_GRACE_S: Final = 2
"""Seconds that open streams have when the server ends: a client's would never end by itself."""


class TransportError(ValueError):
    """The server cannot be reached in the way that was asked for; the message says what to change."""


def run_stdio(serving: Serving) -> None:
    """Serve the client at standard input and output until it leaves.

    Both are taken away from everything else in this process: what a library prints goes to standard error, for one
    stray line would end the conversation.
    """
    given, taken = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    reading = TextIOWrapper(os.fdopen(given, "rb"), encoding="utf-8", errors="replace")
    writing = TextIOWrapper(os.fdopen(taken, "wb"), encoding="utf-8")

    async def serve() -> None:
        server = build_server(serving)
        async with stdio_server(anyio.wrap_file(reading), anyio.wrap_file(writing)) as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())

    anyio.run(serve)


def run_http(serving: Serving, host: str, port: int, token: str) -> None:
    """Serve until a signal ends it.

    Raises:
        TransportError: the host is not this machine's own.
        OSError: the port is taken.
    """
    from ..cli.console import graceful_stop
    from ..http.server import listen, make_server, serve

    server = make_server(http_app(serving, host, port, token), grace_s=_GRACE_S)

    def stop(_: str) -> None:
        server.should_exit = True

    # Not uvicorn's own handling of signals: it ends the process by the signal, before anything that is open is closed.
    with listen(host, port) as bound, graceful_stop(stop):
        serve(server, bound, lambda: None)


def http_app(serving: Serving, host: str, port: int, token: str) -> Starlette:
    """The server as an ASGI application at ``/mcp``.

    Raises:
        TransportError: the host is not this machine's own.
    """
    from starlette.applications import Starlette
    from starlette.routing import Mount

    if not is_loopback(host):
        raise TransportError(f"{host} is not this machine's own address: the MCP server listens on 127.0.0.1 or ::1")
    names = [in_url(name) for name in (*LOOPBACK, host)]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[f"{name}:{port}" for name in names],
        allowed_origins=[f"http://{name}:{port}" for name in names],
    )
    manager = StreamableHTTPSessionManager(
        build_server(serving), security_settings=security, max_sessions=_MOST_SESSIONS
    )

    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        await manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = Starlette(routes=[Mount(PATH, app=mcp)], lifespan=running)
    app.router.redirect_slashes = False
    app.add_middleware(BearerToken, token=token)
    return app


class BearerToken:
    """Lets through what has the token; anything else gets a 401 that says nothing.

    Args:
        app: what is behind it.
        token: compared in constant time.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or self._allows(scope):
            if scope["type"] == "http" and scope["path"] == PATH:
                scope = {**scope, "path": f"{PATH}/", "raw_path": f"{PATH}/".encode()}
            await self._app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _allows(self, scope: Scope) -> bool:
        return scope["type"] == "http" and bears(Headers(scope=scope).getlist("authorization"), self._token)
