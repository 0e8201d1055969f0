"""The soak benchmark: its figures, and a small run of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = "soak_figures"
SOAK = Path(__file__).resolve().parents[1] / "benchmarks" / "soak.py"


def looks(own: list[int], records: list[int]) -> list[dict[str, float]]:
    """One look per ten candidates."""
    return [
        {"candidates": 10 * (n + 1), "own": a, "below": 0, "records": b, "checkpoints": 5, "other": 0}
        for n, (a, b) in enumerate(zip(own, records, strict=True))
    ]


def test_tenths_are_of_the_candidates(benchmark: ModuleType) -> None:
    mib = 2**20
    found = benchmark.tenths(looks([n * mib for n in range(1, 21)], [mib] * 20))
    assert [one["tenth"] for one in found] == list(range(1, 11))
    assert [one["own"] for one in found][:2] == [1.5, 3.5]
    assert found[-1]["candidates"] == 200


def test_a_line_is_told_from_a_curve(benchmark: ModuleType) -> None:
    straight = benchmark.fit(looks([1] * 20, [1024 * (7 + 10 * n) for n in range(20)]), "records")
    assert straight["r2"] == pytest.approx(1.0)
    assert straight["kib_per_candidate"] == pytest.approx(1.0)
    curved = benchmark.fit(looks([1] * 20, [1024 * n**4 for n in range(20)]), "records")
    assert curved["r2"] < benchmark.LINEAR
    assert benchmark.fit(looks([1] * 20, [5] * 20), "checkpoints")["r2"] == 1.0


def test_rows_that_differ_are_counted(benchmark: ModuleType, tmp_path: Path) -> None:
    homes = tmp_path / "calm", tmp_path / "killed"
    for home, metric in zip(homes, (0.5, 0.6), strict=True):
        home.mkdir()
        with closing(sqlite3.connect(home / "records.db")) as connection, connection:
            connection.execute("create table cycles (n, state, adapter, threshold)")
            connection.executemany("insert into cycles values (?, 'complete', null, ?)", [(1, 0.1), (2, metric)])
    found = benchmark._compare(*homes, benchmark.COMPARED["cycles"])
    assert (found["rows"], found["differing"]) == (2, 1)
    assert "0.6" in found["first"][0]


def test_what_is_compared_are_the_tables_as_they_are(benchmark: ModuleType, tmp_path: Path) -> None:
    from netwright.memory.records import Records

    Records(f"sqlite:///{tmp_path / 'records.db'}").close()
    for query in benchmark.COMPARED.values():
        assert benchmark.rows(tmp_path, query) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_small_soak_is_the_same_after_its_kills(tmp_path: Path) -> None:
    command = [sys.executable, str(SOAK), "--candidates", "100", "--kills", "2", "--epochs", "1", "--to", str(tmp_path)]
    subprocess.run(command, check=False)  # memory and sizes of so short a run may miss their aims
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["counts"]["candidates"] == 100
    assert {name: one["differing"] for name, one in found["identical"].items()} == dict.fromkeys(found["identical"], 0)
    assert found["identical"]["trials"]["rows"] > 20
    assert [one["done"] >= one["at"] for one in found["kills"]] == [True, True]
    assert 0 <= found["overhead"] < 1
