"""What a tune is given: the admitted networks, and the best of the others while those are few."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netwright.agents.learner import Learner
from netwright.agents.models import ModelConfig
from netwright.agents.models.factory import open_chat_model
from netwright.memory.adapters import AdapterStore
from netwright.memory.corpus import Corpus
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle, Generation
from netwright.memory.types import Candidate, Request
from netwright.tools.finetuning import TuneConfig, TuneReport, TuningPair, tune
from netwright.tools.protocols import protocol
from netwright.tools.stopping import Stopped
from netwright.tools.tasks import task

TASK, PROTOCOL = task("digits"), protocol("digits-1ep")
HEADER = "[human]\n# task=img-classification in=1x8x8 out=10 params=any style=any"
# By cycle: what each network reached, and whether it was admitted; None is a failed trial.
REACHED: dict[int, list[tuple[float | None, bool]]] = {
    1: [(0.2, False), (0.9, True), (0.7, False), (None, False)],
    2: [(0.8, False), (0.95, True), (0.7, False)],
}


@pytest.fixture
def records() -> Iterator[Records]:
    with Records() as made:
        made.add_task(TASK)
        made.add_protocol(PROTOCOL)
        made.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        for cycle, networks in REACHED.items():
            made.put_cycle(Cycle(campaign_id="c", n=cycle, threshold=0.85))
            for slot, (metric, admitted) in enumerate(networks):
                source = f"class Net: reached = {metric}, {cycle}, {slot}"
                key = made.add_candidate(Candidate(source=source))
                made.put_generation(Generation(campaign_id="c", cycle=cycle, slot=slot, raw_candidate_id=key,
                                               candidate_id=key, valid_by="generation", prompt=HEADER))  # fmt: skip
                made.put_admission(Admission(campaign_id="c", cycle=cycle, candidate_id=key, admitted=admitted,
                                             reasons=(), metric=metric))  # fmt: skip
        yield made


@pytest.mark.parametrize(
    ("least", "cycle", "scores"),
    [
        (0, 2, [0.9, 0.95]),
        (1, 2, [0.9, 0.95]),
        (2, 1, [0.9, 0.7]),
        (4, 2, [0.9, 0.95, 0.8, 0.7]),
        (9, 2, [0.9, 0.95, 0.8, 0.7, 0.7, 0.2]),
    ],
)
def test_the_best_below_the_threshold_fill_up(records: Records, least: int, cycle: int, scores: list[float]) -> None:
    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "c"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(), seed=0, limits_hash="", least_pairs=least,
    )  # fmt: skip
    assert [pair.score for pair in learner.pairs("c", cycle)] == scores


@pytest.mark.parametrize(
    ("share", "scores"), [(0.3, [0.9, 0.95]), (0.5, [0.9, 0.95, 0.8]), (0.7, [0.9, 0.95, 0.8, 0.7, 0.7])]
)
def test_a_tune_has_at_least_a_share_of_what_was_trained(records: Records, share: float, scores: list[float]) -> None:
    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "c"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(), seed=0, limits_hash="", least_share=share,
    )  # fmt: skip
    assert [pair.score for pair in learner.pairs("c", 2)] == scores


@pytest.mark.parametrize(("most", "kept"), [(1, "b"), (2, "ab"), (3, "abd"), (9, "abcd")])
def test_of_more_pairs_the_best_of_each_prompt_are_taken_in_turn(records: Records, most: int, kept: str) -> None:
    records.create_campaign(Campaign(id="d", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
    records.put_cycle(Cycle(campaign_id="d", n=1, threshold=0.5))
    for slot, (name, style, metric) in enumerate(
        [("a", "mlp", 0.6), ("b", "dense", 0.9), ("c", "dense", 0.7), ("d", "dense", 0.8)]
    ):
        key = records.add_candidate(Candidate(source=name))
        prompt = HEADER.replace("style=any", f"style={style}")
        records.put_generation(Generation(campaign_id="d", cycle=1, slot=slot, raw_candidate_id=key,
                                          candidate_id=key, valid_by="generation", prompt=prompt))  # fmt: skip
        records.put_admission(Admission(campaign_id="d", cycle=1, candidate_id=key, admitted=True, reasons=(),
                                        metric=metric))  # fmt: skip
    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "d"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(), seed=0, limits_hash="", most_pairs=most,
    )  # fmt: skip
    assert "".join(pair.completion for pair in learner.pairs("d", 1)) == kept


@pytest.mark.parametrize("from_base", [False, True])
def test_a_tune_goes_on_from_the_newest_adapter_or_begins_anew(
    records: Records, monkeypatch: pytest.MonkeyPatch, from_base: bool
) -> None:
    begun: list[str | None] = []

    def watched(*args: Any, start_adapter: Path | None, **options: Any) -> TuneReport:
        begun.append(start_adapter and start_adapter.name)
        return tune(*args, start_adapter=start_adapter, **options)

    monkeypatch.setattr("netwright.agents.learner.tune", watched)
    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "c"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(steps=1, replay=0), seed=0, limits_hash="", from_base=from_base,
    )  # fmt: skip
    first = learner.tune("c", 1)
    second = learner.tune("c", 2)
    assert first is not None
    assert second is not None
    assert begun == [None, None if from_base else Path(first.path).name]
    assert Path(second.path) == learner.newest()
    assert (first.parent, second.parent) == (None, None if from_base else 1)


def test_a_stopped_tune_goes_on_and_leaves_nothing_behind(records: Records) -> None:
    stops = iter([False, True])  # after the last step nobody asks
    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "c"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(steps=3, replay=0), seed=0, limits_hash="", stopping=lambda: next(stops),
    )  # fmt: skip
    with pytest.raises(Stopped, match="after 2 of 3 steps"):
        learner.tune("c", 1)
    assert learner.newest() is None
    adapter = learner.tune("c", 1)
    assert adapter is not None
    assert adapter.metrics["steps"] == 3
    assert [path.name for path in Path(adapter.path).parent.iterdir()] == ["cycle-001"]


def test_skeletons_are_of_admitted_networks_alone(records: Records) -> None:
    given: list[float | None] = []

    class Watched:
        def train(self, pairs: list[TuningPair], replay: object, cycle: int, folder: Path, start: object) -> None:
            given.extend(pair.score for pair in pairs)
            shutil.copytree(open_chat_model(ModelConfig()).base_folder or "", folder, dirs_exist_ok=True)

    learner = Learner(
        open_chat_model(ModelConfig()), records, AdapterStore(records, "c"), Corpus(records), Request(task=TASK), [],
        TuneConfig.embedded(), seed=0, limits_hash="", least_pairs=9, most_pairs=9,
        reinforcer=Watched(), improvement=lambda cycle: ("grpo",),  # type: ignore[arg-type]
    )  # fmt: skip
    assert learner.tune("c", 2) is not None
    assert given == [0.9, 0.95]
