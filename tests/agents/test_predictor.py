"""What the predictor decides is on record first, is decided once, and does not depend on when it is asked."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.agents.predictor import PredictorAgent
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle, Generation, Prediction
from netwright.memory.types import Candidate, Protocol, Task, Trial, candidate_id
from netwright.tools.generators.corpus import build_corpus
from netwright.tools.report import campaign_report, report_html

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")
pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture(scope="module")
def sources() -> list[str]:
    found = {candidate_id(p.source): p.source for p in build_corpus(99, 240) if p.header.in_shape == (1, 8, 8)}
    assert len(found) >= 70
    return list(found.values())[:70]


def metric_of(source: str) -> float:
    return (0.8 if "BatchNorm" in source else 0.4) + (len(source) % 100) / 1_000


def train(records: Records, source: str, metric: float) -> str:
    key = records.add_candidate(Candidate(source=source))
    place = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": PROTOCOL.hash}
    if records.start_trial(**place).state == "running":
        records.finish_trial(Trial.model_validate({**place, "state": "complete", "metric": metric}))
    return key


def train_known(records: Records, sources: list[str], key: str, metric: float) -> float:
    train(records, next(source for source in sources if candidate_id(source) == key), metric)
    return metric


def begin(records: Records, name: str) -> None:
    records.create_campaign(Campaign(id=name, task_id=TASK.id, protocol_hash=PROTOCOL.hash))
    records.put_cycle(Cycle(campaign_id=name, n=1, threshold=0.5))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, sources: list[str]) -> Path:
    """Fifty trained networks from before the campaign ``c``, and twenty new ones."""
    path = tmp_path_factory.mktemp("predictor") / "records.db"
    with Records(f"sqlite:///{path}") as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        for source in sources[:50]:
            train(opened, source, metric_of(source))
        begin(opened, "c")
        opened.add_candidates(Candidate(source=source) for source in sources[50:])
    return path


@pytest.fixture(scope="module")
def predicted(few_trees: None, filled: Path, sources: list[str]) -> list[Prediction]:
    """What the agent predicts of the new ones: learned once, and decided on in a copy of the records."""
    with Records(f"sqlite:///{shutil.copy(filled, filled.with_name('decided.db'))}") as opened:
        agent(opened).decide("c", 1, new(sources))
        return opened.predictions("c")


@pytest.fixture
def records(filled: Path, tmp_path: Path) -> Iterator[Records]:
    """A copy of the records for each test."""
    with Records(f"sqlite:///{shutil.copy(filled, tmp_path)}") as opened:
        yield opened


@pytest.fixture
def decided(predicted: list[Prediction], filled: Path, tmp_path: Path) -> Iterator[Records]:
    """A copy of the records in which the agent has decided."""
    with Records(f"sqlite:///{shutil.copy(filled.with_name('decided.db'), tmp_path)}") as opened:
        yield opened


def agent(records: Records, keep: float = 0.3, least: int = 40) -> PredictorAgent:
    return PredictorAgent(records, TASK, PROTOCOL, seed=5, keep=keep, least=least)


def new(sources: list[str]) -> list[str]:
    return [candidate_id(source) for source in sources[50:]]


def test_the_best_share_is_kept_and_no_trial_is_ended(decided: Records, sources: list[str]) -> None:
    found = decided.predictions("c")
    assert [one.place for one in found] == list(range(1, 21))
    assert [one.kept for one in found] == [True] * 6 + [False] * 14
    assert all(a.metric >= b.metric for a, b in itertools.pairwise(found))
    assert {one.learned_from for one in found} == {50}
    assert not decided.get_trials(new(sources), TASK.id, PROTOCOL.hash), (
        "another campaign may train what this one passes"
    )


def test_asked_again_it_has_decided(decided: Records, sources: list[str], predicted: list[Prediction]) -> None:
    train(decided, "late = 1", 0.99)
    agent(decided, keep=1.0).decide("c", 1, new(sources))
    assert decided.predictions("c") == predicted


def test_what_was_passed_over_is_not_ranked_again(decided: Records, sources: list[str]) -> None:
    """A later cycle ranks anew only what an earlier one kept and has no score yet."""
    kept = {one.candidate_id for one in decided.predictions("c") if one.kept}
    agent(decided).decide("c", 2, new(sources))
    assert {one.candidate_id for one in decided.predictions("c", 2)} == kept


def test_others_that_train_meanwhile_change_nothing(
    records: Records, sources: list[str], predicted: list[Prediction]
) -> None:
    """Learned is from what ended before the campaign began and from the campaign's own earlier rounds."""
    ids = new(sources)
    train(records, "other = 1", 0.01)
    train(records, sources[50], 0.99)
    assert agent(records)._predictions("c", 1, ids) == predicted
    own = train(records, "own = 1", 0.5)
    records.put_admission(Admission(campaign_id="c", cycle=1, candidate_id=own, admitted=True, metric=0.5))
    grown = agent(records)._predictions("c", 2, ids)
    assert {one.learned_from for one in grown} == {51}


def test_what_others_make_of_the_passed_over_changes_nothing(decided: Records, sources: list[str]) -> None:
    told = {one.candidate_id: one.kept for one in decided.predictions("c")}
    for key, kept in told.items():
        metric = train_known(decided, sources, key, 0.5) if kept else None
        decided.put_admission(Admission(campaign_id="c", cycle=1, candidate_id=key, admitted=False, metric=metric))
    later = [decided.add_candidate(Candidate(source=f"{source}\nlater = 1\n")) for source in sources[50:60]]
    before = agent(decided)._predictions("c", 2, later)
    assert {one.learned_from for one in before} == {56}
    train_known(decided, sources, next(key for key, kept in told.items() if not kept), 0.999)
    assert agent(decided)._predictions("c", 2, later) == before
    again = next(key for key, kept in told.items() if kept)
    assert agent(decided)._predictions("c", 2, [again, *later]) == before, "what is written again is still learned from"


def test_with_too_little_on_record_everything_is_trained(records: Records, sources: list[str]) -> None:
    agent(records, least=51).decide("c", 1, new(sources))
    assert records.predictions("c") == []
    assert not records.get_trials(new(sources), TASK.id, PROTOCOL.hash)


def test_what_was_trained_before_is_not_ranked(records: Records, sources: list[str]) -> None:
    ids = new(sources)
    train(records, sources[50], 0.7)
    begin(records, "later")
    agent(records).decide("later", 1, ids)
    assert {one.candidate_id for one in records.predictions("later")} == set(ids[1:])


def test_the_report_sets_predictions_beside_what_came_of_them(decided: Records, sources: list[str]) -> None:
    for slot, key in enumerate(new(sources)):
        place = {"campaign_id": "c", "cycle": 1, "slot": slot, "answer": "x", "valid_by": "generation", "novel": True}
        decided.put_generation(Generation.model_validate({**place, "candidate_id": key, "raw_candidate_id": key}))
    for one in decided.predictions("c"):
        if one.kept:
            source = next(s for s in sources if candidate_id(s) == one.candidate_id)
            train(decided, source, metric_of(source))
        else:  # by another campaign: not this one's to count
            train(decided, next(s for s in sources if candidate_id(s) == one.candidate_id), 0.99)
    (cycle,) = campaign_report(decided, "c").cycles
    assert (cycle.trained, cycle.failed_trials) == (6, 0)
    assert cycle.foreseen is not None
    assert (cycle.foreseen.ranked, cycle.foreseen.pruned, cycle.foreseen.n) == (20, 14, 6)
    assert cycle.foreseen.learned_from == 50
    assert cycle.foreseen.error is not None
    assert cycle.foreseen.error < 0.3
    assert "Predictions before training" in report_html(campaign_report(decided, "c"))
