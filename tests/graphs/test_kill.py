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
# Small networks and short tunes, so that a short life gets past every stage; chunks of 32 answers are cut in two.
SETTINGS = (
    "campaign.candidates=40",
    "campaign.max_params=30000",
    "campaign.threshold=0.8",
    "campaign.stopping.enabled=false",
    "budget.cycles=5",
    "tuning.steps=10",
    "tuning.batch=4",
    "tuning.accumulation=4",
    "tuning.replay=2",
)
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


def ticks(home: Path) -> int:
    """Entries of the campaign's wall clock, which starts when what it works with is open."""
    try:
        return int(rows(home, "select count(*) from spending where key like 'wall/%'")[0][0])
    except sqlite3.OperationalError:
        return 0


def wait_until_open(home: Path, process: subprocess.Popen[bytes], before: int) -> None:
    while ticks(home) <= before:
        assert process.poll() is None, (home.parent / f"{home.name}.log").read_text()[-3000:]
        time.sleep(0.1)


def stage(home: Path) -> str:
    """Where a killed campaign stands, for the log."""
    cycles = rows(home, "select count(*) from cycles")[0][0]
    counts = {name: rows(home, f"select count(*) from {name}")[0][0] for name in ("generations", "adapters")}
    trials = dict(rows(home, "select state, count(*) from trials group by state"))
    return f"cycle {cycles}, {counts}, trials {trials}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, set[int]]:
    """An undisturbed run; one that is killed ten times; and the processes that the killed ones had."""
    root = tmp_path_factory.mktemp("kill")
    calm, killed = root / "calm", root / "killed"
    calm.mkdir(), killed.mkdir()
    process = launch(calm, resume=False)
    wait_until_open(calm, process, 0)
    start = time.monotonic()
    wait_to_end(calm, process)
    work = time.monotonic() - start
    print(f"undisturbed: {work:.1f} s of work")
    rng = random.Random(20_26)
    below: set[int] = set()
    for number in range(KILLS):
        before = ticks(killed) if number else 0
        process = launch(killed, resume=number > 0)
        if number % 5 == 3:  # one in five dies while it opens what it works with
            moment = rng.uniform(1, 8)
        else:
            wait_until_open(killed, process, before)
            # A tune takes longer than the mean life, so that ten lives go through several cycles and not through all.
            moment = rng.uniform(0, 2) * work / KILLS
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=moment)
        below |= {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1.0)
        print(f"kill {number + 1}: {moment:.1f} s, then {stage(killed)}")
    wait_to_end(killed, launch(killed, resume=True))
    return calm, killed, below


def test_same_candidates(runs):
    calm, killed, _ = runs
    assert report(killed)["candidates"] == report(calm)["candidates"]
    assert len(report(calm)["candidates"]) == 200


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
    for cycle in range(1, 6):
        name = Path("campaigns/c/adapters") / f"cycle-{cycle:03d}" / "adapter_model.safetensors"
        assert (killed / name).read_bytes() == (calm / name).read_bytes()


def test_nothing_is_left_running(runs):
    _, _, below = runs
    assert below
    alive = [pid for pid in below if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert not alive
