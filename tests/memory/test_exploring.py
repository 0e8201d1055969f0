"""The networks on record as a table: filters, order, pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.exploring import Looked, choices, explore
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Generation
from netwright.memory.types import Candidate, Protocol, Task, Trial, Verdict

DIGITS = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
CIFAR = Task(dataset="cifar10", in_shape=(3, 32, 32), out_shape=(10,))
PROTOCOL = Protocol(name="quick")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """Six networks on digits, the even ones valid and trained; the first one judged on CIFAR-10 too."""
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as records:
        for task in (DIGITS, CIFAR):
            records.add_task(task)
        records.add_protocol(PROTOCOL)
        records.create_campaign(
            Campaign(id="night", config={"campaign": {}}, task_id=DIGITS.id, protocol_hash=PROTOCOL.hash)
        )
        records.create_campaign(Campaign(id="design-1", config={}, task_id=DIGITS.id, protocol_hash=PROTOCOL.hash))
        for number in range(6):
            _add(records, number)
        yield records


def _add(records: Records, number: int) -> None:
    candidate = Candidate(source=f"network {number}", origin="ast-" if number == 5 else "llm-")
    key, valid = records.add_candidate(candidate), number % 2 == 0
    stage = "backward" if valid else "build"
    size = {"params": 1000 * (number + 1), "flops": 5000} if valid else {"error_class": "ValueError", "message": "no"}
    verdict = Verdict.model_validate({"ok": valid, "stage": stage, **size})
    records.put_verdict(key, DIGITS.id, verdict)
    if number == 0:
        records.put_verdict(key, CIFAR.id, verdict)
    if number < 3:
        records.put_generation(Generation(campaign_id="night", cycle=1, slot=number, candidate_id=key))
    if valid:
        trial = records.start_trial(key, DIGITS.id, PROTOCOL.hash)
        epochs = ({"epoch": 1, "accuracy": 0.2}, {"epoch": 2, "accuracy": 0.5 + number / 10})
        done = {"state": "complete", "metric": 0.5 + number / 10, "epochs": epochs}
        records.finish_trial(Trial.model_validate(trial.model_dump() | done))


def test_all_lines_best_first_unknown_last(records: Records) -> None:
    page = explore(records, Looked())
    assert page.total == 7  # one network on two data sets
    assert [line.metric for line in page.lines[:3]] == [0.9, 0.7, 0.5]
    assert all(line.metric is None for line in page.lines[3:])
    assert page.lines[0].name.startswith("llm-")
    ascending = explore(records, Looked(descending=False)).lines
    assert [line.metric for line in ascending[:3]] == [0.5, 0.7, 0.9]  # and unknown ones are last all the same


@pytest.mark.parametrize(
    ("looked", "count"),
    [
        (Looked(dataset="cifar10"), 1),
        (Looked(dataset="digits", valid=False), 3),
        (Looked(origin="ast-"), 1),
        (Looked(campaign="night", dataset="digits"), 3),
        (Looked(params_from=2000, params_to=4000), 1),
        (Looked(metric=0.65), 2),
        (Looked(text="ast-"), 1),
        (Looked(text="%"), 0),
        (Looked(text="' OR 1=1 --"), 0),
        (Looked(campaign="nobody"), 0),
    ],
)
def test_filters(records: Records, looked: Looked, count: int) -> None:
    page = explore(records, looked)
    assert (page.total, len(page.lines)) == (count, count)


def test_an_id_is_found_by_its_beginning(records: Records) -> None:
    one = explore(records, Looked(dataset="cifar10")).lines[0]
    assert {line.id for line in explore(records, Looked(text=one.id[:20].upper())).lines} == {one.id}


def test_pages_cover_everything_once(records: Records) -> None:
    parts = [explore(records, Looked(sort="name"), offset=at, limit=3).lines for at in (0, 3, 6)]
    seen = [(line.id, line.dataset) for part in parts for line in part]
    assert len(seen) == len(set(seen)) == 7


def test_choices(records: Records) -> None:
    found = choices(records)
    assert found == {"dataset": ["cifar10", "digits"], "origin": ["ast-", "llm-"], "campaign": ["night"]}
