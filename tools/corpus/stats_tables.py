"""The statistics as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from ..report.text import number, percent, shown
from .stats_model import EpochPoint, Measure, Statistics

_USUAL: Final = ("img-classification", "accuracy")


def statistics_tables(stats: Statistics) -> Iterator[Table]:
    """One table for each question that has an answer; metrics in per cent."""
    yield from _results(stats)
    if stats.balanced:
        yield _balanced(stats)
    if stats.lineage.largest:
        yield _families(stats)


def _results(stats: Statistics) -> Iterator[Table]:
    """What is told per data set."""
    top = _table("best networks per data set", ("data set", "#", "network"), ("best", "epoch"))
    for ten in stats.top:
        for rank, one in enumerate(ten.best, start=1):
            head = [_where(ten.measure) if rank == 1 else "", str(rank), _name(one.nn)]
            top.add_row(*head, percent(one.accuracy, 2), str(one.epoch), end_section=rank == len(ten.best))
    yield top
    groups = _table("groups by prefix", ("data set", "group"), ("networks", "median", "quartiles", "best"))
    for row in stats.groups:
        s = row.spread
        cells = (number(s.n), percent(s.median), f"{percent(s.q1)}–{percent(s.q3)}", percent(s.best))
        groups.add_row(_where(row.measure), _name(row.group), *cells)
    yield groups
    if stats.exemplars:
        yield _exemplars(stats)
    epochs = _table("accuracy against epochs", ("data set",), ("epoch", "networks", "median", "quartiles", "best"))
    for curve in stats.epochs:
        for point in _few(curve.points):
            middle = (str(point.epoch), number(point.n), percent(point.median))
            ends = (f"{percent(point.q1)}–{percent(point.q3)}", percent(point.best))
            epochs.add_row(_where(curve.measure), *middle, *ends)
    yield epochs
    if stats.durations:
        title = "accuracy against the time of training"
        times = _table(title, ("data set",), ("networks", "median seconds", "rank correlation"))
        for cloud in stats.durations:
            rho = "–" if cloud.rank_correlation is None else f"{cloud.rank_correlation:+.2f}"
            times.add_row(_where(cloud.measure), number(cloud.networks), f"{cloud.median_seconds:.3g}", rho)
        yield times


def _exemplars(stats: Statistics) -> Table:
    heads = ("networks", "mean", "median", "quartiles", "gain on one", "p")
    table = _table("exemplars in the prompt", ("data set", "exemplars"), heads)
    for row in stats.exemplars:
        s = row.spread
        gain = "–" if row.gain is None else f"{100 * row.gain:+.1f}"
        p = "–" if row.p is None else f"{row.p:.3f}"
        cells = (number(s.n), percent(s.mean), percent(s.median), f"{percent(s.q1)}–{percent(s.q3)}", gain, p)
        table.add_row(_where(row.measure), str(row.exemplars), *cells)
    return table


def _balanced(stats: Statistics) -> Table:
    heads = ("data sets", "results", "balanced", "naive", "inflation")
    table = _table("means balanced over data sets", ("metric", "group"), heads)
    for row in stats.balanced:
        counts = (str(len(row.means)), number(row.results))
        means = (percent(row.balanced), percent(row.naive), f"{100 * row.inflation:+.1f}")
        what = row.metric if row.task == _USUAL[0] else f"{row.task}, {row.metric}"
        table.add_row(_name(what), _name(row.group), *counts, *means)
    return table


def _families(stats: Statistics) -> Table:
    found = stats.lineage
    title = (
        f"lineage: {found.families:,} families, the deepest of {found.deepest} steps; {found.alone:,} networks alone"
    )
    table = _table(title, ("root",), ("networks", "depth", "its best", "best", "best network"))
    for family in found.largest:
        scores = (percent(family.root_accuracy), percent(family.best_accuracy))
        size = (number(family.size), str(family.depth))
        table.add_row(_name(family.root), *size, *scores, _name(family.best or "–"))
    return table


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for name in left:
        table.add_column(name, overflow="fold", min_width=20 if name in {"root", "network"} else 9)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _where(measure: Measure) -> Text:
    """The data set alone where the task is image classification by accuracy, as most are."""
    usual = (measure.task, measure.metric) == _USUAL
    return _name(measure.dataset if usual else f"{measure.dataset} ({measure.task}, {measure.metric})")


def _name(text: str) -> Text:
    return Text(shown(text))


def _few(points: Sequence[EpochPoint], most: int = 8) -> list[EpochPoint]:
    """At most so many points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(place * step)] for place in range(most)]
