"""Boosted trees of a network's metric, and the scale on which its middle is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingRegressor

from .families import Matrix

Values = npt.NDArray[np.float64]

_TREES: Final[dict[str, Any]] = {
    "n_estimators": 100,
    "learning_rate": 0.08,
    "max_depth": 3,
    "min_samples_leaf": 4,
    "max_features": 0.2,
    "subsample": 0.7,
}
"""Small trees, each on a part of networks and features: a campaign has hundreds of networks and hundreds of features.
Trees by histograms, which large tables need, took five times as long for 200 networks."""
_EARLY_TREES: Final[dict[str, Any]] = {"n_estimators": 60, "learning_rate": 0.1, "max_depth": 2, "min_samples_leaf": 4}
"""For early metrics, which are few and say most: among hundreds of features few trees would look at them."""
_MISSING: Final = -1.0  # below every figure and metric, so that a tree can tell it apart
_END: Final = 1e-9


class Scale:
    """Metrics as places in (0, 1) among those that were learned from, and back.

    Metrics crowd: many good networks within two points, and some that learned nothing. Places are even, so that trees
    see differences among the good ones.
    """

    def __init__(self, metrics: Values) -> None:
        values, counts = np.unique(metrics, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2) / len(metrics)
        self._values = np.concatenate([[-_END], values, [1 + _END]])
        self._places = np.concatenate([[0.0], middle, [1.0]])

    def place(self, metrics: Values) -> Values:
        """Places of metrics; between known ones in proportion."""
        return np.asarray(np.interp(metrics, self._values, self._places), dtype=float)

    def metric(self, places: Values) -> Values:
        """Metrics at places, in [0, 1]."""
        return np.asarray(np.clip(np.interp(places, self._places, self._values), 0.0, 1.0), dtype=float)


class Trees:
    """Models of one target: what early metrics tell of it, and trees on all features for the rest.

    Args:
        rows: features, (N, F); missing ones are NaN.
        early: the early metrics among them, (N, E).
        target: to learn, (N,).
        levels: quantiles that are predicted, a model each; ``None`` stands for the mean.
    """

    def __init__(self, rows: Matrix, early: Matrix, target: Values, seed: int, levels: Sequence[float | None]) -> None:
        self._first = _fit(early, target, seed, **_EARLY_TREES) if early.shape[1] else None
        rest = target - self._start(early)
        self._rest = [_fit(rows, rest, seed, **_TREES, **_loss(level)) for level in levels]

    def predict(self, rows: Matrix, early: Matrix) -> list[Values]:
        """For each level the target of each row."""
        start = self._start(early)
        return [start + _ask(model, rows) for model in self._rest]

    def _start(self, early: Matrix) -> Values:
        return np.zeros(len(early)) if self._first is None else _ask(self._first, early)


def _loss(level: float | None) -> dict[str, Any]:
    return {} if level is None else {"loss": "quantile", "alpha": level}


def _fit(rows: Matrix, places: Values, seed: int, **how: Any) -> Any:
    return GradientBoostingRegressor(random_state=seed, **how).fit(np.nan_to_num(rows, nan=_MISSING), places)


def _ask(model: Any, rows: Matrix) -> Values:
    return np.asarray(model.predict(np.nan_to_num(rows, nan=_MISSING)), dtype=float)
