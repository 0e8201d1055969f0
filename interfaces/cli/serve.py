"""``netwright serve``: the tools, jobs, records and the design conversation over HTTP."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ..addresses import LOOPBACK, check_host, in_url, is_loopback
from .choosing import SetOption
from .console import JsonFlag, fail, graceful_stop, guarded, out, starting
from .listening import AllowRemoteOption, HostOption, warn_remote

if TYPE_CHECKING:
    from ..tokens import Token

PORT = 8321


@guarded
def serve(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = PORT,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token, readable by its owner alone.")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let everybody on this machine in.")] = False,
    allow_remote: AllowRemoteOption = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="Name that clients may call this server by; repeat it."),
    ] = None,
    overrides: SetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve tools, jobs, records and the design conversation over HTTP, until Ctrl-C.

    Clients send the token that is printed: Authorization: Bearer TOKEN. OpenAPI is at /openapi.json, an
    OpenAI-compatible API at /v1.
    """
    from ..http.server import listen
    from ..tokens import find_token

    local = is_loopback(host)
    check_host(host, allow_remote)
    if no_token and (not local or token_file is not None):
        fail("--no-token is for this machine alone, and not together with --token-file", as_json=as_json)
    token = None if no_token else find_token(token_file)
    warn_remote(host)
    with listen(host, port) as listening:
        starting("loading tools and conversations", as_json=as_json)
        _run(listening, host, token, _hosts(host, local, allowed_host or []), list(overrides or ()), as_json)


def _hosts(host: str, local: bool, named: list[str]) -> frozenset[str] | None:
    """Names that a Host header may have; ``None`` for any, where nothing is known of the machine's names."""
    if host in ("0.0.0.0", "::") and not named:
        return None
    known = (*(LOOPBACK if local or named else ()), host, *named)
    return frozenset(name.strip("[]").lower() for name in known)


def _run(
    listening: socket.socket,
    host: str,
    token: Token | None,
    hosts: frozenset[str] | None,
    settings: list[str],
    as_json: bool,
) -> None:
    from ..http.app import create_app, open_backend
    from ..http.logs import logging_to_file
    from ..http.server import make_server, serve

    url = f"http://{in_url(host)}:{listening.getsockname()[1]}"
    with logging_to_file() as log, open_backend(settings) as backend:
        server = make_server(create_app(backend, token=token.value if token else None, hosts=hosts))

        def stop(_: str) -> None:
            server.should_exit = True
            backend.stop()

        def ready() -> None:
            _tell(url, token, log, as_json)

        with graceful_stop(stop):
            serve(server, listening, ready)


def _tell(url: str, token: Token | None, log: Path, as_json: bool) -> None:
    """Where the server is. A token is shown only if it is the data directory's own, not one that somebody keeps."""
    shown = token.value if token is not None and token.made else None
    if as_json:  # one line, because the server goes on
        source = token.source if token else None
        typer.echo(json.dumps({"url": url, "token": shown, "token_from": source, "log": str(log)}))
        return
    out.print(f"serving on [bold]{escape(url)}[/]; OpenAI's API: {escape(url)}/v1", highlight=False, soft_wrap=True)
    if token is None:
        out.print("no token: whoever can log in on this machine can use it", highlight=False)
    else:
        told = f"[bold]{escape(shown)}[/] (from {escape(token.source)})" if shown else f"from {escape(token.source)}"
        out.print(f"token: {told}", highlight=False, soft_wrap=True)
    out.print(f"log: {escape(str(log))}", highlight=False, soft_wrap=True)
