"""The statistics as pictures: each is drawn once as SVG for the page and once as PNG."""

from __future__ import annotations

import html
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from ..report.plots import BLUE, GREEN, GREY, INK, ORANGE, STYLE, _svg
from ..report.text import shown
from .stats_model import (
    Balanced,
    DurationCloud,
    EpochCurve,
    ExemplarSpread,
    Family,
    GroupSpread,
    Measure,
    Spread,
    Statistics,
    TopList,
)

_WIDTH: Final = 6.4  # inches
_MOST_GROUPS: Final = 24  # bars of one picture
_MOST_MEASURES: Final = 24  # data sets that are drawn; the tables have all
_NAME_CHARS: Final = 34
_STYLE_HERE: Final = {**STYLE, "text.parse_math": False, "axes.unicode_minus": False}


Draw = Callable[[Any, Any], None]
"""Draws into axes what it is told."""


class Picture(NamedTuple):
    """One drawn figure. ``name`` is its file's name without an ending; ``svg`` a complete element."""

    name: str
    title: str
    note: str
    svg: str
    png: bytes


def pictures(statistics: Statistics) -> Iterator[Picture]:
    """All figures of the statistics, by kind and data set. The same statistics draw the same bytes."""
    seen: Counter[str] = Counter()
    for one in _pictures(statistics):
        seen[one.name] += 1  # data sets whose names differ only in signs that no file name has
        yield one._replace(name=f"{one.name}_{seen[one.name]}") if seen[one.name] > 1 else one


def _pictures(statistics: Statistics) -> Iterator[Picture]:
    drawn = set(statistics.measures[:_MOST_MEASURES])
    for top in statistics.top:
        if top.measure in drawn:
            note = f"best recorded {top.measure.metric} of {top.networks:,} networks"
            yield _picture("top10", top.measure, "Top 10", note, 3.6, _top, top)
    for measure, groups in _by_measure(statistics.groups, drawn):
        note = "each network by its best result; bars: median, lines: quartiles"
        height = 1.2 + 0.3 * min(len(groups), _MOST_GROUPS)
        yield _picture("groups", measure, "Median per group", note, height, _groups, groups)
    for measure, rows in _by_measure(statistics.exemplars, drawn):
        note = "networks by the number of exemplars in their prompt; dots: means"
        yield _picture("exemplars", measure, "Exemplars", note, 3.4, _exemplars, rows)
    for task, metric, rows in _by_task(statistics.balanced):
        note = "mean per data set first, then over data sets; beside it the mean over everything at once"
        height = 1.4 + 0.42 * min(len(rows), _MOST_GROUPS)
        measure = Measure(task=task, dataset="all data sets", metric=metric)
        yield _picture("means", measure, "Means", note, height, _balanced, rows)
    for curve in statistics.epochs:
        if curve.measure in drawn:
            note = "networks that were trained that far: median, quartiles, best"
            yield _picture("epochs", curve.measure, "Epochs", note, 3.4, _epochs, curve)
    for cloud in statistics.durations:
        if cloud.measure in drawn:
            note = f"best result of {cloud.networks:,} networks against the seconds of its training"
            yield _picture("duration", cloud.measure, "Duration", note, 3.4, _duration, cloud)
    for number, family in enumerate(statistics.lineage.largest, start=1):
        note = f"{family.size:,} networks, {family.depth} steps deep; colour: best result, grey: none"
        title = f"Family of {_short(family.root)}"
        height = 1.6 + 0.035 * len(family.members)
        yield _drawn(f"family-{number}", title, note, height, _family, family)


def _by_measure(rows: Sequence[Any], drawn: set[Measure]) -> Iterator[tuple[Measure, list[Any]]]:
    for measure in dict.fromkeys(row.measure for row in rows):
        if measure in drawn:
            yield measure, [row for row in rows if row.measure == measure]


def _by_task(rows: Sequence[Balanced]) -> Iterator[tuple[str, str, list[Balanced]]]:
    for task, metric in dict.fromkeys((row.task, row.metric) for row in rows):
        yield task, metric, [row for row in rows if (row.task, row.metric) == (task, metric)]


def _picture(kind: str, measure: Measure, what: str, note: str, height: float, draw: Draw, told: Any) -> Picture:
    where = f"{measure.dataset} ({measure.task}, {measure.metric})"
    name = re.sub(r"[^a-z0-9]+", "-", f"{kind} {measure.task} {measure.dataset} {measure.metric}".lower()).strip("-")
    return _drawn(name[:120], f"{what}: {_short(where, 90)}", note, height, draw, told)


def _drawn(name: str, title: str, note: str, height: float, draw: Draw, told: Any) -> Picture:
    with mpl.rc_context(_STYLE_HERE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.add_subplot(), told)
        svg = _svg(figure, html.escape(title))
        figure.suptitle(title, fontsize=11)
        figure.set_facecolor("white")
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return Picture(name, title, note, svg, buffer.getvalue())


def _short(text: str, most: int = _NAME_CHARS) -> str:
    plain = " ".join(shown(text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _bars(axes: Any, names: Sequence[str]) -> range:
    """Places of horizontal bars, the first on top."""
    places = range(len(names))
    axes.set_yticks(places, [_short(name) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return places


def _top(axes: Any, top: TopList) -> None:
    places = _bars(axes, [one.nn for one in top.best])
    values = [one.accuracy for one in top.best]
    bars = axes.barh(places, values, 0.7, color=BLUE)
    axes.bar_label(bars, labels=[f"{100 * value:.2f}" for value in values], fontsize=8, padding=3, color=INK)
    axes.set_xlim(0, max(1.0, *values) * 1.1)


def _groups(axes: Any, groups: Sequence[GroupSpread]) -> None:
    most = groups[:_MOST_GROUPS]
    places = _bars(axes, [f"{one.group} ({one.spread.n:,})" for one in most])
    spreads = [one.spread for one in most]
    medians = [one.median for one in spreads]
    errors = [[one.median - one.q1 for one in spreads], [one.q3 - one.median for one in spreads]]
    axes.barh(places, medians, 0.7, color=BLUE, xerr=errors, ecolor=GREY, capsize=2)


def _box(spread: Spread) -> dict[str, Any]:
    names = {"med": spread.median, "q1": spread.q1, "q3": spread.q3, "whislo": spread.low, "whishi": spread.high}
    return {**names, "mean": spread.mean, "fliers": []}


def _exemplars(axes: Any, rows: Sequence[ExemplarSpread]) -> None:
    axes.bxp(
        [_box(one.spread) for one in rows],
        positions=[one.exemplars for one in rows],
        widths=0.55,
        showmeans=True,
        manage_ticks=False,
        boxprops={"color": BLUE},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        medianprops={"color": ORANGE, "linewidth": 2},
        meanprops={"marker": "o", "markerfacecolor": GREEN, "markeredgecolor": GREEN, "markersize": 5},
    )
    axes.set_xticks([one.exemplars for one in rows], [f"{one.exemplars}\nn = {one.spread.n:,}" for one in rows])
    axes.set_xlabel("exemplars in the prompt")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _balanced(axes: Any, rows: Sequence[Balanced]) -> None:
    most = rows[:_MOST_GROUPS]
    places = _bars(axes, [f"{one.group} ({len(one.means)} data sets)" for one in most])
    axes.barh([place - 0.19 for place in places], [one.balanced for one in most], 0.36, color=BLUE, label="balanced")
    axes.barh([place + 0.19 for place in places], [one.naive for one in most], 0.36, color=GREY, label="naive")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _epochs(axes: Any, curve: EpochCurve) -> None:
    points = curve.points
    x = [one.epoch for one in points]
    axes.fill_between(x, [one.q1 for one in points], [one.q3 for one in points], color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(x, [one.median for one in points], color=BLUE, marker="o", markersize=3, label="median")
    axes.plot(x, [one.best for one in points], color=GREEN, marker="s", markersize=3, ls="--", label="best")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _duration(axes: Any, cloud: DurationCloud) -> None:
    x, y = [one.seconds for one in cloud.points], [one.accuracy for one in cloud.points]
    axes.scatter(x, y, s=9, color=BLUE, alpha=0.5, linewidths=0)
    axes.set_xscale("log")
    # Plain numbers: matplotlib's own labels are formulas, which are off because of what names may hold.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(x) < 30 * min(x) else (1.0,)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _family(axes: Any, family: Family) -> None:
    """Depth to the right; children below each other in the order of their parents."""
    rows = _rows(family)
    x = [one.depth for one in family.members]
    for place, one in enumerate(family.members):
        if one.parent is not None:
            ends = ((x[one.parent], x[place]), (rows[one.parent], rows[place]))
            axes.plot(*ends, color=GREY, linewidth=0.6, alpha=0.7, zorder=1)
    scored = [(x[i], rows[i], one.accuracy) for i, one in enumerate(family.members) if one.accuracy is not None]
    blank = [(x[i], rows[i]) for i, one in enumerate(family.members) if one.accuracy is None]
    if blank:
        axes.scatter(*zip(*blank, strict=True), s=16, color=GREY, zorder=2)
    if scored:
        places = axes.scatter(*zip(*[s[:2] for s in scored], strict=True), s=20, c=[s[2] for s in scored], zorder=3)
        axes.figure.colorbar(places, ax=axes, format=PercentFormatter(1.0, decimals=0), shrink=0.8)
    axes.set_xlabel("steps from the root")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_yticks([])
    axes.grid(visible=False)


def _rows(family: Family) -> list[float]:
    """Heights of a tidy tree: leaves take the next row, a parent the middle of its children."""
    children: dict[int, list[int]] = {}
    for place, one in enumerate(family.members):
        if one.parent is not None:
            children.setdefault(one.parent, []).append(place)
    heights = [0.0] * len(family.members)
    order: list[int] = []
    pending = [0]
    while pending:  # depth first, without recursion: a family may be deep
        place = pending.pop()
        order.append(place)
        pending.extend(reversed(children.get(place, [])))
    leaves = [place for place in order if place not in children]
    for row, place in enumerate(leaves):
        heights[place] = -float(row)
    for place in reversed(order):
        if place in children:
            below = [heights[child] for child in children[place]]
            heights[place] = sum(below) / len(below)
    return heights
