"""``netwright serve`` as a process: where it listens, whom it lets in, how it ends; the example with curl."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from netwright.interfaces.cli.main import app
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "netwright.interfaces.cli.main", "serve", "--port", "0", "--json"]


@pytest.fixture(scope="module")
def http_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of its own: this server runs jobs, and others have left hundreds in theirs."""
    return tmp_path_factory.mktemp("http-served")


@pytest.fixture(scope="module")
def served(http_home: Path, settings: list[str]) -> Iterator[dict[str, Any]]:
    """What the command prints; at the end it must go by itself."""
    options = [part for item in settings for part in ("--set", item)]
    environment = {**os.environ, "NETWRIGHT_HOME": str(http_home)}
    environment.pop("NETWRIGHT_TOKEN", None)
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)
    assert code == 0


def statuses(log: Path, path: str) -> set[int]:
    """Statuses that the log has for a path."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return {entry["status"] for entry in entries if entry.get("path") == path}


def test_it_listens_on_loopback_and_needs_the_token(served: dict[str, Any], http_home: Path) -> None:
    assert served["url"].startswith("http://127.0.0.1:")
    assert served["token"] == (http_home / "http-token").read_text().strip()
    assert httpx.get(f"{served['url']}/health").status_code == 401
    answer = httpx.get(f"{served['url']}/health", headers={"Authorization": f"Bearer {served['token']}"})
    assert answer.json()["status"] == "ok"
    assert "server" not in answer.headers
    told = statuses(Path(served["log"]), "/health")
    for _ in range(100):  # a request's line is written when its answer has gone out, so it may come a moment later
        if told >= {200, 401}:
            break
        time.sleep(0.1)
        told = statuses(Path(served["log"]), "/health")
    assert told >= {200, 401}
    assert served["token"] not in Path(served["log"]).read_text()


@pytest.mark.slow  # it evaluates a network: a process and a sandbox of their own
@pytest.mark.timeout(1000)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_with_curl(served: dict[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "examples" / "http_curl.sh"), served["url"]],
        cwd=tmp_path,
        env={**os.environ, "NETWRIGHT_TOKEN": served["token"]},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "server: ok"
    assert lines[2] == "verdict: backward"
    assert "event: end" in lines
    metric = next(line for line in lines if line.startswith("metric: "))
    assert 0 <= float(metric.partition(": ")[2]) <= 1
    assert "data set" in done.stdout.rpartition("metric:")[2]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--host", "0.0.0.0", "--allow-remote", "--no-token"], "this machine alone"),
        (["--no-token", "--token-file", "x"], "not together"),
        (["--token-file", "/no/such/file"], "cannot read the token file"),
    ],
)
def test_what_is_not_served(options: list[str], reason: str) -> None:
    assert reason in refusal("--port", "0", *options)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refusal("--port", str(port))


def refusal(*options: str) -> str:
    """Why the server does not start."""
    result = CliRunner().invoke(app, ["serve", "--json", *options])
    assert result.exit_code == 2, result.output
    return str(json.loads(result.stdout)["error"])
