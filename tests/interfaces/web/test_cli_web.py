"""``netwright web``: what it refuses before it serves, and that it ends by itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from netwright.interfaces.cli.main import app
from netwright.interfaces.tokens import TOKEN_VARIABLE
from netwright.interfaces.web import app as web_app
from typer.testing import CliRunner


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    run = CliRunner()
    remote = run.invoke(app, ["web", "--host", "0.0.0.0"])
    assert remote.exit_code == 2
    assert "--allow-remote" in remote.output
    unknown = run.invoke(app, ["web", "--set", "chat.nothing=1"])
    assert unknown.exit_code == 2
    monkeypatch.setenv(TOKEN_VARIABLE, "too-short")
    short = run.invoke(app, ["web"])
    assert short.exit_code == 2
    assert "16 to 512" in short.output
    assert "too-short" not in short.output


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(web_app.MissingUi, match=r"netwright\[ui\]"):
        web_app.import_gradio()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "NETWRIGHT_HOME": str(tmp_path), TOKEN_VARIABLE: "a-token-of-the-tests-0123456789"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "web", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert "?token=" in server.stdout.readline()
    pause = threading.Event()
    while server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                break
        pause.wait(0.5)
    server.send_signal(number)
    assert server.wait(60) == 0
