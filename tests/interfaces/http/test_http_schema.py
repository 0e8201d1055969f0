"""schemathesis calls the operations of the OpenAPI document: no server error, answers as they are documented.

Jobs are taken and not run, campaigns registered and not started: what is tested is the way in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from netwright.interfaces import campaign_process
from netwright.interfaces.http.backend import Backend

SETTINGS = Path(__file__).with_name("schemathesis.toml")
# The progress of a job that waits for ever is streamed for ever.
NOT_CALLED = ["--exclude-operation-id", "job_events"]


def schemathesis(live: str, token: str, folder: Path, *options: str) -> str:
    """Run it against the live server; what it printed."""
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", SETTINGS, "run", f"{live}/openapi.json"]
    common = ["--header", f"Authorization: Bearer {token}", "--seed", "1", "--continue-on-failure", "--no-color"]
    patient = ["--request-timeout", "120", "--suppress-health-check", "all"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [*command, *common, *patient, *options], cwd=folder, env=environment, capture_output=True, text=True
    )
    # Reproductions repeat whole bodies: cut, so that a failure can be read.
    printed = "\n".join(line[:300] for line in (done.stdout + done.stderr).splitlines())
    assert done.returncode == 0, printed
    return printed


def test_looking_is_as_documented(live: str, token: str, tmp_path: Path) -> None:
    """Everything that only looks, by the edges of its schema."""
    printed = schemathesis(live, token, tmp_path, "--include-method", "GET", "--phases", "coverage")
    assert "12 passed" in printed


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_everything_is_as_documented(
    live: str, token: str, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation: the edges of the schemas, then random data, then operations that follow from each other."""
    monkeypatch.setattr(campaign_process, "_launch", lambda *_: None)
    examples = os.environ.get("NETWRIGHT_TEST_EXAMPLES", "50")
    try:
        print(schemathesis(live, token, tmp_path, *NOT_CALLED, "--max-examples", examples))
    finally:  # the board is shared: hundreds of jobs wait in it now, and nothing runs them
        for job in backend.board.list(10_000):
            if not job.finished:
                backend.board.cancel(job.id)
