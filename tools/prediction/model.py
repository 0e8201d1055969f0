"""A predictor: boosted trees for the metric and for its bounds, which are then widened until they hold.

The middle is learned as a place among the networks on record. The bounds are quantiles that trees were boosted to, made
valid by conformal prediction: Romano, Patterson and Candès, "Conformalized Quantile Regression" (2019), with the scores
of the held-out folds of a cross-validation by families in place of those of one split, since records are few at first
(Vovk, "Cross-conformal predictors", 2015).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from .examples import Example
from .families import Matrix, families, signatures_of, similarities
from .features import KINDS, Features
from .trees import Scale, Trees, Values

CONFIDENCE: Final = 0.90
"""Of the interval: of 95 % one in twenty would have to be known, which a hundred networks do not tell."""
_LEVELS: Final = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
FOLDS: Final = 5
LEAST: Final = 40  # networks to learn from at all: below that a fold's model splits on next to nothing
FORMAT: Final = "prediction 1"
"""Names features and model: a prediction of another format is another predictor's."""


class PredictionError(ValueError):
    """There is not enough on record to predict from; the message says what is missing."""


class Forecast(NamedTuple):
    """A predicted metric in [0, 1] and the interval around it."""

    metric: float
    low: float
    high: float


class Predictor:
    """Predicts the metric of networks under one protocol from others that were trained under it.

    The same examples and seed make the same predictor, in whatever order they come.

    Args:
        examples: with their metrics.
        seed: of the folds and of the trees' choices.
        kinds: of features, see :data:`.features.KINDS`.

    Raises:
        PredictionError: fewer than :data:`LEAST` examples, or all of one family.
    """

    def __init__(self, examples: Sequence[Example], seed: int = 0, kinds: Sequence[str] = KINDS) -> None:
        known = sorted((one for one in examples if one.metric is not None), key=lambda one: one.key)
        if len(known) < LEAST:
            raise PredictionError(
                f"{len(known)} trained networks are on record under this protocol; a predictor needs {LEAST}: "
                "train more first (netwright campaign run, netwright evaluate)"
            )
        self.seed = seed
        self.learned_from = len(known)
        signatures = signatures_of(known)
        groups = families(known, similarities(signatures, signatures))
        if len(set(groups.tolist())) < FOLDS:
            raise PredictionError("the trained networks on record are all alike: nothing can be learned from them")
        self._features = Features(known, groups, kinds)
        metrics = np.array([one.metric for one in known], dtype=float)
        self._margins = _margins(known, metrics, groups, seed, kinds, self._features.stages)
        rows, targets = _stacked(self._features, self._features.rows(known, own=True), metrics)
        early = self._features.early(rows)
        self._scale = Scale(metrics)
        self._middle = Trees(rows, early, self._scale.place(targets), seed, (None,))
        self._bounds = Trees(rows, early, targets, seed, _LEVELS)
        self.identity = _identity(known, seed, kinds)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of what is looked at."""
        return self._features.names

    def predict(self, examples: Sequence[Example]) -> list[Forecast]:
        """The forecast for each network, in order; what is known of it early is used."""
        if not examples:
            return []
        rows = self._features.rows(examples)
        early = self._features.early(rows)
        (places,) = self._middle.predict(rows, early)
        low, high = self._bounds.predict(rows, early)
        margin = np.array(self._margins)[(~np.isnan(early)).sum(axis=1)]
        told = (self._scale.metric(places), np.clip(low - margin, 0.0, 1.0), np.clip(high + margin, 0.0, 1.0))
        return [
            Forecast(mid, min(lo, mid), max(hi, mid)) for mid, lo, hi in zip(*(x.tolist() for x in told), strict=True)
        ]


def _margins(
    known: Sequence[Example],
    metrics: Values,
    groups: npt.NDArray[np.int64],
    seed: int,
    kinds: Sequence[str],
    stages: int,
) -> list[float]:
    """By how much the bounds must be moved out so that they hold for the share of held-out networks they are to.

    One for each number of early metrics that may be known: with more of them the bounds are nearer.
    """
    scores: list[list[float]] = [[] for _ in range(stages + 1)]
    for train, held in folds(groups, seed):
        some = [known[at] for at in train]
        features = Features(some, groups[train], kinds)
        rows, targets = _stacked(features, features.rows(some, own=True), metrics[train])
        bounds = Trees(rows, features.early(rows), targets, seed, _LEVELS)
        asked = features.rows([known[at] for at in held])
        for stage, found in enumerate(scores):
            masked = features.without_early(asked, stage)
            low, high = bounds.predict(masked, features.early(masked))
            found += np.maximum(low - metrics[held], metrics[held] - high).tolist()
    return [_level(found) for found in scores]


def _level(scores: Sequence[float]) -> float:
    """The conformal quantile: of n scores the ⌈(n + 1) · confidence⌉-th from below."""
    return sorted(scores)[min(len(scores), math.ceil((len(scores) + 1) * CONFIDENCE)) - 1]


def folds(groups: npt.NDArray[np.int64], seed: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Places to learn from and places held out, of a cross-validation that divides no family."""
    yield from GroupKFold(FOLDS, shuffle=True, random_state=seed).split(groups, groups=groups)


def _stacked(features: Features, rows: Matrix, metrics: Values) -> tuple[Matrix, Values]:
    """Each network once for each number of early metrics that may be known of it when it is asked about."""
    parts, targets = [rows], [metrics]
    for known in range(features.stages):
        masked = features.without_early(rows, known)
        fewer = (np.isnan(masked) & ~np.isnan(rows)).any(axis=1)  # a network that has no more is in already
        parts.append(masked[fewer])
        targets.append(metrics[fewer])
    return np.vstack(parts), np.concatenate(targets)


def _identity(known: Sequence[Example], seed: int, kinds: Sequence[str]) -> str:
    told = [(one.key, one.metric, sorted(one.early.items())) for one in known]
    text = json.dumps([FORMAT, seed, sorted(kinds), told], allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
