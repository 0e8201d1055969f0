"""What is on record becomes what is learned from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.records import Records
from netwright.memory.rows import now
from netwright.memory.types import Candidate, Protocol, Task, Trial, Verdict
from netwright.tools.prediction.examples import asked_examples, example_of, is_cheaper, known_examples

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
WHOLE = Protocol(name="whole", epochs=2, rungs=(100,))
RUNG = Protocol(name="whole@100", epochs=2, train_limit=100, time_limit_s=5)
FIRST = Protocol(name="one", epochs=1)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(TASK)
        for protocol in (WHOLE, RUNG, FIRST):
            opened.add_protocol(protocol)
        yield opened


def train(records: Records, source: str, protocol: Protocol, metric: float | None, **fields: object) -> str:
    key = records.add_candidate(Candidate(source=source))
    place = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": protocol.hash}
    records.start_trial(**place)
    state = "failed" if metric is None else "complete"
    records.finish_trial(Trial.model_validate({**place, "state": state, "metric": metric, **fields}))
    return key


def test_a_part_of_the_training_is_cheaper() -> None:
    assert is_cheaper(RUNG, WHOLE)
    assert is_cheaper(FIRST, WHOLE)
    assert not is_cheaper(WHOLE, WHOLE)
    assert not is_cheaper(WHOLE, RUNG)
    assert not is_cheaper(Protocol(name="one", epochs=1, lr=0.1), WHOLE)
    assert not is_cheaper(Protocol(name="x", epochs=1), Protocol(name="y", epochs=2, train_limit=100))


def test_complete_trials_with_figures_and_early_metrics(records: Records) -> None:
    epochs = ({"epoch": 1, "accuracy": 0.4}, {"epoch": 2, "accuracy": 0.6})
    one = train(records, "a = 1", WHOLE, 0.6, epochs=epochs)
    train(records, "a = 1", RUNG, 0.2)
    train(records, "b = 1", WHOLE, None)
    train(records, "c = 1", RUNG, 0.3)
    records.put_verdict(one, TASK.id, Verdict(ok=True, stage="backward", params=7, figures={"depth": 3}), "limits")
    (found,) = known_examples(records, TASK, WHOLE)
    assert (found.key, found.metric, found.source) == (one, 0.6, "a = 1")
    assert found.figures == {"depth": 3, "params": 7, "flops": None}
    assert found.early == {(1, math.inf): 0.4, (2, 100.0): 0.2}


def test_only_what_ended_before_counts_and_what_is_named(records: Records) -> None:
    early = train(records, "a = 1", WHOLE, 0.6)
    moment = now()
    late = train(records, "b = 1", WHOLE, 0.7)
    assert [e.key for e in known_examples(records, TASK, WHOLE, before=moment)] == [early]
    named = known_examples(records, TASK, WHOLE, before=moment, also=[late])
    assert {e.key for e in named} == {early, late}


def test_networks_that_are_asked_about(records: Records) -> None:
    key = train(records, "c = 1", RUNG, 0.3)
    (asked,) = asked_examples(records, [key], TASK, WHOLE)
    assert (asked.metric, asked.early) == (None, {(2, 100.0): 0.3})
    unknown = example_of(records, "d = 1", Verdict(ok=True, stage="backward", params=9), TASK, WHOLE)
    assert (unknown.early, unknown.figures["params"]) == ({}, 9)
