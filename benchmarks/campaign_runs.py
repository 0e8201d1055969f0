"""Campaigns as benchmarks: run by the command line in a data directory of their own, gone on with, published.

A campaign that is complete is not run again, one that was interrupted goes on. What is published of campaigns is their
report in the paper's form, their configuration, and their records, from which all of it can be drawn anew.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from netwright.memory.records import Records
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.report.paper_compare import comparison, paper_report
from netwright.tools.report.paper_write import write_paper

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
KILLED = "killed"
"""File in a data directory: its campaign was killed once."""


def records_in(home: Path) -> Records:
    """The records of a data directory."""
    return Records(f"sqlite:///{home / 'records.db'}")


def run(home: Path, name: str, arguments: Sequence[str], *, kill: Callable[[Records], bool] | None = None) -> float:
    """Run a campaign to its end, or go on with it; seconds of this call.

    Args:
        home: data directory; made when missing.
        arguments: of ``netwright campaign run``.
        kill: asked twice a second until it says yes; then the process and all it started are killed with ``SIGKILL``,
            and the campaign goes on.

    Raises:
        RuntimeError: it did not end well.
    """
    home.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("netwright")), "campaign", "run", "--id", name, "--resume", "-q"]
    environment = os.environ | {"NETWRIGHT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    if kill is not None:
        with subprocess.Popen([*command, *arguments], env=environment, start_new_session=True) as process:
            try:
                while process.poll() is None and not _asked(home, kill):
                    time.sleep(0.5)
            except BaseException:  # Ctrl-C does not reach a session of its own
                os.killpg(process.pid, signal.SIGTERM)
                raise
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                (home / KILLED).touch()
    done = subprocess.run([*command, *arguments], env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"campaign {name} ended with exit code {done.returncode}; run this again to go on")
    return time.perf_counter() - started


def _asked(home: Path, kill: Callable[[Records], bool]) -> bool:
    if not (home / "records.db").is_file():
        return False
    with records_in(home) as records:
        return kill(records)


def publish(home: Path, name: str, ids: Sequence[str], about: dict[str, Any], *, compared: bool = False) -> Path:
    """Write report, configuration and records of campaigns to ``docs/results/<name>``; that folder.

    Args:
        about: what else is to be known of the run, such as how often it was killed; kept in ``run.json``.
        compared: whether the campaigns are set side by side.
    """
    folder = RESULTS / name
    shutil.rmtree(folder, ignore_errors=True)
    with records_in(home) as records:
        report, figures = (comparison if compared else paper_report)(records, ids)
        files = write_paper(report, figures, folder, "comparison" if compared else "paper")
        configurations = {one: records.get_campaign(one).config for one in ids}
        spent = {one: round(records.get_campaign(one).wall_s, 1) for one in ids}
    files.html.unlink()  # the same as the Markdown, and large
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    about = {**about, "published_at": commit.stdout.strip() or None}
    document = {"campaigns": list(ids), "wall_s": spent, **about, "machine": machine() | {"versions": versions()}}
    (folder / "run.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for one, configuration in configurations.items():
        (folder / f"{one}.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    keep_records(home / "records.db", folder / "records.db.xz")
    return folder


def keep_records(database: Path, target: Path) -> None:
    """A copy of the records, whole and compressed: ``xz -dk`` it into a data directory to ask it anything.

    Adapters, which are not published, are named as they lay in the data directory, without its path on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="netwright-records-") as folder:
        copy = Path(folder) / "records.db"
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as source:
            source.execute("VACUUM INTO ?", (str(copy),))
        place = f"{database.parent.resolve()}/"
        with closing(sqlite3.connect(copy)) as copied, copied:
            for table, column in (("adapters", "path"), ("cycles", "adapter")):
                cut = f"UPDATE {table} SET {column} = substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
                copied.execute(cut, (len(place) + 1, len(place), place))
        with closing(sqlite3.connect(copy)) as copied:
            copied.execute("VACUUM")  # else the old paths stay in the file's free space
        with copy.open("rb") as plain, lzma.open(target, "wb", preset=9) as packed:
            shutil.copyfileobj(plain, packed)
