"""The collapse guard: what counts as a collapse, and that its adapter is taken back once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.agents.collapse import CollapseGuard, cycle_health
from netwright.agents.learner import Learner
from netwright.agents.models import ModelConfig
from netwright.agents.models.factory import ChatModelHandle, open_chat_model
from netwright.memory.adapters import AdapterStore
from netwright.memory.corpus import Corpus
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle, Generation
from netwright.memory.types import Candidate, Request
from netwright.tools.diversity import mean_distance
from netwright.tools.finetuning import TuneConfig, TuningPair
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task

TASK, PROTOCOL = task("digits"), protocol("digits-1ep")
HEADER = "# task=img-classification in=1x8x8 out=10 params=any style=any"
VARIED = [f"def f{n}(x):\n    return [{n}, {n * 7}, {n + 31}, {n * n}, x, x + {n}]\n" for n in range(8)]
GUARD = CollapseGuard(valid=0.5, distance=0.7)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path))
    with Records() as made:
        made.add_task(TASK)
        made.add_protocol(PROTOCOL)
        made.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        yield made


def write(records: Records, cycle: int, sources: list[str], valid: int, adapter: str | None = None) -> None:
    records.put_cycle(Cycle(campaign_id="c", n=cycle, adapter=adapter, threshold=0.5))
    for slot, source in enumerate(sources):
        key = records.add_candidate(Candidate(source=source))
        by = "generation" if slot < valid else "none"
        records.put_generation(
            Generation(campaign_id="c", cycle=cycle, slot=slot, raw_candidate_id=key, candidate_id=key, valid_by=by,
                       answer=source, prompt=f"[human]\n{HEADER}")
        )  # fmt: skip


def test_distance_is_none_of_one_text_zero_of_equal_ones_and_one_of_strangers() -> None:
    assert mean_distance(VARIED[:1]) is None
    assert mean_distance([VARIED[0]] * 3) == 0
    assert mean_distance(["a = 1", "while True: pass"]) == 1


@pytest.mark.parametrize(
    ("sources", "valid", "words"),
    [
        (VARIED, 8, None),
        (VARIED, 4, None),
        (VARIED, 3, "valid rate 0.375 is below 0.5 of cycle 1's 1.000"),
        ([VARIED[0]] * 7 + [VARIED[1]], 8, "mean distance"),
    ],
)
def test_a_cycle_is_compared_with_the_first(
    records: Records, sources: list[str], valid: int, words: str | None
) -> None:
    write(records, 1, VARIED, 8)
    write(records, 2, sources, valid)
    assert GUARD.collapsed(records, "c", 1) is None
    reason = GUARD.collapsed(records, "c", 2)
    assert (reason is None) if words is None else (reason is not None and words in reason)


def test_answers_that_change_one_network_are_no_collapse(records: Records) -> None:
    write(records, 1, VARIED, valid=8)
    write(records, 2, [VARIED[0] + f"x = {n}\n" for n in range(8)], valid=8)
    guard = CollapseGuard(valid=0.5, distance=0.7)
    assert "mean distance" in str(guard.collapsed(records, "c", 2))
    parent = records.add_candidate(Candidate(source=VARIED[0]))
    records.update_generations([g.model_copy(update={"parent": parent}) for g in records.generations("c", 2)])
    assert guard.collapsed(records, "c", 2) is None


def test_a_cycle_without_answers_has_no_health(records: Records) -> None:
    write(records, 1, [], 0)
    assert cycle_health(records, "c", 1) is None
    assert GUARD.collapsed(records, "c", 2) is None


def test_a_collapsed_adapter_is_taken_back_once_and_the_next_goes_on_from_the_one_before(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_room: list[int] = []
    monkeypatch.setattr(ChatModelHandle, "make_room", lambda handle: made_room.append(len(records.adapters("c"))))
    store = AdapterStore(records, "c")
    config = TuneConfig(steps=1, batch=2, replay=1)
    model = open_chat_model(ModelConfig())
    replay = [TuningPair.of(HEADER, VARIED[0])]
    learner = Learner(model, records, store, Corpus(records), Request(task=TASK), replay, config,
                      seed=0, limits_hash="", guard=GUARD)  # fmt: skip
    write(records, 1, VARIED, 8)
    key = records.generations("c", 1)[0].candidate_id
    assert key is not None
    records.put_admissions([Admission(campaign_id="c", cycle=1, candidate_id=key, admitted=True, reasons=(), metric=1)])
    first = learner.tune("c", 1)
    write(records, 2, VARIED, 8, adapter=first.path if first else None)
    second = learner.tune("c", 2)
    assert first is not None
    assert second is not None
    assert second.parent == 1
    assert second.metrics["collapse"] is None
    write(records, 3, VARIED, 1, adapter=second.path)
    third = learner.tune("c", 3)
    assert third is not None
    assert third.parent == 1
    assert "valid rate" in third.metrics["collapse"]
    assert [(a.cycle, a.state) for a in records.adapters("c")] == [(1, "active"), (2, "rolled_back"), (3, "active")]
    assert learner.tune("c", 3) == third
    assert made_room == [0, 1, 2], "a server makes room before each tune"
