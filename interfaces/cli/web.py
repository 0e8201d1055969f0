"""``netwright web``: the web app on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from ...memory.records import Records
from ..addresses import check_host, in_url
from .console import guarded, out, starting
from .listening import AllowRemoteOption, HostOption, warn_remote

PORT = 7860


@guarded
def web(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen at.")] = PORT,
    allow_remote: AllowRemoteOption = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file with the settings of conversations and new campaigns."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override one field, e.g. --set chat.approve_training=true."),
    ] = None,
) -> None:
    """Serve chat, campaigns, explorer and blocks to a browser; prints the address with the token that opens them."""
    from ...graphs.config import load_config
    from ..tokens import TOKEN_VARIABLE, new_token
    from ..web.serving import serve_web

    check_host(host, allow_remote)
    settings, token = load_config(config, overrides or ()), new_token().value
    warn_remote(host)

    def ready() -> None:
        address = f"http://{in_url(host)}:{port}/?token={quote(token, safe='')}"
        out.print(f"open {address}", highlight=False, soft_wrap=True, markup=False)
        out.print(f"the token is new at each start; {TOKEN_VARIABLE} sets it. Ctrl-C ends the app.", highlight=False)

    starting("loading the pages")
    with Records() as records:
        serve_web(settings, records, token, host=host, port=port, allow_remote=allow_remote, ready=ready)
