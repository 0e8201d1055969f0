"""An MCP server over HTTP for tests: a process of its own on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

TOKEN = "a-token-for-the-tests-alone"


@dataclass(frozen=True)
class HttpServer:
    """Where a server is."""

    url: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def serving_http(home: Path, *options: str) -> Iterator[HttpServer]:
    """Start ``netwright mcp --http`` and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "mcp", "--http", "--port", str(port), *options]
    environment = {**os.environ, "NETWRIGHT_HOME": str(home), "NETWRIGHT_TOKEN": TOKEN}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}/mcp"
            while True:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield HttpServer(url)
        finally:
            process.terminate()
            # It closes what is open, and says itself that it ended well.
            assert process.wait(60) == 0, process.stderr.read() if process.stderr else ""
