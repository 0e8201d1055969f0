"""The validation benchmark: every side judges the same candidates, and differing verdicts are an error."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from netwright.memory.types import Verdict

BENCHMARK = "validation"


def test_every_side_is_measured_on_the_same_candidates(benchmark: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    given = ["--candidates", "1", "--rounds", "1", "--backends", "bubblewrap", "--least", "0", "--output", str(report)]
    assert benchmark.main(given) == 0
    document = json.loads(report.read_text())
    sides = [row["side"] for row in document["sides"]]
    assert sides == ["new process", "bubblewrap, warm worker", "bubblewrap, new sandbox"]
    for row in document["sides"]:
        assert len(row["rounds"]) == 1
        assert 0 < row["per_s"]["least"] <= row["per_s"]["median"] <= row["per_s"]["most"]
    assert [(row["side"], row["against"]) for row in document["ratios"]] == [
        ("bubblewrap, warm worker", "new process"),
        ("bubblewrap, warm worker", "bubblewrap, new sandbox"),
    ]
    (candidate,) = document["candidates"]
    assert candidate["verdict"] == "ok"
    assert candidate["params"] > 100


def test_the_candidates_are_the_same_each_time_and_as_many_as_wanted(benchmark: ModuleType) -> None:
    many = len(list(benchmark.NETWORKS.glob("*.py"))) + 3
    found = benchmark.candidates(many, seed=1)
    assert len(set(found.values())) == many
    assert found == benchmark.candidates(many, seed=1)
    assert set(benchmark.candidates(3, seed=1).values()) < set(found.values())


def test_differing_verdicts_are_an_error(benchmark: ModuleType) -> None:
    good = Verdict(ok=True, stage="backward", params=10, flops=100, seconds=1.0)
    benchmark.check_equal("net", {"a": good, "b": good.model_copy(update={"seconds": 2.0})})
    with pytest.raises(ValueError, match="the verdicts on net differ: a: ok, 10 parameters; b: ok, 11 parameters"):
        benchmark.check_equal("net", {"a": good, "b": good.model_copy(update={"params": 11})})


def test_too_slow_is_told_by_the_exit_code(benchmark: ModuleType) -> None:
    warm = benchmark.Side("warm", None, [[0.1, 0.1], [0.2, 0.2]])
    cold = benchmark.Side("cold", None, [[1.0, 1.0], [1.0, 1.0]])
    report = benchmark.report([warm, cold], [("warm", "cold")], 20.0)
    assert [row["per_s"]["median"] for row in report["sides"]] == [7.5, 1.0]
    assert report["ratios"][0]["ratio"] == {"median": 7.5, "least": 5.0, "most": 10.0}
    assert benchmark.exit_code(report) == 1
    assert benchmark.exit_code(benchmark.report([warm, cold], [("warm", "cold")], 7.5)) == 0
