"""A campaign that grafts blocks of the library: slots, records, report; and a library that cannot serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import Config, ConfigError, load_config
from netwright.graphs.runner import run_campaign
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck
from netwright.memory.records import Records
from netwright.memory.rows import Generation

GATE = """import torch
from torch import nn


class {name}(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gate = nn.Conv2d(dim, dim, 1)

    def forward(self, x):
        return x * torch.{function}(self.gate(x.mean((2, 3), keepdim=True)))
"""
SHAPE = (2, 64, 14, 14)


def blocks() -> Iterator[Block]:
    check = BlockCheck(stage="forward", arguments={"dim": 64}, inputs=(SHAPE,), outputs=(SHAPE,), params=4160)
    for name, function in (("SoftGate", "sigmoid"), ("SignedGate", "tanh"), ("HardGate", "relu")):
        text = GATE.format(name=name, function=function)
        fields = {"package": "made", "version": "1", "path": "made.py", "line": 1, "file_hash": "0" * 40}
        yield Block(qualified=f"made.{name}", category="attention", text=text, check=check, **fields)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "blocks.db"
    with BlockStore(path) as store:
        store.put_blocks(blocks())
    return path


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        yield opened


def settings(script: Path, library: Path, *overrides: str) -> Config:
    base = [
        "model.name=scripted",
        f"model.path={script}",
        "campaign.candidates=6",
        "campaign.threshold=0.3",
        "campaign.repair_tries=1",
        "budget.cycles=2",
        "retrieval.grafts=3",
        f"retrieval.library={library}",
    ]
    return load_config(overrides=[*base, *overrides])


def drive(run: str, config: Config, records: Records) -> list[Generation]:
    register_campaign(config, run, records)
    run_campaign(run, records, config)
    return records.generations(run)


def test_grafts_stand_in_slots_of_their_own(
    script: Path, library: Path, records: Records, netwright_home: Path
) -> None:
    config = settings(script, library)
    rows = drive("rag", config, records)
    grafted = [one for one in rows if one.grafted]
    assert [(one.cycle, one.slot) for one in grafted] == [(2, 6), (2, 7), (2, 8)], "none without trained networks"
    assert [one.slot for one in rows if not one.grafted] == [*range(6), *range(6)]
    assert all(one.valid_by == "generation" for one in grafted)
    known = {block.id for block in blocks()}
    assert {key for one in grafted for key in one.blocks} <= known
    at_once = [one.blocks for one in grafted if "passed over" not in one.prompt]
    assert at_once
    assert len(set(at_once)) == len(at_once), "no two slots of a batch begin with one block"
    for one in grafted:
        candidate = records.get_candidate(one.candidate_id or "")
        assert candidate is not None
        assert (candidate.origin, candidate.blocks, candidate.parents) == ("rag-", one.blocks, one.exemplars)
    report = json.loads((netwright_home / "campaigns" / "rag" / "report.json").read_text())
    assert report["cycles"][1]["grafted"] == 3
    assert report["cycles"][1]["valid"]["generation"]["count"] <= 6, "the valid rate is the model's own"
    networks = report["rag"]["networks"]
    assert report["rag"]["written"] == 3
    assert networks
    assert all(one["difference"] == pytest.approx(one["metric"] - one["parent_metric"]) for one in networks)
    html = (netwright_home / "campaigns" / "rag" / "report.html").read_text()
    assert "Networks with blocks of the library" in html


@pytest.mark.slow
def test_a_seed_gives_the_same_grafts_again(script: Path, library: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with Records(f"sqlite:///{tmp_path / name}.db") as records:
            rows = drive(f"again-{name}", settings(script, library), records)
            found.append([(one.cycle, one.slot, one.candidate_id, one.blocks, one.novel) for one in rows])
    assert found[0] == found[1]


def test_a_library_that_cannot_serve_is_refused_before_any_work(
    script: Path, library: Path, records: Records, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="netwright blocks mine"):
        register_campaign(settings(script, tmp_path / "none.db"), "none", records)
    with pytest.raises(ConfigError, match="forward pass"):
        register_campaign(settings(script, library, "retrieval.packages=[timm]"), "none", records)
    assert records.get_task("img-classification_digits_accuracy") is None, "nothing was written down"


def test_a_campaign_does_not_go_on_with_other_blocks(script: Path, library: Path, records: Records) -> None:
    config = settings(script, library)
    register_campaign(config, "other", records)
    with BlockStore(library) as store:
        store.remove("made", "1")
        store.put_blocks(list(blocks())[:1])
    with pytest.raises(ConfigError, match="other blocks"):
        run_campaign("other", records, config)
