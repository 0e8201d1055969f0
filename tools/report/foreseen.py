"""The part of a report that sets predictions beside what came of them."""

from __future__ import annotations

import statistics

from ...memory.rows import Prediction
from ..statistics import rank_correlation, wilson_interval
from .history import History
from .model import Foreseen, Share


def foreseen(history: History, cycle: int) -> Foreseen | None:
    """Predictions of a cycle and the metrics of the networks that were trained all the same."""
    told = [one for one in history.predictions if one.cycle == cycle]
    if not told:
        return None
    pairs = [(one, metric) for one in told if (metric := _metric(history, one)) is not None]
    held = sum(one.low <= metric <= one.high for one, metric in pairs)
    share, low, high = wilson_interval(held, len(pairs))
    return Foreseen(
        ranked=len(told),
        pruned=sum(not one.kept for one in told),
        learned_from=min(one.learned_from for one in told),
        n=len(pairs),
        spearman=rank_correlation([one.metric for one, _ in pairs], [metric for _, metric in pairs]),
        error=statistics.fmean(abs(one.metric - metric) for one, metric in pairs) if pairs else None,
        held=Share(count=held, share=share, low=low, high=high),
    )


def _metric(history: History, one: Prediction) -> float | None:
    trial = history.trials.get(one.candidate_id)
    return trial.metric if trial is not None and one.kept else None
