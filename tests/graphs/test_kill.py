"""kill -9 at random moments, resume, and the campaign ends as if nothing had happened (make test-kill)."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kill, pytest.mark.timeout(3600)]

KILLS = 10
SETTINGS = ("campaign.candidates=32", "budget.cycles=3", "campaign.stopping.enabled=false")
COMMAND = [sys.executable, "-m", "netwright.interfaces.cli.main", "campaign", "run", "--id", "c", "--resume", "--json"]


def launch(home: Path) -> subprocess.Popen[bytes]:
    """Start or resume the campaign in a data directory of its own, as a process group."""
    settings = [part for item in SETTINGS for part in ("--set", item)]
    log = (home.parent / f"{home.name}.log").open("ab")
    environment = {**os.environ, "NETWRIGHT_HOME": str(home)}
    return subprocess.Popen([*COMMAND, *settings], stdout=log, stderr=log, env=environment, start_new_session=True)


def run_to_end(home: Path) -> float:
    """Run to the end; the seconds it took."""
    begun = time.monotonic()
    process = launch(home)
    assert process.wait(timeout=1800) == 0, (home.parent / f"{home.name}.log").read_text()[-3000:]
    return time.monotonic() - begun


def report(home: Path) -> dict:
    return json.loads((home / "campaigns" / "c" / "report.json").read_text())


def rows(home: Path, query: str) -> list[tuple]:
    with sqlite3.connect(home / "records.db") as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[float]]:
    """An undisturbed run, and one that is killed ten times."""
    root = tmp_path_factory.mktemp("kill")
    calm, killed = root / "calm", root / "killed"
    calm.mkdir(), killed.mkdir()
    seconds = run_to_end(calm)
    rng = random.Random(20_26)
    moments = []
    for number in range(KILLS):
        process = launch(killed)
        # Early moments hit the start, late ones the middle of a cycle: each run lives long enough to get on.
        moment = rng.uniform(0.15, 0.6) * seconds
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        moments.append(round(moment, 1))
        time.sleep(1.0)
        stages = rows(killed, "select n, state, timings from cycles order by n desc limit 1") if number else []
        print(f"kill {number + 1}: after {moment:.1f} s, {stages}")
    run_to_end(killed)
    return calm, killed, moments


def test_same_candidates(runs):
    calm, killed, _ = runs
    assert report(killed)["candidates"] == report(calm)["candidates"]
    assert len(report(calm)["candidates"]) > 0


def test_same_answers_and_admissions(runs):
    calm, killed, _ = runs
    for query in (
        "select cycle, slot, answer, candidate_id, valid_by, novel, nearest from generations order by cycle, slot",
        "select cycle, candidate_id, admitted, metric from admissions order by cycle, candidate_id",
        "select cycle, slot, try_no, answer, candidate_id from repair_attempts order by cycle, slot, try_no",
    ):
        assert rows(killed, query) == rows(calm, query)


def test_no_trial_is_lost_or_trained_twice(runs):
    calm, killed, moments = runs
    query = "select candidate_id, state, metric from trials order by candidate_id"
    assert rows(killed, query) == rows(calm, query)
    assert {state for _, state, _ in rows(killed, query)} <= {"complete", "failed"}
    # A trial starts again only where a kill cut it off, and a kill cuts off at most one per worker.
    extra = sum(attempts - 1 for (attempts,) in rows(killed, "select attempts from trials"))
    assert extra <= len(moments) * (os.cpu_count() or 1)


def test_nothing_is_left_running(runs):
    _, killed, _ = runs
    found = subprocess.run(["pgrep", "-fc", str(killed)], capture_output=True, text=True, check=False)
    assert int(found.stdout or 0) == 0
