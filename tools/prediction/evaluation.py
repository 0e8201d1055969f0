"""How good a predictor is on networks that it did not learn from: rank correlation, intervals, what pruning costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ...memory.types import Frozen
from ..statistics import rank_correlation, wilson_interval
from .examples import Example
from .families import families, signatures_of, similarities
from .features import KINDS
from .model import CONFIDENCE, FOLDS, FORMAT, LEAST, PredictionError, Predictor, folds
from .trees import Values

BOOTSTRAPS: Final = 2_000
BINS: Final = 8
KEPT: Final = (0.25, 0.5, 0.75)
"""Shares of the networks that would be trained, for the table of what pruning costs."""
TOP: Final = 0.1  # the best tenth is what a search is for
LEAST_HELD: Final = 5  # networks of a cycle: the ranks of fewer say next to nothing

How = Literal["families", "forward"]
Groups = npt.NDArray[np.int64]


class Estimate(Frozen):
    """A number with its 95 % bootstrap interval: families drawn anew, or the networks within each cycle."""

    value: float | None
    low: float | None
    high: float | None


class Point(Frozen):
    """One held-out network: what was predicted and what it reached; ``group`` is its family, or its cycle."""

    key: str
    metric: float
    predicted: float
    low: float
    high: float
    group: int


class Bin(Frozen):
    """Held-out networks of like predictions: medians of what was predicted and reached, how many the interval held."""

    n: int
    predicted: float
    metric: float
    covered: int


class Kept(Frozen):
    """What training only the best by prediction would have cost.

    Attributes:
        share: of the networks that are trained: of all, or of each cycle where cycles are predicted.
        top_found: share of the best tenth that is among them.
        mean: metric of those; ``best`` the best of them.
    """

    share: float
    top_found: float
    mean: float
    best: float


class Quality(Frozen):
    """A predictor on held-out networks.

    Attributes:
        how: ``families``: cross-validation that divides no family; ``forward``: each cycle from the cycles before.
        spearman: rank correlation of what was predicted and reached; within cycles, in the mean, where ``forward``.
        error: mean absolute error; ``baseline`` that of always predicting the mean of what was learned from.
        covered: share of networks in the interval, with the Wilson interval; ``width`` of the interval in the mean.
        confidence: the share that it is to hold.
    """

    how: How
    n: int
    groups: int
    spearman: Estimate
    error: float
    baseline: float
    covered: float
    covered_low: float
    covered_high: float
    width: float
    confidence: float
    mean: float
    best: float
    bins: tuple[Bin, ...]
    kept: tuple[Kept, ...]
    points: tuple[Point, ...]
    format: str = FORMAT


def held_out(examples: Sequence[Example], seed: int = 0, early: bool = False, kinds: Sequence[str] = KINDS) -> Quality:
    """Predict each family from the others.

    Args:
        early: tell the predictor the early metrics of the networks that are held out.
        kinds: of features that it looks at.

    Raises:
        PredictionError: too few examples; a fifth of them is held out at a time.
    """
    known = sorted((one for one in examples if one.metric is not None), key=lambda one: one.key)
    signatures = signatures_of(known)
    groups = families(known, similarities(signatures, signatures)) if known else np.array([], dtype=np.int64)
    if len(known) >= LEAST and len(set(groups.tolist())) < FOLDS:
        raise PredictionError("the trained networks on record are all alike: none can be held out")
    parts = list(folds(groups, seed)) if len(known) >= LEAST else []
    if not parts or min(len(train) for train, _ in parts) < LEAST:
        raise PredictionError(
            f"{len(known)} trained networks are on record under this protocol: to hold a fifth out and learn from "
            f"{LEAST}, about {int(1.25 * LEAST)} are needed: train more first (netwright campaign run)"
        )
    points, bases = [], []
    for train, held in parts:
        predictor = Predictor([known[at] for at in train], seed, kinds)
        asked = [known[at] if early else _hidden(known[at]) for at in held]
        found = predictor.predict(asked)
        mean = float(np.mean([known[at].metric for at in train]))
        for at, told in zip(held, found, strict=True):
            points.append(_point(known[at], told, int(groups[at])))
            bases.append(abs(mean - points[-1].metric))
    return _quality("families", points, bases, seed)


def forward(examples: Sequence[Example], cycles: Mapping[str, int], seed: int = 0) -> Quality | None:
    """Predict each cycle of a campaign from the cycles before it, as a campaign does; ``None`` with too few cycles.

    Cycles before which there is too little to learn from are left out.

    Args:
        cycles: the cycle of each example.
    """
    points: list[Point] = []
    bases: list[float] = []
    known = sorted((one for one in examples if one.metric is not None and one.key in cycles), key=lambda one: one.key)
    for cycle in sorted(set(cycles.values())):
        train = [one for one in known if cycles[one.key] < cycle]
        held = [one for one in known if cycles[one.key] == cycle]
        if len(held) < LEAST_HELD:
            continue
        try:
            predictor = Predictor(train, seed)
        except PredictionError:
            continue
        found = predictor.predict([_hidden(one) for one in held])
        mean = float(np.mean([one.metric for one in train]))
        points += [_point(one, told, cycle) for one, told in zip(held, found, strict=True)]
        bases += [abs(mean - float(one.metric or 0.0)) for one in held]
    return _quality("forward", points, bases, seed) if points else None


def _hidden(example: Example) -> Example:
    """An example of which nothing was measured yet."""
    return replace(example, early={}, metric=None)


def _point(example: Example, told: tuple[float, float, float], group: int) -> Point:
    assert example.metric is not None  # only known ones are held out
    middle, low, high = told
    return Point(key=example.key, metric=example.metric, predicted=middle, low=low, high=high, group=group)


def _quality(how: How, points: Sequence[Point], bases: Sequence[float], seed: int) -> Quality:
    metrics = np.array([one.metric for one in points])
    predicted = np.array([one.predicted for one in points])
    groups = np.array([one.group for one in points], dtype=np.int64)
    ranked = groups if how == "forward" else np.zeros_like(groups)  # a campaign ranks one cycle at a time
    held = sum(one.low <= one.metric <= one.high for one in points)
    share, low, high = wilson_interval(held, len(points))
    return Quality(
        how=how,
        n=len(points),
        groups=len(np.unique(groups)),
        spearman=_bootstrap(metrics, predicted, groups, seed, within=how == "forward"),
        error=float(np.abs(metrics - predicted).mean()),
        baseline=float(np.mean(bases)),
        covered=share or 0.0,
        covered_low=low or 0.0,
        covered_high=1.0 if high is None else high,
        width=float(np.mean([one.high - one.low for one in points])),
        confidence=CONFIDENCE,
        mean=float(metrics.mean()),
        best=float(metrics.max()),
        bins=tuple(_bins(points)),
        kept=tuple(_kept(metrics, predicted, ranked, share) for share in KEPT),
        points=tuple(points),
    )


def _within(metrics: Values, predicted: Values, groups: Groups) -> float | None:
    """The mean over groups of the correlation within each, weighted by their sizes."""
    found, sizes = [], []
    for group in np.unique(groups):
        one = rank_correlation(metrics[groups == group], predicted[groups == group])
        if one is not None:
            found.append(one)
            sizes.append(int((groups == group).sum()))
    return float(np.average(found, weights=sizes)) if found else None


def _bootstrap(metrics: Values, predicted: Values, groups: Groups, seed: int, *, within: bool) -> Estimate:
    """The correlation, and its percentile interval when networks are drawn anew.

    Args:
        within: correlate and draw within each group; else over all of them, and draw whole groups.
    """

    def rank(places: Groups) -> float | None:
        if within:
            return _within(metrics[places], predicted[places], groups[places])
        return rank_correlation(metrics[places], predicted[places])

    generator = np.random.default_rng(seed)
    draw = _members(groups, whole=not within)
    drawn = [value for _ in range(BOOTSTRAPS) if (value := rank(draw(generator))) is not None]
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist() if drawn else (None, None)
    return Estimate(value=rank(np.arange(len(metrics), dtype=np.int64)), low=low, high=high)


def _members(groups: Groups, whole: bool) -> Callable[[np.random.Generator], Groups]:
    """Draws places with replacement: whole groups, or members within each group."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]

    def groups_drawn(generator: np.random.Generator) -> Groups:
        return np.concatenate([members[at] for at in generator.integers(len(members), size=len(members))])

    def members_drawn(generator: np.random.Generator) -> Groups:
        return np.concatenate([one[generator.integers(len(one), size=len(one))] for one in members])

    return groups_drawn if whole else members_drawn


def _bins(points: Sequence[Point]) -> Iterator[Bin]:
    """Networks in the order of their predictions, in parts of equal size."""
    ordered = sorted(points, key=lambda one: (one.predicted, one.key))
    for part in np.array_split(np.arange(len(ordered)), min(BINS, len(ordered))):
        some = [ordered[at] for at in part]
        yield Bin(
            n=len(some),
            predicted=float(np.median([one.predicted for one in some])),
            metric=float(np.median([one.metric for one in some])),
            covered=sum(one.low <= one.metric <= one.high for one in some),
        )


def _kept(metrics: Values, predicted: Values, groups: Groups, share: float) -> Kept:
    """What training the best ``share`` of each group finds, at least one of each."""
    parts = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    trained = np.concatenate(
        [one[np.argsort(-predicted[one], kind="stable")[: math.ceil(share * len(one))]] for one in parts]
    )
    best = np.argsort(-metrics, kind="stable")[: max(1, round(TOP * len(metrics)))]
    return Kept(
        share=share,
        top_found=float(np.isin(best, trained).mean()),
        mean=float(metrics[trained].mean()),
        best=float(metrics[trained].max()),
    )
