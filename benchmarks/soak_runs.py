"""The runs of the soak: a campaign in a process of its own, looked at while it runs, or killed again and again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

CHILD = Path(__file__).with_name("soak_campaign.py")
CAMPAIGN = "soak"
LOOK_S = 1.0
"""Seconds between two looks at memory and files."""
AFTER_S = 3.0
"""Most seconds that a process lives after the work at which it is to die."""
_WORK = (
    "select (select count(*) from generations) + (select count(*) from verdicts)"
    " + 3 * (select count(*) from trials where state in ('complete', 'failed', 'pruned'))"
)
"""How much is done, in any unit that only grows; a training takes longer than a validation."""


@dataclass(frozen=True)
class Look:
    """What a running campaign takes at one moment, in bytes.

    Attributes:
        own: resident memory of the campaign's process; ``below`` of all processes that it started, added up.
        records: database of the records; ``checkpoints`` the graph's; ``other`` every other file of the data
            directory. Write-ahead logs count, they are bounded by themselves.
    """

    seconds: float
    candidates: int
    own: int
    below: int
    records: int
    checkpoints: int
    other: int


def launch(home: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the campaign, or go on with it, as a process group whose output is in ``log.txt``."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(CHILD), "campaign", "run", "--id", CAMPAIGN, "--resume", "--json", *arguments]
    environment = os.environ | {
        "NETWRIGHT_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "SOAK_CLOCK": str(home / "clock.json"),
    }
    with (home / "log.txt").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def undisturbed(home: Path, arguments: Sequence[str]) -> list[dict[str, float]]:
    """Run the campaign to its end; what was seen of it once a second, as plain data.

    Raises:
        RuntimeError: it did not end well.
    """
    looks: list[dict[str, float]] = []
    started = time.perf_counter()
    process = launch(home, arguments)
    try:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            taken = look(home, watched, time.perf_counter() - started)
            if taken is not None:
                looks.append(asdict(taken))
            time.sleep(LOOK_S)
    finally:
        _end(process)
    _check(home, process)
    return looks


def killed(home: Path, arguments: Sequence[str], work: int, kills: int, seed: int) -> list[dict[str, float]]:
    """Run the campaign, kill its process at random moments, go on each time; what was done at each kill.

    The moments are drawn evenly over the whole work, and up to three seconds after it: so the same seed kills at the
    same places on a slower machine, and kills that fall together hit a process that has only begun to open.

    Args:
        work: that the undisturbed run did, see :func:`done`.
    """
    rng = random.Random(seed)
    places = sorted(rng.uniform(0, 0.98 * work) for _ in range(kills))
    log: list[dict[str, float]] = []
    for place in places:
        started = time.perf_counter()
        process = launch(home, arguments)
        try:
            while process.poll() is None and done(home) < place:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, AFTER_S))
            if process.poll() is not None:
                raise RuntimeError(f"the campaign ended before its kill at {place:.0f} of {work}; see {home}/log.txt")
            os.kill(process.pid, signal.SIGKILL)  # its workers must notice by themselves
        finally:
            _end(process)
        log.append({"at": place, "done": done(home), "lived_s": time.perf_counter() - started})
    process = launch(home, arguments)
    try:
        process.wait()
    finally:
        _end(process)
    _check(home, process)
    return log


def look(home: Path, process: psutil.Process, seconds: float) -> Look | None:
    """Memory and files at this moment; ``None`` before there is a campaign, or when the process is at its end."""
    candidates = _ask(home, f"select candidates from campaigns where id = '{CAMPAIGN}'")
    try:
        own = process.memory_info().rss
        below = sum(_memory(child) for child in process.children(recursive=True))
    except psutil.NoSuchProcess:
        return None
    if candidates is None or not own:
        return None
    sizes = {"records": 0, "checkpoints": 0, "other": 0}
    for path in home.rglob("*"):
        kind = next((k for k in ("records", "checkpoints") if path.name.startswith(f"{k}.db")), "other")
        sizes[kind] += _size(path)
    return Look(round(seconds, 1), candidates, own, below, **sizes)


def done(home: Path) -> int:
    """How much of the campaign's work is on record."""
    return _ask(home, _WORK) or 0


def _ask(home: Path, query: str) -> int | None:
    """A number of the records, ``None`` while there are none."""
    try:
        with closing(sqlite3.connect(f"file:{home / 'records.db'}?mode=ro", uri=True, timeout=30)) as connection:
            row = connection.execute(query).fetchone()
    except sqlite3.OperationalError:  # no file, or not yet its tables
        return None
    return None if row is None else int(row[0])


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # a file that was replaced at this moment
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind when the benchmark itself is stopped."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _check(home: Path, process: subprocess.Popen[bytes]) -> None:
    if process.returncode:
        tail = (home / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"the campaign ended with exit code {process.returncode}:\n{tail}")
