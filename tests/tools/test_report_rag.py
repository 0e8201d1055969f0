"""The part of a report on grafts: beside their parents, in groups, and what was passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle, Generation
from netwright.memory.types import Candidate, Protocol, Task, Trial
from netwright.tools.report import campaign_report, report_html
from netwright.tools.report.model import RagReport

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")
GRAFTS = (("made.Gate", "attention", 0.75), ("made.Gate", "attention", 0.5), ("made.Wide", "convolution", 0.25))
PARENT = 0.5


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        opened.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        for cycle in (1, 2):
            opened.put_cycle(Cycle(campaign_id="c", n=cycle))
        parent = slot(opened, 1, 0, Candidate(source="parent"), PARENT, "written by a model")
        for number, (block, category, metric) in enumerate(GRAFTS):
            made = Candidate(source=f"g = {number}", origin="rag-", parents=(parent,), blocks=(block,))
            told = (
                f"[graft]\nblock: {block}\ncategory: {category}\nstage: features.0\npassed over: made.<i>Off: no: way"
            )
            slot(opened, 2, number, made, metric, told)
        told = "[graft]\npassed over: made.Odd: forward: ValueError: it is <odd>"
        opened.put_generation(Generation(campaign_id="c", cycle=2, slot=3, prompt=told))
        yield opened


def slot(records: Records, cycle: int, number: int, made: Candidate, metric: float, prompt: str) -> str:
    key = records.add_candidate(made)
    fields = {"candidate_id": key, "raw_candidate_id": key, "valid_by": "generation", "novel": True}
    place = {"campaign_id": "c", "cycle": cycle, "slot": number, "prompt": prompt, "answer": made.source}
    records.put_generation(Generation.model_validate(place | fields))
    trial = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": PROTOCOL.hash}
    records.start_trial(**trial)
    records.finish_trial(Trial(**trial, state="complete", metric=metric))
    records.put_admission(Admission(campaign_id="c", cycle=cycle, candidate_id=key, admitted=False, metric=metric))
    return key


@pytest.fixture
def rag(records: Records) -> RagReport:
    found = campaign_report(records, "c").rag
    assert found is not None
    return found


def test_grafts_stand_beside_their_parents(rag: RagReport) -> None:
    assert (rag.written, rag.valid, rag.trained, rag.blocks) == (3, 3, 3, 2)
    assert [one.difference for one in rag.networks] == [0.25, 0.0, -0.25]
    assert all(one.parent_metric == PARENT for one in rag.networks)
    assert rag.difference.mean == 0.0
    assert rag.difference.low is not None
    assert rag.difference.low < 0
    assert rag.better.count == 1, "an equal one is not better"


def test_grafts_in_groups(rag: RagReport) -> None:
    assert [(one.name, one.networks, one.difference.mean) for one in rag.by_block] == [
        ("made.Gate", 2, 0.125),
        ("made.Wide", 1, -0.25),
    ]
    assert [(one.name, one.blocks, one.metric.mean) for one in rag.by_category] == [
        ("attention", 1, 0.625),
        ("convolution", 1, 0.25),
    ]
    assert rag.by_block[1].difference.low is None, "one network tells no interval"


def test_what_was_passed_over_is_told(rag: RagReport) -> None:
    assert rag.empty == 1
    assert [(one.slot, one.block, one.reason) for one in rag.passed_over][-2:] == [
        (2, "made.<i>Off", "no: way"),
        (3, "made.Odd", "forward: ValueError: it is <odd>"),
    ]


def test_an_empty_slot_is_no_candidate(records: Records) -> None:
    report = campaign_report(records, "c")
    assert (report.cycles[1].generated, report.cycles[1].grafted) == (3, 3)
    assert report.errors.raw == ()


def test_the_page_shows_it_all_escaped(records: Records) -> None:
    page = report_html(campaign_report(records, "c"))
    assert "By category" in page
    assert "it is &lt;odd&gt;" in page
    assert "made.&lt;i&gt;Off" in page


def test_a_campaign_without_blocks_has_no_such_part(records: Records) -> None:
    records.create_campaign(Campaign(id="d", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
    assert campaign_report(records, "d").rag is None
