"""The repair benchmark: its fixture is what it says, and its table counts what happened."""

from __future__ import annotations

import sys
from collections import Counter
from types import ModuleType

from netwright.memory.types import Verdict
from netwright.tools.generators.headers import Header
from netwright.tools.tasks import task

BENCHMARK = "repair"


def test_the_fixture_holds_a_hundred_different_broken_programs(benchmark: ModuleType) -> None:
    about, rows = benchmark.read_broken()
    assert len(rows) == len({" ".join(row["source"].split()) for row in rows}) == benchmark.WANTED
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) <= set(about["invalid"])
    assert len(kinds) >= 6
    assert isinstance(about["seed"], int)
    for row in rows:
        shape, wanted = Header.parse(row["header"]).in_shape, task(row["dataset"])
        assert shape == wanted.in_shape
        verdict = Verdict(ok=False, stage=row["stage"], error_class=row["error_class"], message=row["message"])
        assert benchmark.kind_of(verdict) == row["kind"]


def test_rare_classes_are_all_taken_and_common_ones_fill_up(benchmark: ModuleType) -> None:
    broken = [{"kind": "common", "header": "h", "source": f"common {n}"} for n in range(50)]
    broken += [{"kind": "rare", "header": "h", "source": f"rare {n}"} for n in range(3)]
    broken += [{"kind": "backward: CpuLimit", "header": "h", "source": f"slow {n}"} for n in range(9)]
    broken += [{"kind": "common", "header": "h", "source": "common   1"}]
    chosen = benchmark.evenly(broken, 20, seed=1)
    assert Counter(row["kind"] for row in chosen) == {"common": 15, "rare": 3, "backward: CpuLimit": 2}
    assert chosen == benchmark.evenly(broken, 20, seed=1)


def test_the_table_counts_by_class_and_weighs_by_how_often_each_came(benchmark: ModuleType) -> None:
    rows = [{"kind": kind} for kind in ("a", "a", "b", "b")]
    lost = {"repaired": False, "by": None, "tries": 2, "tokens": 100, "kept": None}
    model = lost | {"repaired": True, "by": "model", "tries": 1, "kept": 0.7}
    hint = lost | {"repaired": True, "by": "hint", "tokens": 0, "kept": 0.9}
    arms = {"without hints": [model, lost, lost, lost], "with hints": [model, hint, hint, lost]}
    document = benchmark.report(rows, arms, {"a": 30, "b": 10, "c": 5})
    first, second = document["arms"].values()
    assert (first["all"]["count"], first["tokens_per_repaired"], first["natural"]) == (1, 400, 0.375)
    assert (first["first_try"]["count"], first["kept"]["estimate"]) == (1, 0.7)
    assert (second["all"]["count"], second["by_hint"], second["by_model"], second["natural"]) == (3, 2, 1, 0.875)
    assert second["classes"]["b"]["count"] == 1
    assert document["paired"] == {"gained": 2, "lost": 0, "p": 0.5}
    about = {"invalid": {"a": 30, "b": 10, "c": 5}, "sampled": 200, "temperatures": [0.9, 1.2], "seed": 7}
    shown = sys.modules["repair_report"].text({**document, "fixture": about, "tries": 2, "seed": 0})
    assert "| a | 2 | 1 (" in shown
    assert "**3 (30–95 %)**" in shown
    assert "4 of 45 invalid ones among 200" in shown
