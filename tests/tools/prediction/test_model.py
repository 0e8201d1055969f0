"""What can be learned is learned, intervals hold, and nothing depends on order or chance."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from netwright.memory.types import Protocol, Task
from netwright.tools.prediction.evaluation import _kept, forward, held_out
from netwright.tools.prediction.examples import Example
from netwright.tools.prediction.families import families, signatures_of, similarities
from netwright.tools.prediction.features import KINDS, Features, phrases
from netwright.tools.prediction.model import CONFIDENCE, LEAST, PredictionError, Predictor, _identity, _level, folds
from netwright.tools.prediction.report import PredictorReport, predictor_report, read_predictor, write_predictor
from scipy.stats import spearmanr

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
LEARNED = 50  # of the examples; the others are new to the predictor
pytestmark = pytest.mark.usefixtures("few_trees")


def asked(examples: list[Example]) -> list[Example]:
    return [dataclasses.replace(one, metric=None) for one in examples]


@pytest.fixture(scope="module")
def predictor(few_trees: None, examples: list[Example]) -> Predictor:
    return Predictor(examples[:LEARNED], seed=3)


@pytest.fixture(scope="module")
def cycles(examples: list[Example]) -> dict[str, int]:
    """Forty networks in cycle 1, and fifteen in each of 2 and 3."""
    return {one.key: 1 + max(0, place - 25) // 15 for place, one in enumerate(examples)}


@pytest.fixture(scope="module")
def report(few_trees: None, examples: list[Example], cycles: dict[str, int]) -> PredictorReport:
    return predictor_report(examples, TASK, Protocol(name="one-epoch"), seed=1, cycles=cycles)


def test_networks_that_it_never_saw_are_ranked(predictor: Predictor, examples: list[Example]) -> None:
    new = examples[LEARNED:]
    told = predictor.predict(asked(new))
    assert spearmanr([one.metric for one in told], [one.metric for one in new]).statistic > 0.6
    assert all(0 <= one.low <= one.metric <= one.high <= 1 for one in told)
    inside = sum(one.low <= (given.metric or 0) <= one.high for one, given in zip(told, new, strict=True))
    assert inside >= 0.7 * len(new)


def test_order_does_not_matter_and_every_metric_does(predictor: Predictor, examples: list[Example]) -> None:
    some = examples[:LEARNED]
    again = Predictor(some[::-1], seed=3)
    assert again.identity == predictor.identity
    assert again.predict(asked(examples[60:65])) == predictor.predict(asked(examples[60:65]))
    changed = dataclasses.replace(examples[0], metric=0.123)
    assert _identity([changed, *some[1:]], 3, KINDS) != _identity(some, 3, KINDS)


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


def test_the_margin_is_the_conformal_quantile() -> None:
    scores = [float(n) for n in range(LEAST, 0, -1)]
    assert (CONFIDENCE, _level(scores)) == (0.9, 37.0), "the 37th of 40: nine in ten of 41"
    assert _level([3.0, 1.0]) == 3.0


def test_a_network_is_not_told_its_own_metric(examples: list[Example]) -> None:
    """The likes of a network are looked for outside of its family, in learning as in asking."""
    some = examples[:60]
    groups = np.arange(60)
    features = Features(some, groups)
    nearest = features.names.index("alike: similarity")
    assert features.rows(some, own=True)[:, nearest].max() < 1.0
    assert features.rows(some)[:, nearest].min() == 1.0
    groups = np.array([0] * 58 + [58, 59])
    own = Features(some, groups)
    mean, spread = (own.names.index(f"alike: {name}") for name in ("mean metric", "spread"))
    others = [one.metric or 0.0 for one in some[58:]]
    rows = own.rows(some, own=True)[:58]
    assert rows[:, spread] == pytest.approx(np.std(others)), "of two networks outside, whatever the family reached"
    assert rows[:, mean].min() >= min(others)
    assert rows[:, mean].max() <= max(others)


def test_early_metrics_are_used_where_they_are_known(examples: list[Example]) -> None:
    generator = np.random.default_rng(0)
    drawn = generator.uniform(0, 1, len(examples))
    cheap, dear = (1, 500.0), (1, 2_000.0)
    some = [
        dataclasses.replace(one, metric=float(m), early={cheap: float(m) * 0.5, dear: float(m) * 0.8})
        for one, m in zip(examples, drawn, strict=True)
    ]
    predictor = Predictor(some[:LEARNED])
    told = predictor.predict(asked(some[LEARNED:]))
    blind = predictor.predict([dataclasses.replace(one, early={}, metric=None) for one in some[LEARNED:]])
    reached = [one.metric for one in some[LEARNED:]]
    assert spearmanr([one.metric for one in told], reached).statistic > 0.9
    assert abs(spearmanr([one.metric for one in blind], reached).statistic) < 0.6


def test_quality_on_what_was_held_out(report: PredictorReport, examples: list[Example]) -> None:
    quality = report.held_out
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


def test_cycles_are_predicted_from_those_before(
    report: PredictorReport, examples: list[Example], cycles: dict[str, int]
) -> None:
    found = report.forward
    assert found is not None
    assert {one.key: one.group for one in found.points} == {key: cycle for key, cycle in cycles.items() if cycle > 1}
    assert found.n == 30
    assert forward(examples, dict.fromkeys(cycles, 1)) is None
    twins = [dataclasses.replace(examples[0], key=str(n)) for n in range(LEAST + 5)]
    alike = {one.key: 1 + place // LEAST for place, one in enumerate(twins)}
    assert forward(twins, alike) is None, "cycle 1 is of one family: nothing can be learned from it"


def test_a_share_is_kept_of_each_cycle() -> None:
    metrics, predicted = np.arange(8) / 10, np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7, 0.6])
    cycles = np.array([1] * 4 + [2] * 4)
    assert _kept(metrics, predicted, np.zeros_like(cycles), 0.5).mean == pytest.approx(0.55), "all of the second cycle"
    found = _kept(metrics, predicted, cycles, 0.5)
    assert (found.mean, found.best, found.top_found) == (pytest.approx((0.2 + 0.3 + 0.4 + 0.5) / 4), 0.5, 0.0)


def test_phrases_hold_what_belongs_together() -> None:
    found = set(phrases("nn.init.normal_(m.weight, std=0.02)\noptim.SGD(p, lr=prm['lr'])"))
    assert {"std=0.02", "optim.SGD", "nn.init", "normal_(m"} <= found


def test_report_is_written_and_read_again(report: PredictorReport, tmp_path: Path) -> None:
    files = write_predictor(report, tmp_path / "predictor")
    assert read_predictor(tmp_path / "predictor") == report
    assert read_predictor(tmp_path) is None
    assert json.loads(files.json.read_text())["held_out"]["n"] == report.learned_from
    page = files.html.read_text()
    assert page.count("<svg") == 2, "by families and by cycles"
    assert "http:" not in page
    assert files.png.read_bytes().startswith(b"\x89PNG")
    assert math.isfinite(report.held_out.width)
