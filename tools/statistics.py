"""Confidence intervals, rank correlation and the stopping rule of a campaign.

*From Memorization to Creativity*, appendix K (intervals) and appendix D (stopping).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

CONFIDENCE: Final = 0.95  # appendix K
MIN_GAIN: Final = 0.01  # one percentage point; appendix D (the value is lost in the text)
STABLE_CYCLES: Final = 3  # appendix D: "three consecutive cycles"
# Our own guard: the published run gained under a point in a stretch of three before its rise began (28.06 to
# 29.88 % over cycles 1 to 5, table 3), so the rule as it is worded would have ended it at cycle 3.
MIN_CYCLES: Final = 6
_EXACT: Final = 1e-9  # 0.58 of 50 are 29, and .41 - .40 is .01, whatever binary fractions make of them


class Interval(NamedTuple):
    """An estimate with its confidence interval; ``None`` where the sample is too small to say."""

    estimate: float | None
    low: float | None
    high: float | None


class Summary(NamedTuple):
    """A sample in numbers. ``std`` is the sample deviation (n − 1); ``low`` and ``high`` bound the mean."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    best: float | None
    std: float | None


class CyclePoint(NamedTuple):
    """What the stopping rule looks at: mean metric of the trained networks of a cycle, how many of them lie
    above the threshold, and how many there are."""

    mean: float
    above: int
    trained: int


def wilson_interval(count: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """The Wilson score interval of a share.

    Of nothing (``total == 0``) nothing is known: no estimate, and the interval [0, 1].

    Raises:
        ValueError: not ``0 <= count <= total``.
    """
    if not 0 <= count <= total:
        raise ValueError(f"a share needs 0 <= count <= total, not {count} of {total}")
    if total == 0:
        return Interval(None, 0.0, 1.0)
    from scipy import stats  # here, because it takes half a second to load

    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = count / total
    weight = 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / weight
    half = z / weight * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At the ends the bound is exactly 0 or 1; rounding must not move it past the estimate.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return Interval(share, low, high)


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE, *, share: bool = False) -> Interval:
    """Student's t-interval of a mean. No value: nothing; one value: a mean without an interval.

    Args:
        share: the values lie in 0 to 1, so the interval of their mean does too.

    Raises:
        ValueError: a value is not finite.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError("an interval needs finite values: leave out the trials that have no score")
    if not values:
        return Interval(None, None, None)
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Interval(mean, None, None)
    from scipy import stats

    quantile = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1))
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    low, high = mean - half, mean + half
    return Interval(mean, max(0.0, low), min(1.0, high)) if share else Interval(mean, low, high)


def summarise(values: Sequence[float], confidence: float = CONFIDENCE, *, share: bool = False) -> Summary:
    """Mean with its :func:`t_interval`, median, best and deviation of a sample; ``None`` where it is too small."""
    mean, low, high = t_interval(values, confidence, share=share)
    return Summary(
        n=len(values),
        mean=mean,
        low=low,
        high=high,
        median=statistics.median(values) if values else None,
        best=max(values, default=None),
        std=statistics.stdev(values) if len(values) > 1 else None,
    )


def rank_correlation(some: Any, others: Any) -> float | None:
    """Spearman's rank correlation of two samples, (N,) each; ``None`` below three, or where one does not vary."""
    import numpy as np
    from scipy import stats

    if len(some) < 3 or np.ptp(some) == 0 or np.ptp(others) == 0:
        return None
    return float(stats.spearmanr(some, others).statistic)


def should_stop(
    history: Sequence[CyclePoint],
    delta: float = MIN_GAIN,
    cycles: int = STABLE_CYCLES,
    min_cycles: int = MIN_CYCLES,
) -> bool:
    """Whether a campaign has stopped gaining (appendix D).

    True when, over the last ``cycles`` consecutive cycles, both hold:

    * the mean metric of the last of them is less than ``delta`` above that of the first of them, and
    * the share above the threshold is stable: the share of each of them lies in the Wilson interval of
      every other.

    A fall counts as no gain. Fewer cycles than ``cycles`` or ``min_cycles``, or one in which nothing was
    trained, is no ground to stop.

    Args:
        history: one point per finished cycle, in order.
        delta: gain of the mean metric, as a share of 1 (0.01 is one percentage point).
        min_cycles: finished cycles before the rule is heeded at all.

    Raises:
        ValueError: ``cycles`` is below 2.
    """
    if cycles < 2:
        raise ValueError(f"a trend needs at least two cycles, not {cycles}")
    last = history[-cycles:]
    if len(history) < max(cycles, min_cycles) or any(point.trained == 0 for point in last):
        return False
    if last[-1].mean - last[0].mean >= delta - _EXACT:
        return False
    shares = [point.above / point.trained for point in last]
    intervals = [wilson_interval(point.above, point.trained) for point in last]
    return all(
        interval.low is not None and interval.high is not None and interval.low <= share <= interval.high
        for interval in intervals
        for share in shares
    )


def threshold_for_share(metrics: Sequence[float], share: float) -> float:
    """The least threshold that at most ``share`` of the networks reaches: just above the best that must not.

    Of equal metrics all reach a threshold or none does, so fewer than that share may. 0 where all may, or there are
    no metrics.
    """
    ranked = sorted(metrics, reverse=True)
    allowed = math.floor(share * len(ranked) + _EXACT)
    return math.nextafter(ranked[allowed], math.inf) if allowed < len(ranked) else 0.0
