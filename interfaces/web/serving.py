"""Serving the web app: where it listens, and how it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

import psutil
import uvicorn

from ...graphs.config import Config
from ...memory.records import Records
from ..addresses import LOOPBACK, check_host
from .app import guarded_app
from .settings import App

_GRACE_S: Final = 3
"""Seconds that open connections have when the app ends; a browser's event stream would never end by itself."""


class _Server(uvicorn.Server):
    """A server that says when it listens, and ends by itself after a signal: uvicorn's own raises the signal again,
    before anything else could end."""

    def __init__(self, settings: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(settings)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def names_of(host: str) -> tuple[str, ...]:
    """What ``Host`` may say where the app listens at ``host``: this machine's own names and addresses."""
    if host in LOOPBACK:
        return LOOPBACK
    if host not in ("0.0.0.0", "::"):
        return (*LOOPBACK, host)
    own = [one.address.partition("%")[0] for each in psutil.net_if_addrs().values() for one in each]
    return (*LOOPBACK, *own, socket.gethostname(), socket.getfqdn())


def serve_web(
    config: Config, records: Records, token: str, *, host: str, port: int, allow_remote: bool, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; turns that run are asked to stop at their next safe point.

    Args:
        ready: called once it listens.

    Raises:
        HostRefused: another host than loopback without ``allow_remote``.
        MissingUi: the extra ``ui`` is not installed.
    """
    check_host(host, allow_remote)
    with closing(App.open(config, records)) as app:
        guarded = guarded_app(app, token, hosts=names_of(host), port=port)
        # No access log: the first address that is opened has the token in it.
        settings = uvicorn.Config(
            guarded, host=host, port=port, log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=_GRACE_S, proxy_headers=False,
        )  # fmt: skip
        _Server(settings, ready).run()
