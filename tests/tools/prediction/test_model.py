"""What can be learned is learned, intervals hold, and nothing depends on order or chance."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from netwright.memory.types import Protocol, Task
from netwright.tools.prediction.evaluation import Quality, forward, held_out
from netwright.tools.prediction.examples import Example
from netwright.tools.prediction.families import families, signatures_of, similarities
from netwright.tools.prediction.features import Features, phrases
from netwright.tools.prediction.model import LEAST, PredictionError, Predictor, folds
from netwright.tools.prediction.report import predictor_report, read_predictor, write_predictor
from scipy.stats import spearmanr

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))


def asked(examples: list[Example]) -> list[Example]:
    return [dataclasses.replace(one, metric=None) for one in examples]


@pytest.fixture(scope="module")
def predictor(examples: list[Example]) -> Predictor:
    return Predictor(examples[:75], seed=3)


@pytest.fixture(scope="module")
def quality(examples: list[Example]) -> Quality:
    return held_out(examples, seed=1)


def test_networks_that_it_never_saw_are_ranked(predictor: Predictor, examples: list[Example]) -> None:
    new = examples[75:]
    told = predictor.predict(asked(new))
    assert spearmanr([one.metric for one in told], [one.metric for one in new]).statistic > 0.6
    assert all(0 <= one.low <= one.metric <= one.high <= 1 for one in told)
    inside = sum(one.low <= (given.metric or 0) <= one.high for one, given in zip(told, new, strict=True))
    assert inside >= 0.7 * len(new)


def test_order_does_not_matter_and_every_metric_does(examples: list[Example]) -> None:
    some = examples[:LEAST]
    one, again = Predictor(some, seed=3), Predictor(some[::-1], seed=3)
    assert again.identity == one.identity
    assert again.predict(asked(examples[90:95])) == one.predict(asked(examples[90:95]))
    changed = dataclasses.replace(examples[0], metric=0.123)
    assert Predictor([changed, *some[1:]], seed=3).identity != one.identity


def test_too_little_to_learn_from_is_said(examples: list[Example]) -> None:
    with pytest.raises(PredictionError, match=f"39 trained networks .* needs {LEAST}"):
        Predictor(examples[: LEAST - 1])
    with pytest.raises(PredictionError, match="to hold a fifth out"):
        held_out(examples[:LEAST])
    twins = [dataclasses.replace(examples[0], key=str(n)) for n in range(LEAST)]
    with pytest.raises(PredictionError, match="all alike"):
        Predictor(twins)


def test_near_duplicates_and_relatives_are_never_divided(examples: list[Example]) -> None:
    copy = dataclasses.replace(examples[0], key="copy", source=examples[0].source + "\n# a remark\n", figures={})
    child = dataclasses.replace(examples[1], key="child", source="x = 1", figures={}, parents=(examples[1].key,))
    same_graph = dataclasses.replace(examples[2], key="graph")
    some = [*examples[:20], copy, child, same_graph]
    signatures = signatures_of(some)
    groups = families(some, similarities(signatures, signatures))
    assert (groups[20], groups[21], groups[22]) == (groups[0], groups[1], groups[2])
    assert len(set(groups.tolist())) > 10
    for train, held in folds(groups, seed=0):
        assert not set(groups[train].tolist()) & set(groups[held].tolist())


def test_a_network_is_not_told_its_own_metric(examples: list[Example]) -> None:
    """The likes of a network are looked for outside of its family, in learning as in asking."""
    some = examples[:60]
    groups = np.arange(60)
    features = Features(some, groups)
    nearest = features.names.index("alike: similarity")
    assert features.rows(some, own=True)[:, nearest].max() < 1.0
    assert features.rows(some)[:, nearest].min() == 1.0


def test_early_metrics_are_used_where_they_are_known(examples: list[Example]) -> None:
    generator = np.random.default_rng(0)
    drawn = generator.uniform(0, 1, len(examples))
    cheap, dear = (1, 500.0), (1, 2_000.0)
    some = [
        dataclasses.replace(one, metric=float(m), early={cheap: float(m) * 0.5, dear: float(m) * 0.8})
        for one, m in zip(examples, drawn, strict=True)
    ]
    predictor = Predictor(some[:75])
    told = predictor.predict(asked(some[75:]))
    blind = predictor.predict([dataclasses.replace(one, early={}, metric=None) for one in some[75:]])
    reached = [one.metric for one in some[75:]]
    assert spearmanr([one.metric for one in told], reached).statistic > 0.9
    assert abs(spearmanr([one.metric for one in blind], reached).statistic) < 0.6


def test_quality_on_what_was_held_out(quality: Quality, examples: list[Example]) -> None:
    assert quality.n == len(examples)
    rank = quality.spearman
    assert rank.value is not None
    assert rank.low is not None
    assert rank.high is not None
    assert 0.5 < rank.low < rank.value < rank.high < 1
    assert quality.error < 0.7 * quality.baseline
    assert quality.covered_low <= quality.confidence <= quality.covered_high + 0.05
    assert sum(one.n for one in quality.bins) == quality.n
    assert [one.share for one in quality.kept] == [0.25, 0.5, 0.75]
    assert quality.kept[1].mean > quality.mean, "the better half is better than all"


def test_cycles_are_predicted_from_those_before(examples: list[Example]) -> None:
    cycles = {one.key: 1 + place // 45 for place, one in enumerate(examples)}
    found = forward(examples, cycles)
    assert found is not None
    assert {one.group for one in found.points} == {2, 3}
    assert found.n == 55
    assert forward(examples, dict.fromkeys(cycles, 1)) is None


def test_phrases_hold_what_belongs_together() -> None:
    found = set(phrases("nn.init.normal_(m.weight, std=0.02)\noptim.SGD(p, lr=prm['lr'])"))
    assert {"std=0.02", "optim.SGD", "nn.init", "normal_(m"} <= found


def test_report_is_written_and_read_again(examples: list[Example], tmp_path: Path) -> None:
    report = predictor_report(examples[:65], TASK, Protocol(name="one-epoch"))
    files = write_predictor(report, tmp_path / "predictor")
    assert read_predictor(tmp_path / "predictor") == report
    assert read_predictor(tmp_path) is None
    assert json.loads(files.json.read_text())["held_out"]["n"] == 65
    page = files.html.read_text()
    assert "<svg" in page
    assert "http:" not in page
    assert files.png.read_bytes().startswith(b"\x89PNG")
    assert math.isfinite(report.held_out.width)
