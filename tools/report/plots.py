"""Plots of a report as SVG that takes the page's colours and asks for nothing outside the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .model import CampaignReport, CycleReport

INK: Final = "#010203"  # stands for the page's text colour, put in after drawing
BLUE, ORANGE, GREEN, PURPLE, GREY = "#3f83dd", "#dd7c2b", "#2fa176", "#9467cf", "#8a93a0"
_STAGE_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, "#d05a7a", "#3aa7b8", "#b09a2e", GREY)
_SIZE: Final = (6.4, 3.4)  # inches
STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "netwright",  # the same report draws the same bytes
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


class Plot(NamedTuple):
    """One drawn plot; ``svg`` is a complete ``<svg>`` element."""

    title: str
    note: str
    svg: str


class Picture(NamedTuple):
    """One figure before it is written in a format."""

    title: str
    note: str
    figure: Figure


def plots(report: CampaignReport) -> list[Plot]:
    """All plots of a report; none while no cycle has begun."""
    with mpl.rc_context(STYLE):
        return [Plot(title, note, _svg(figure, title)) for title, note, figure in figures(report)]


def figures(report: CampaignReport) -> list[Picture]:
    """The same as figures; none while no cycle has begun. Not for two threads at once, as everything of matplotlib."""
    cycles = report.cycles
    if not cycles:
        return []
    metric = report.task.metric
    return [
        _plot("Valid candidates", "share of what was generated, Wilson 95 % intervals", _valid, cycles),
        _plot(f"{metric.capitalize()} of trained networks", "mean with its t 95 % interval", _accuracy, cycles),
        _plot("At or above the threshold", "share of trained, Wilson 95 % intervals", _above, cycles),
        _plot(f"Distribution of {metric}", "each dot one network; box: quartiles", _distribution, cycles),
        _plot("Time by stage", "seconds", _time, cycles),
        _plot("Corpus growth", f"pairs beyond the initial {report.initial_corpus}", _corpus, cycles),
    ]


def _plot(
    title: str, note: str, draw: Callable[[Any, Sequence[CycleReport]], None], cycles: Sequence[CycleReport]
) -> Picture:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel("cycle")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        draw(axes, cycles)
        numbers = [one.cycle for one in cycles]
        axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
        return Picture(title, note, figure)


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    # Inside HTML an SVG needs no namespaces, and the page then names no address at all.
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return text.replace(INK, "currentColor")


def _series(
    axes: Any, cycles: Sequence[CycleReport], label: str, colour: str, rows: Sequence[Any], shift: float = 0.0
) -> None:
    """A line of (estimate, low, high) with error bars; cycles without an estimate are left out."""
    known = [(one.cycle, *row) for one, row in zip(cycles, rows, strict=True) if row[0] is not None]
    if not known:
        return
    x = np.array([row[0] for row in known]) + shift
    y = np.array([row[1] for row in known])
    low = y - np.array([row[1] if row[2] is None else row[2] for row in known])
    high = np.array([row[1] if row[3] is None else row[3] for row in known]) - y
    bars = [np.maximum(low, 0), np.maximum(high, 0)]
    axes.errorbar(x, y, yerr=bars, label=label, color=colour, marker="o", markersize=4, linewidth=1.6, capsize=3)


def _as_percent(axes: Any) -> None:
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        # matplotlib lists lines with error bars last, though they are what matters most.
        first = sorted(zip(handles, labels, strict=True), key=lambda pair: not isinstance(pair[0], Container))
        axes.legend(*zip(*first, strict=True), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)


def _valid(axes: Any, cycles: Sequence[CycleReport]) -> None:
    steps = (
        ("as written", "generation", BLUE),
        ("cleaned", "cleanup", ORANGE),
        ("repaired", "repair", GREEN),
    )
    for place, (label, name, colour) in enumerate(steps):
        rates = [getattr(one.valid, name) for one in cycles]
        rows = [(rate.rate, rate.low, rate.high) for rate in rates]
        _series(axes, cycles, label, colour, rows, shift=0.08 * (place - 1))
    _as_percent(axes)
    _legend(axes)


def _accuracy(axes: Any, cycles: Sequence[CycleReport]) -> None:
    found = [one.accuracy for one in cycles]
    _series(axes, cycles, "mean", BLUE, [(one.mean, one.low, one.high) for one in found])
    for label, colour, values in (
        ("median", ORANGE, [one.median for one in found]),
        ("best", GREEN, [one.best for one in found]),
    ):
        known = [(one.cycle, value) for one, value in zip(cycles, values, strict=True) if value is not None]
        if known:
            axes.plot(*zip(*known, strict=True), label=label, color=colour, marker="s", markersize=4, ls="--")
    bars = [(one.cycle, one.threshold) for one in cycles if one.threshold is not None]
    if bars:
        axes.step(*zip(*bars, strict=True), where="mid", color=GREY, ls=":", label="threshold")
    _as_percent(axes)
    _legend(axes)


def _above(axes: Any, cycles: Sequence[CycleReport]) -> None:
    shares = [one.above_threshold for one in cycles]
    rows = [(one.share, one.low, one.high) for one in shares]
    _series(axes, cycles, "at or above the threshold", PURPLE, rows)
    _as_percent(axes)


def _distribution(axes: Any, cycles: Sequence[CycleReport]) -> None:
    drawn = [one for one in cycles if one.values]
    if drawn:
        axes.boxplot(
            [list(one.values) for one in drawn],
            positions=[one.cycle for one in drawn],
            widths=0.55,
            showfliers=False,
            manage_ticks=False,
            boxprops={"color": BLUE},
            whiskerprops={"color": BLUE},
            capprops={"color": BLUE},
            medianprops={"color": ORANGE, "linewidth": 2},
        )
    for one in drawn:
        # Fixed spread by rank, not by chance: the same report draws the same dots.
        spread = (np.arange(len(one.values)) * 0.618) % 1.0 * 0.36 - 0.18
        axes.scatter(one.cycle + spread, one.values, s=9, color=GREY, alpha=0.6, linewidths=0)
    _as_percent(axes)


def _time(axes: Any, cycles: Sequence[CycleReport]) -> None:
    stages = list(dict.fromkeys(stage for one in cycles for stage in one.seconds))
    x = [one.cycle for one in cycles]
    bottom = np.zeros(len(cycles))
    for place, stage in enumerate(stages):
        seconds = np.array([one.seconds.get(stage, 0.0) for one in cycles])
        colour = _STAGE_COLOURS[place % len(_STAGE_COLOURS)]
        axes.bar(x, seconds, 0.7, bottom=bottom, label=stage, color=colour)
        bottom += seconds
    _legend(axes)


def _corpus(axes: Any, cycles: Sequence[CycleReport]) -> None:
    x = [one.cycle for one in cycles]
    start = cycles[0].corpus - cycles[0].admitted
    before = [one.corpus - one.admitted - start for one in cycles]
    added = [one.admitted for one in cycles]
    axes.bar(x, before, 0.7, color=GREY, alpha=0.6, label="in earlier cycles")
    tops = axes.bar(x, added, 0.7, bottom=before, color=GREEN, label="in this cycle")
    axes.bar_label(tops, labels=[f"+{count}" for count in added], fontsize=8, color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend(axes)
