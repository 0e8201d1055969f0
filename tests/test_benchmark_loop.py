"""The benchmark of the paper's loop: its configurations load, and its table says what a campaign reached."""

from __future__ import annotations

import lzma
import sys
from pathlib import Path
from types import ModuleType

import pytest
from netwright.graphs.config import load_config
from netwright.memory.records import Records
from netwright.memory.rows import Adapter, Campaign, Cycle
from netwright.tools.protocols import protocol
from netwright.tools.report.paper_series import CyclePoint, Series, Value
from netwright.tools.tasks import task

BENCHMARK = "paper_loop"


@pytest.mark.parametrize(("name", "cycles"), [("fashion-22", 22), ("digits-8", 8)])
def test_its_configurations_are_the_papers_loop(name: str, cycles: int) -> None:
    config = load_config(Path(name))
    assert config.budget.cycles == cycles
    assert config.campaign.candidates >= 50
    assert config.campaign.threshold_share == 0.05
    assert len(config.campaign.style) > 1
    assert not config.prediction.enabled


def point(cycle: int, valid: float, mean: float, above: float, novel: int, distance: float) -> CyclePoint:
    return CyclePoint(
        cycle=cycle,
        generated=56,
        trained=40,
        valid=Value(value=valid),
        repaired=Value(value=1.0),
        mean=Value(value=mean),
        median=mean,
        best=0.9,
        above=Value(value=above),
        admitted=novel,
        distinct=novel,
        distinct_so_far=novel,
        corpus=novel,
        distance=Value(value=distance),
        wall_s=60.0,
        values=(mean,),
    )


def series(*points: CyclePoint) -> Series:
    return Series(
        campaign="c", variant="full", seed=0, state="complete", task="t", dataset="digits", metric="accuracy",
        protocol="p", protocol_hash="h", model="m", threshold=0.8, initial_corpus=0, conditions="", cycles=points,
        wall_s=120.0,
    )  # fmt: skip


def test_the_table_says_what_was_reached_and_what_was_not(benchmark: ModuleType) -> None:
    one = series(point(1, 0.9, 0.5, 0.04, 2, 0.9), point(2, 0.6, 0.7, 0.95, 500, 0.6))
    found = {aim.what: aim for aim in benchmark.aims(one, 3600.0)}
    reached = {what.split(",")[0]: aim.reached for what, aim in found.items()}
    assert reached == {
        "above the threshold in cycle 1": True,
        "above the threshold at its peak": True,
        "valid as written": False,
        "mean accuracy": True,
        "novel networks admitted": True,
        "distance of the last cycle's texts to the first's": False,
        "wall time": True,
    }
    text = benchmark.table(list(found.values()))
    assert "95.0 (cycle 2)" in text
    assert "20.0 (50.0 → 70.0 in cycle 2)" in text
    assert "| 75.0 | missed |" in text


def test_it_is_killed_only_while_the_second_cycle_trains(benchmark: ModuleType, netwright_home: Path) -> None:
    with Records() as records:
        assert not benchmark.trains(records)


def test_published_records_name_no_folder_of_this_machine(
    benchmark: ModuleType, netwright_home: Path, tmp_path: Path
) -> None:
    adapter = netwright_home / "campaigns" / "c" / "adapters" / "cycle-001"
    with Records() as records:
        task_ = task("digits")
        records.add_task(task_)
        records.add_protocol(chosen := protocol("digits-1ep"))
        records.create_campaign(Campaign(id="c", task_id=task_.id, protocol_hash=chosen.hash))
        records.put_cycle(Cycle(campaign_id="c", n=1))
        records.put_cycle(Cycle(campaign_id="c", n=2, adapter=str(adapter)))
        records.put_adapter(Adapter(campaign_id="c", cycle=1, path=str(adapter)))
    sys.modules["campaign_runs"].keep_records(netwright_home / "records.db", tmp_path / "records.db.xz")
    (tmp_path / "records.db").write_bytes(lzma.decompress((tmp_path / "records.db.xz").read_bytes()))
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as records:
        assert [one.adapter for one in records.cycles("c")] == [None, "campaigns/c/adapters/cycle-001"]
        assert [one.path for one in records.adapters("c")] == ["campaigns/c/adapters/cycle-001"]
    assert str(netwright_home).encode() not in (tmp_path / "records.db").read_bytes()
