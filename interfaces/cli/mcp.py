"""``netwright mcp``: the MCP server."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from .choosing import SetOption
from .console import err, fail, guarded

EPILOG = """Examples:  netwright mcp  |  netwright mcp --http --port 8765  |  netwright mcp --http --token-file ./token

In an MCP client's configuration (stdio):  {"mcpServers": {"netwright": {"command": "netwright", "args": ["mcp"]}}}

Over HTTP:  {"mcpServers": {"netwright": {"url": "http://127.0.0.1:8765/mcp",
"headers": {"Authorization": "Bearer TOKEN"}}}}"""


@guarded
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP instead of standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="Address for --http; loopback only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for --http.")] = 8765,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            help="File with the token for --http; default: NETWRIGHT_TOKEN, or the data directory's own.",
            metavar="FILE",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Jobs at a time.", show_default="one per core")
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Serve the tools to other agents by the Model Context Protocol, until the client leaves or Ctrl-C."""
    from ...graphs.config import load_config
    from ...memory.home import home
    from ..addresses import in_url
    from ..jobs.board import JobBoard
    from ..mcp.server import Serving
    from ..mcp.transports import PATH, run_http, run_stdio
    from ..tokens import find_token
    from ..toolbox import registry
    from ..toolbox.shared import Shared

    settings = tuple(overrides or ())
    load_config(overrides=settings)  # fails here, and not in the first tool that needs it
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    if token_file is not None and not http:
        fail("--token-file is for --http: over standard input and output there is nobody else to keep out")
    token = find_token(token_file) if http else None
    with Serving(registry(), Shared(settings), JobBoard(home(), settings=settings, at_once=jobs)) as serving:
        if token is None:
            run_stdio(serving)
            return
        err.print(f"MCP server at http://{in_url(host)}:{port}{PATH}, for clients with the token", highlight=False)
        if token.made:
            err.print(f"Authorization: Bearer {token.value}", highlight=False, soft_wrap=True, markup=False)
        run_http(serving, host, port, token.value)
