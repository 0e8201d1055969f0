"""``netwright web``: the web app on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...memory.records import Records
from .console import err, guarded, out, starting

PORT = 7860


@guarded
def web(
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen at.")] = PORT,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let a --host be used that other machines reach.")
    ] = False,
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
    from ..web.serving import check_host, is_loopback, serve_web
    from ..web.token import TOKEN_VARIABLE, web_token

    check_host(host, allow_remote)
    settings, token = load_config(config, overrides or ()), web_token()
    if not is_loopback(host):
        err.print(
            f"[bold yellow]warning[/]: other machines reach {host}:{port}. Whoever has the token can start campaigns "
            "here; without TLS in front of it, everybody on the way reads the token.",
            highlight=False,
        )

    def ready() -> None:
        shown = f"[{host}]" if ":" in host else host
        out.print(f"open http://{shown}:{port}/?token={token}", highlight=False, soft_wrap=True, markup=False)
        out.print(f"the token is new at each start; {TOKEN_VARIABLE} sets it. Ctrl-C ends the app.", highlight=False)

    starting("loading the pages")
    with Records() as records:
        serve_web(settings, records, token, host=host, port=port, allow_remote=allow_remote, ready=ready)
