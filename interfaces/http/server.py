"""Running the application: one process, one event loop, until it is asked to end."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 10
"""Seconds that open requests have when the server ends; turns of conversations stop at their next safe point."""


class Server(uvicorn.Server):
    """uvicorn's server, whose signals are handled by whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def make_server(app: ASGIApp, grace_s: int = GRACE_S) -> Server:
    """A server for the application; its own log goes where the process's does."""
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            ws="none",
            proxy_headers=False,
            limit_concurrency=512,
            timeout_graceful_shutdown=grace_s,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """The socket to serve on, bound before anything else is opened.

    Args:
        port: 0 for a free one.

    Raises:
        OSError: the address cannot be had; the error names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        error.filename = f"{host}:{port}"
        raise


def serve(server: Server, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until ``server.should_exit`` is set.

    Args:
        ready: called when requests are answered.
    """
    import asyncio

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if server.started:
            ready()
        await serving

    asyncio.run(run())
