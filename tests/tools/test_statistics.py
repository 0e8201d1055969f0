"""Intervals against known values, and the stopping rule against the published run."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netwright.tools.statistics import (
    CyclePoint,
    should_stop,
    summarise,
    t_interval,
    threshold_for_share,
    wilson_interval,
)
from scipy import stats


@pytest.mark.parametrize(("count", "total"), [(22, 50), (0, 10), (10, 10), (1, 1), (0, 1), (1, 1000)])
def test_wilson_agrees_with_scipy(count: int, total: int) -> None:
    expected = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    found = wilson_interval(count, total)
    assert found.estimate == count / total
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson_interval(0, 0) == (None, 0.0, 1.0)
    with pytest.raises(ValueError, match="count"):
        wilson_interval(3, 2)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_estimate(case: tuple[int, int]) -> None:
    found = wilson_interval(*case)
    assert found.low is not None
    assert found.high is not None
    assert found.estimate is not None
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_t_interval_agrees_with_scipy() -> None:
    values = [0.281, 0.31, 0.25, 0.40, 0.33]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / 5, scale=stats.sem(values))
    found = t_interval(values)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


def test_small_samples() -> None:
    assert t_interval([]) == (None, None, None)
    assert t_interval([0.5]) == (0.5, None, None)
    assert t_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    assert t_interval([0.1, 0.9], share=True) == (0.5, 0.0, 1.0)
    assert summarise([]) == (0, None, None, None, None, None, None)
    assert summarise([0.25]) == (1, 0.25, None, None, 0.25, 0.25, None)
    found = summarise([0.1, 0.2, 0.6])
    assert (found.n, found.median, found.best) == (3, 0.2, 0.6)
    assert found.std == pytest.approx(math.sqrt(0.07))
    with pytest.raises(ValueError, match="finite"):
        t_interval([0.1, math.nan])


def point(mean: float, share: float, trained: int = 50) -> CyclePoint:
    return CyclePoint(mean / 100, round(share / 100 * trained), trained)


# Table 3 of the paper prints cycles 1, 5, 10, 15, 18 and 22 (mean, share above 40 %); those between lie on
# straight lines here, and the plateau it describes after cycle 18 is the mean of 18 and 22 with its spread.
PUBLISHED = {1: (28.06, 2.04), 5: (29.88, 6.82), 10: (37.70, 38.04), 15: (47.40, 80.70), 18: (50.99, 96.81)}
PLATEAU = [(50.60, 95.0), (50.20, 94.0), (49.90, 93.0), (49.48, 92.86)]


def published_run() -> list[CyclePoint]:
    known = sorted(PUBLISHED)
    points: list[CyclePoint] = []
    for start, end in itertools.pairwise(known):
        for cycle in range(start, end):
            part = (cycle - start) / (end - start)
            mean, share = (a + part * (b - a) for a, b in zip(PUBLISHED[start], PUBLISHED[end], strict=True))
            points.append(point(mean, share))
    return points + [point(*PUBLISHED[18])] + [point(*values) for values in PLATEAU]


def test_published_run_stops_on_its_plateau() -> None:
    run = published_run()
    stops = [cycle for cycle in range(1, 23) if should_stop(run[:cycle])]
    assert stops[0] == 19
    assert stops == [19, 20, 21, 22]


def test_rule_without_its_guard_would_end_before_the_rise() -> None:
    assert should_stop(published_run()[:3], min_cycles=3)


def test_rising_mean_goes_on() -> None:
    assert not should_stop([point(40, 50), point(41, 50), point(42, 50)], min_cycles=3)


def test_flat_and_falling_mean_stops() -> None:
    assert should_stop([point(50, 90), point(50.3, 92), point(50.9, 90)], min_cycles=3)
    assert should_stop([point(50, 90), point(50, 92), point(48, 90)], min_cycles=3)


@pytest.mark.parametrize(("first", "last"), [(40, 41), (50, 51), (70, 71)])
def test_a_gain_of_a_point_is_one_at_any_height(first: float, last: float) -> None:
    assert not should_stop([point(first, 50)] * 5 + [point(last, 50)], delta=0.01)


def test_moving_share_goes_on() -> None:
    assert not should_stop([point(50, 30), point(50, 60), point(50, 90)], min_cycles=3)


def test_too_little_is_no_ground_to_stop() -> None:
    assert not should_stop([])
    assert not should_stop([point(50, 90)] * 5)
    assert not should_stop([point(50, 90)] * 6 + [CyclePoint(0.0, 0, 0)])
    with pytest.raises(ValueError, match="two cycles"):
        should_stop([], cycles=1)


def test_limits_can_be_set() -> None:
    run = [point(50, 90), point(50.8, 90)]
    assert should_stop(run, cycles=2, min_cycles=2)
    assert not should_stop(run, delta=0.005, cycles=2, min_cycles=2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_no_more_than_the_share_reaches_its_threshold(metrics: list[float], share: float) -> None:
    threshold = threshold_for_share(metrics, share)
    assert sum(m >= threshold for m in metrics) <= share * len(metrics) + 1e-9


@pytest.mark.parametrize(
    ("metrics", "share", "expected"),
    [
        ([0.1, 0.5, 0.9, 0.7], 0.5, math.nextafter(0.5, 1)),
        ([0.1, 0.7, 0.9, 0.7], 0.5, math.nextafter(0.7, 1)),
        ([0.9, 0.9, 0.9, 0.1], 0.5, math.nextafter(0.9, 1)),
        ([0.4], 0.05, math.nextafter(0.4, 1)),
        ([], 0.05, 0.0),
        ([n / 100 for n in range(50)], 0.58, math.nextafter(0.20, 1)),  # .58 of 50 are 29
    ],
)
def test_the_threshold_is_the_least_that_keeps_the_share(metrics: list[float], share: float, expected: float) -> None:
    assert threshold_for_share(metrics, share) == expected
