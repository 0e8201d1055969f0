"""The grafter: slots that hold a graft, and slots that say why none passed; parents from earlier cycles alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.agents.grafter import BLOCKS_TRIED, Grafter, Wanted
from netwright.agents.repair import RepairAgent
from netwright.agents.retriever import Retriever
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Cycle, Generation, Prediction
from netwright.memory.types import Candidate, Protocol, Request, Trial
from netwright.sandbox import Sandbox
from netwright.tools.blocks.library import BlockLibrary
from netwright.tools.execution import Validator
from netwright.tools.grafting.graft import Grafting
from netwright.tools.tasks import task

DIGITS = task("digits")
PROTOCOL = Protocol(name="test")
NETWORK = (Path(__file__).parents[1] / "data" / "networks" / "resnet.py").read_text()
TEXT = """import torch
from torch import nn


class {name}(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 1)

    def forward(self, x):
        {body}
"""
SHAPE = (2, 64, 14, 14)


def block(name: str, body: str) -> Block:
    check = BlockCheck(stage="forward", arguments={"dim": 64}, inputs=(SHAPE,), outputs=(SHAPE,), params=4160)
    fields = {"package": "made", "version": "1", "path": "made.py", "line": 1, "file_hash": "0" * 40}
    text = TEXT.format(name=name, body=body)
    return Block(qualified=f"made.{name}", category="attention", text=text, check=check, **fields)


SOUND = block("Sound", "return x + self.conv(x)")
BROKEN = [block(f"Broken{n}", f"raise ValueError('broken:\\n{n}')") for n in range(BLOCKS_TRIED)]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(DIGITS)
        opened.add_protocol(PROTOCOL)
        opened.create_campaign(Campaign(id="c", task_id=DIGITS.id, protocol_hash=PROTOCOL.hash))
        opened.put_cycle(Cycle(campaign_id="c", n=1))
        opened.put_cycle(Cycle(campaign_id="c", n=2))
        key = opened.add_candidate(Candidate(source=NETWORK))
        fields = {"candidate_id": key, "raw_candidate_id": key, "valid_by": "generation", "novel": True}
        opened.put_generation(Generation(campaign_id="c", cycle=1, slot=0, answer=NETWORK, **fields))
        place = {"candidate_id": key, "task_id": DIGITS.id, "protocol_hash": PROTOCOL.hash}
        opened.start_trial(**place)
        opened.finish_trial(Trial(**place, state="complete", metric=0.8))
        yield opened


@pytest.fixture
def library(tmp_path: Path) -> Iterator[BlockLibrary]:
    with BlockLibrary(BlockStore(tmp_path / "blocks.db")) as opened:
        yield opened


def grafter(records: Records, library: BlockLibrary, sandbox: Sandbox, **wanted: object) -> Grafter:
    return Grafter(
        records,
        Grafting(sandbox, Validator(sandbox), DIGITS, tries=1),
        Retriever(records, DIGITS, PROTOCOL.hash, 0, library=library),
        Request(task=DIGITS),
        protocol_hash=PROTOCOL.hash,
        limits_hash="",
        seed=5,
        wanted=Wanted(**wanted),
    )


def test_a_slot_for_which_nothing_passes_says_why(
    records: Records, library: BlockLibrary, digits_sandbox: Sandbox
) -> None:
    library.store.put_blocks(BROKEN)
    one = grafter(records, library, digits_sandbox)
    assert one.write_batch("c", 2, range(3, 4)) == 0
    (slot,) = records.generations("c", 2)
    assert slot.grafted
    assert slot.empty
    assert (slot.slot, slot.answer, slot.candidate_id) == (3, None, None)
    assert sorted(slot.blocks) == sorted(each.id for each in BROKEN)
    lines = slot.prompt.splitlines()
    assert len(lines) == 1 + BLOCKS_TRIED
    assert all(line.startswith("passed over: made.Broken") for line in lines[1:])
    assert all("ValueError: broken: " in line for line in lines[1:]), "a reason is one line"
    judge = RepairAgent(None, records, one.grafting._validator, one.request, seed=5, limits_hash="")  # type: ignore[arg-type]
    assert judge.open_slots("c", 2) == [], "there is nothing to judge"
    assert one.write_batch("c", 2, range(3, 4)) == 0, "and it is not tried again"
    assert len(records.generations("c", 2)) == 1


def test_a_graft_stands_beside_what_was_passed_over(
    records: Records, library: BlockLibrary, digits_sandbox: Sandbox
) -> None:
    library.store.put_blocks([*BROKEN[:2], SOUND])
    assert grafter(records, library, digits_sandbox).write_batch("c", 2, range(3)) == 3
    slots = records.generations("c", 2)
    assert [one.blocks for one in slots] == [(SOUND.id,)] * 3
    told = [line for one in slots for line in one.prompt.splitlines() if line.startswith("passed over: ")]
    assert {line.split(": ")[1] for line in told} == {"made.Broken0", "made.Broken1"}
    for one in slots:
        found = records.get_candidate(one.exemplars[0])
        assert found is not None
        assert found.source == NETWORK


def test_what_was_passed_over_is_no_parent(records: Records, library: BlockLibrary, digits_sandbox: Sandbox) -> None:
    """It may have been trained by another campaign on the same records."""
    library.store.put_blocks([SOUND])
    (slot,) = records.generations("c", 1)
    assert slot.candidate_id is not None
    told = {"metric": 0.1, "low": 0.0, "high": 0.2, "place": 2, "among": 2, "kept": False, "learned_from": 50}
    records.put_predictions(
        [Prediction(campaign_id="c", cycle=1, candidate_id=slot.candidate_id, predictor="p", **told)]  # type: ignore[arg-type]
    )
    assert grafter(records, library, digits_sandbox).write_batch("c", 2, range(1)) == 0
    assert records.generations("c", 2) == []


def test_only_the_packages_asked_for_are_grafted(
    records: Records, library: BlockLibrary, digits_sandbox: Sandbox
) -> None:
    library.store.put_blocks([SOUND])
    assert grafter(records, library, digits_sandbox, packages=("timm",)).write_batch("c", 2, range(1)) == 0
    assert grafter(records, library, digits_sandbox, max_params=10).write_batch("c", 2, range(1, 2)) == 0
    assert all(one.empty and not one.blocks for one in records.generations("c", 2))


def test_the_first_cycle_has_no_networks_to_graft_into(
    records: Records, library: BlockLibrary, digits_sandbox: Sandbox
) -> None:
    library.store.put_blocks([SOUND])
    assert grafter(records, library, digits_sandbox).write_batch("c", 1, range(1, 2)) == 0
    assert [one.slot for one in records.generations("c", 1)] == [0], "its slots stay free"
