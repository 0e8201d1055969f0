"""What the commands that serve share: the options of where they listen, and the warning."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from ..addresses import is_loopback
from .console import err

HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
AllowRemoteOption = Annotated[
    bool, typer.Option("--allow-remote", help="Listen beyond this machine: needed with another --host.")
]


def warn_remote(host: str) -> None:
    """Say on standard error what it means that other machines reach the server, if they do."""
    if not is_loopback(host):
        err.print(
            f"[bold yellow]warning[/]: {escape(host)} can be reached from other machines, unencrypted. Whoever has the "
            "token can run networks in the sandbox and start campaigns: put a proxy with TLS before it.",
            highlight=False,
        )
