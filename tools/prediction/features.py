"""Features of networks for a predictor: words of the code, static figures, early metrics, and the most alike.

Everything is read from text and from figures on record; nothing is run.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer

from ...memory.shingles import tokens
from .. import static_figures
from .examples import Example
from .families import Matrix, signatures_of, similarities

KINDS: Final = ("figures", "code", "alike", "early")
"""Static figures; words and sizes of the code; metrics of the most alike; metrics after a part of the training."""
FIGURES: Final = (*sorted(static_figures.COUNTS | static_figures.SIZES | static_figures.FLAGS), "params")
"""Figures that are numbers or flags, and missing where they are not known."""
WORDS: Final = 256  # phrases of the code that are counted, the most frequent: a fit takes seconds
RARE: Final = 0.02  # a phrase that fewer networks have teaches nothing
COMMON: Final = 0.98  # nor does one that nearly all have
ALIKE: Final = 8  # nearest networks whose metrics are looked at
SHARPNESS: Final = 3  # power of the similarity by which these are weighted

_KIND_OF: Final = {
    **dict.fromkeys(("figure", "layer", "parameters", "activation"), "figures"),
    **dict.fromkeys(("code", "word"), "code"),
    "alike": "alike",
    "early": "early",
}
_KEPT: Final = 4_096  # programs whose tokens are remembered: each is asked about once for every fold
_WORD: Final = re.compile(r"\w")
_JOINTS: Final = frozenset("=.,(")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_NEIGHBOUR_NAMES: Final = ("alike: mean metric", "alike: nearest metric", "alike: spread", "alike: similarity")
_SIZES: Final = ("tokens", "lines", "numbers", "largest number", "median number", "for", "def")


class Features:
    """Turns networks into rows of numbers; missing ones are NaN. Fit once on the networks that are learned from.

    Attributes:
        names: of the columns.
    """

    def __init__(
        self, examples: Sequence[Example], families: npt.NDArray[np.int64], kinds: Sequence[str] = KINDS
    ) -> None:
        """Learn which words, layers and early metrics there are.

        Args:
            examples: with their metrics.
            families: see :func:`.families.families`; a network's likes are looked for outside of its own family, so
                that what is learned of them holds for networks that are new.
            kinds: which of :data:`KINDS` to look at.
        """
        self._signatures = signatures_of(examples)
        self._metrics = np.array([one.metric for one in examples], dtype=float)
        self._families = families
        self._tables = DictVectorizer(sparse=False).fit([_tables(one.figures) for one in examples])
        self._words = _counter(examples)
        self._early = sorted({cost for one in examples for cost in one.early}) if "early" in kinds else []
        names = (
            *(f"figure: {name}" for name in FIGURES),
            *self._tables.get_feature_names_out(),
            *(f"code: {name}" for name in _SIZES),
            *([] if self._words is None else (f"word: {word}" for word in self._words.get_feature_names_out())),
            *_NEIGHBOUR_NAMES,
            *(f"early: {epochs} epochs of {samples:g} samples" for epochs, samples in self._early),
        )
        self._columns = [place for place, name in enumerate(names) if _KIND_OF[name.partition(":")[0]] in kinds]
        self.names = tuple(names[place] for place in self._columns)

    @property
    def stages(self) -> int:
        """How many early metrics there are at most."""
        return len(self._early)

    def rows(self, examples: Sequence[Example], *, own: bool = False) -> Matrix:
        """One row per network, (N, len(names)).

        Args:
            own: they are the networks that were learned from, in their order.
        """
        if not examples:
            return np.empty((0, len(self.names)))
        alike = similarities(self._signatures if own else signatures_of(examples), self._signatures)
        if own:
            alike[self._families[:, None] == self._families[None, :]] = np.nan
        parts = [
            np.array([[_number(one.figures.get(name)) for name in FIGURES] for one in examples]),
            self._tables.transform([_tables(one.figures) for one in examples]),
            np.array([_sizes(one.source) for one in examples]),
            *([] if self._words is None else [self._words.transform([one.source for one in examples]).toarray()]),
            self._neighbours(alike),
            np.array([[one.early.get(cost, np.nan) for cost in self._early] for one in examples]).reshape(
                len(examples), len(self._early)
            ),
        ]
        return np.hstack([np.asarray(part, dtype=float) for part in parts])[:, self._columns]

    def early(self, rows: Matrix) -> Matrix:
        """The columns of early metrics, the cheapest first, (N, stages)."""
        return rows[:, len(self.names) - len(self._early) :]

    def without_early(self, rows: Matrix, known: int) -> Matrix:
        """The rows as they were when only the ``known`` cheapest early metrics had been measured."""
        masked = rows.copy()
        self.early(masked)[:, known:] = np.nan
        return masked

    def _neighbours(self, alike: Matrix) -> Matrix:
        """What the most alike networks reached: weighted mean, the nearest's, deviation, and how near that one is.

        Args:
            alike: similarities, (N, known); NaN for those that are not to be looked at.
        """
        order = np.argsort(-alike, axis=1, kind="stable")[:, :ALIKE]  # NaN comes last
        near = np.take_along_axis(alike, order, axis=1)
        reached = np.where(np.isnan(near), np.nan, self._metrics[order])
        weights = np.where(np.isnan(near), 0.0, np.fmax(near, 1e-3) ** SHARPNESS)
        mean = np.nansum(weights * reached, axis=1) / weights.sum(axis=1)
        return np.column_stack([mean, reached[:, 0], np.nanstd(reached, axis=1), near[:, 0]])


def phrases(source: str) -> Iterator[str]:
    """Words and numbers of a program, and pairs of them that belong together: ``std=0.02``, ``optim.SGD``."""
    found = _lexed(source)
    word = [bool(_WORD.match(one)) for one in found]
    for place, one in enumerate(found):
        if not word[place]:
            continue
        yield one
        if place + 2 < len(found) and word[place + 2] and found[place + 1] in _JOINTS:
            yield one + found[place + 1] + found[place + 2]


@lru_cache(maxsize=_KEPT)
def _lexed(source: str) -> tuple[str, ...]:
    return tuple(tokens(source))


def _counter(examples: Sequence[Example]) -> CountVectorizer | None:
    rare = max(2, int(RARE * len(examples)))
    counter = CountVectorizer(analyzer=phrases, min_df=rare, max_df=COMMON, max_features=WORDS)
    try:
        return counter.fit([one.source for one in examples])
    except ValueError:  # scikit-learn's way to say that no phrase is left: all programs are one
        return None


def _sizes(source: str) -> list[float]:
    found = _lexed(source)
    numbers = [int(one) for one in found if _NUMBER.fullmatch(one)]
    return [
        len(found),
        source.count("\n"),
        len(numbers),
        max(numbers, default=0),
        statistics.median(numbers) if numbers else 0,
        found.count("for"),
        found.count("def"),
    ]


def _tables(figures: Mapping[str, Any]) -> dict[str, float]:
    """Layers by type, shares of the parameters by type, kinds of activations."""
    meta = figures.get("stats_meta") or {}
    layers, params = meta.get("layer_types") or {}, meta.get("param_distribution") or {}
    total = sum(params.values()) or 1
    told = {f"layer: {name}": float(count) for name, count in layers.items()}
    told |= {f"parameters: {name}": count / total for name, count in params.items()}
    return told | {f"activation: {name}": 1.0 for name in figures.get("activation_types") or ()}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
