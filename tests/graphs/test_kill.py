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

import psutil
import pytest

pytestmark = [pytest.mark.kill, pytest.mark.timeout(3600)]

KILLS = 10
SETTINGS = ("campaign.candidates=48", "budget.cycles=3", "campaign.stopping.enabled=false")
COMMAND = [sys.executable, "-m", "netwright.interfaces.cli.main", "campaign", "run", "--id", "c", "--json"]


def launch(home: Path, *, resume: bool) -> subprocess.Popen[bytes]:
    """Start or resume the campaign in a data directory of its own, as a process group."""
    settings = [] if resume else [part for item in SETTINGS for part in ("--set", item)]
    log = (home.parent / f"{home.name}.log").open("ab")
    environment = {**os.environ, "NETWRIGHT_HOME": str(home)}
    command = [*COMMAND, *(["--resume"] if resume else []), *settings]
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def wait_to_end(home: Path, process: subprocess.Popen[bytes]) -> None:
    assert process.wait(timeout=1800) == 0, (home.parent / f"{home.name}.log").read_text()[-3000:]


def report(home: Path) -> dict:
    return json.loads((home / "campaigns" / "c" / "report.json").read_text())


def rows(home: Path, query: str) -> list[tuple]:
    with sqlite3.connect(home / "records.db") as connection:
        return connection.execute(query).fetchall()


def begun(home: Path) -> bool:
    """Whether the campaign has opened its first cycle: what it works with is open then."""
    try:
        return bool(rows(home, "select n from cycles"))
    except sqlite3.OperationalError:
        return False


def stage(home: Path) -> str:
    """Where a killed campaign stands, for the log."""
    cycle = rows(home, "select n, timings from cycles order by n desc limit 1")
    return f"cycle {cycle[0][0]}, seconds by stage {cycle[0][1]}" if cycle else "before the first cycle"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, set[int]]:
    """An undisturbed run; one that is killed ten times; and the processes that the killed ones had."""
    root = tmp_path_factory.mktemp("kill")
    calm, killed = root / "calm", root / "killed"
    calm.mkdir(), killed.mkdir()
    start = time.monotonic()
    process = launch(calm, resume=False)
    while not begun(calm):
        assert process.poll() is None, (root / "calm.log").read_text()[-3000:]
        time.sleep(0.2)
    opening = time.monotonic() - start
    wait_to_end(calm, process)
    work = time.monotonic() - start - opening
    print(f"undisturbed: {opening:.1f} s to open, {work:.1f} s of work")
    rng = random.Random(20_26)
    below: set[int] = set()
    for number in range(KILLS):
        process = launch(killed, resume=number > 0)
        # Every life gets to work for a random while, three quarters of a tenth in the mean: ten of them go through
        # all stages of all cycles, and the campaign is not at its end before the last kill.
        moment = opening + rng.uniform(0.1, 1.4) * work / KILLS
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=moment)
        below |= {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1.0)
        print(f"kill {number + 1}: after {moment:.1f} s, {stage(killed)}")
    wait_to_end(killed, launch(killed, resume=True))
    return calm, killed, below


def test_same_candidates(runs):
    calm, killed, _ = runs
    assert report(killed)["candidates"] == report(calm)["candidates"]
    assert len(report(calm)["candidates"]) == 144


def test_same_answers_and_admissions(runs):
    calm, killed, _ = runs
    for query in (
        "select cycle, slot, answer, candidate_id, valid_by, novel, nearest from generations order by cycle, slot",
        "select cycle, candidate_id, admitted, metric from admissions order by cycle, candidate_id",
        "select cycle, slot, try_no, answer, candidate_id from repair_attempts order by cycle, slot, try_no",
        "select tokens, candidates from campaigns",
    ):
        assert rows(killed, query) == rows(calm, query)


def test_no_trial_is_lost_or_trained_twice(runs):
    calm, killed, _ = runs
    query = "select candidate_id, state, metric from trials order by candidate_id"
    assert rows(killed, query) == rows(calm, query)
    assert {state for _, state, _ in rows(killed, query)} <= {"complete", "failed"}
    # A trial starts again only where a kill cut it off, and a kill cuts off at most one per worker.
    extra = sum(attempts - 1 for (attempts,) in rows(killed, "select attempts from trials"))
    print(f"{extra} trainings were cut off by a kill and done again")
    assert extra <= KILLS * (os.cpu_count() or 1)


def test_adapters_are_the_same(runs):
    calm, killed, _ = runs
    for cycle in (1, 2, 3):
        name = Path("campaigns/c/adapters") / f"cycle-{cycle:03d}" / "adapter_model.safetensors"
        assert (killed / name).read_bytes() == (calm / name).read_bytes()


def test_nothing_is_left_running(runs):
    _, _, below = runs
    assert below
    alive = [pid for pid in below if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert not alive
