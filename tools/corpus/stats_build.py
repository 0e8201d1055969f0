"""The papers' statistics out of a table of results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from ... import __version__
from ..statistics import rank_correlation
from .stats_frame import KEY, best_results, prepare
from .stats_model import (
    Balanced,
    DurationCloud,
    DurationPoint,
    EpochCurve,
    EpochPoint,
    ExemplarSpread,
    GroupSpread,
    Lineage,
    Measure,
    Ranked,
    Spread,
    Statistics,
    TopList,
)

TOP: Final = 10  # networks of each data set; LEMUR 2, supplement 13
MAX_POINTS: Final = 1500  # dots of one cloud
ALL: Final = "all"


def statistics(
    rows: pd.DataFrame,
    lineage: Lineage,
    exemplars: Mapping[str, int] | None = None,
    selection: Mapping[str, str | int] | None = None,
) -> Statistics:
    """All statistics of a table of results.

    Args:
        rows: see :func:`.stats_frame.prepare`.
        exemplars: network's name -> exemplars that its prompt showed.
        selection: the filters that led to the rows, told in the result.
    """
    frame = prepare(rows, exemplars or {})
    best = best_results(frame)
    return Statistics(
        version=__version__,
        selection=dict(selection or {}),
        rows=len(frame),
        networks=int(frame["nn"].nunique()),
        measures=tuple(measure for measure, _ in _measures(best)),
        top=tuple(_top(best)),
        groups=tuple(_groups(best)),
        exemplars=tuple(_exemplars(best)),
        balanced=tuple(_balanced(best)),
        epochs=tuple(_epochs(frame)),
        durations=tuple(_durations(best)),
        lineage=lineage,
    )


def _measures(frame: pd.DataFrame) -> Iterator[tuple[Measure, pd.DataFrame]]:
    for key, part in frame.groupby(KEY, sort=True):
        task, dataset, metric = map(str, key)
        yield Measure(task=task, dataset=dataset, metric=metric), part


def spread(values: Any) -> Spread:
    """A sample of at least one value in numbers."""
    array = np.sort(np.asarray(values, dtype=float))
    q1, median, q3 = (float(q) for q in np.quantile(array, (0.25, 0.5, 0.75)))
    reach = 1.5 * (q3 - q1)
    inside = array[(array >= q1 - reach) & (array <= q3 + reach)]
    return Spread(
        n=len(array),
        mean=math.fsum(array) / len(array),
        low=float(inside[0]),
        q1=q1,
        median=median,
        q3=q3,
        high=float(inside[-1]),
        best=float(array[-1]),
    )


def _top(best: pd.DataFrame) -> Iterator[TopList]:
    for measure, part in _measures(best):
        first = part.sort_values(["accuracy", "epoch", "nn"], ascending=[False, True, True]).head(TOP)
        ranked = [
            Ranked(nn=nn, accuracy=float(accuracy), epoch=int(epoch))
            for nn, accuracy, epoch in zip(first["nn"], first["accuracy"], first["epoch"], strict=True)
        ]
        yield TopList(measure=measure, networks=len(part), best=tuple(ranked))


def _groups(best: pd.DataFrame) -> Iterator[GroupSpread]:
    for measure, part in _measures(best):
        found = [(str(group), spread(rows["accuracy"])) for group, rows in part.groupby("group", sort=True)]
        for group, one in sorted(found, key=lambda pair: (-pair[1].median, pair[0])):
            yield GroupSpread(measure=measure, group=group, spread=one)


def _exemplars(best: pd.DataFrame) -> Iterator[ExemplarSpread]:
    for measure, part in _measures(best[best["exemplars"].notna()]):
        counts = sorted({int(count) for count in part["exemplars"]})
        by_count = {count: part.loc[part["exemplars"] == count, "accuracy"].to_numpy() for count in counts}
        one = by_count.get(1)
        for count, values in by_count.items():
            gain, p = (
                (None, None) if one is None or count == 1 else (float(values.mean() - one.mean()), _p(values, one))
            )
            yield ExemplarSpread(measure=measure, exemplars=count, spread=spread(values), gain=gain, p=p)


def _p(one: Any, other: Any) -> float | None:
    """Welch's t-test; ``None`` where a sample is too small or both have no spread."""
    if min(len(one), len(other)) < 2 or (np.ptp(one) == 0 and np.ptp(other) == 0):
        return None
    return float(stats.ttest_ind(one, other, equal_var=False).pvalue)


def _balanced(best: pd.DataFrame) -> Iterator[Balanced]:
    for (task, metric), part in best.groupby(["task", "metric"], sort=True):
        groups = {str(group): rows for group, rows in part.groupby("group", sort=True)}
        found = [_mean(str(task), str(metric), name, rows) for name, rows in groups.items()]
        yield _mean(str(task), str(metric), ALL, part)
        yield from sorted(found, key=lambda one: (-one.balanced, one.group))


def _mean(task: str, metric: str, group: str, rows: pd.DataFrame) -> Balanced:
    """Per data set first, then across (LEMUR 2, section 2.2.6)."""
    means = {str(name): float(values.mean()) for name, values in rows.groupby("dataset", sort=True)["accuracy"]}
    balanced, naive = math.fsum(means.values()) / len(means), float(rows["accuracy"].mean())
    return Balanced(
        task=task,
        metric=metric,
        group=group,
        results=len(rows),
        means=means,
        balanced=balanced,
        naive=naive,
        inflation=naive - balanced,
    )


def _epochs(frame: pd.DataFrame) -> Iterator[EpochCurve]:
    reached = frame.groupby([*KEY, "epoch", "nn"], sort=True)["accuracy"].max().reset_index()
    for measure, part in _measures(reached):
        by_epoch = part.groupby("epoch", sort=True)["accuracy"]
        quartiles = [by_epoch.quantile(share) for share in (0.25, 0.5, 0.75)]
        table = pd.concat([*quartiles, by_epoch.size(), by_epoch.max()], axis=1)
        points = [
            EpochPoint(epoch=int(epoch), n=int(n), q1=q1, median=median, q3=q3, best=top)
            for epoch, q1, median, q3, n, top in table.itertuples(name=None)
        ]
        yield EpochCurve(measure=measure, points=tuple(points))


def _durations(best: pd.DataFrame) -> Iterator[DurationCloud]:
    for measure, part in _measures(best[best["duration"] > 0]):
        ordered = part.sort_values(["duration", "accuracy", "nn"])
        places = np.unique(np.linspace(0, len(ordered) - 1, min(MAX_POINTS, len(ordered))).round().astype(int))
        seconds, accuracy = ordered["duration"].to_numpy(), ordered["accuracy"].to_numpy()
        yield DurationCloud(
            measure=measure,
            networks=len(ordered),
            median_seconds=float(np.median(seconds)),
            rank_correlation=rank_correlation(seconds, accuracy),
            points=tuple(DurationPoint(seconds=float(seconds[i]), accuracy=float(accuracy[i])) for i in places),
        )
