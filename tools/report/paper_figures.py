"""Figures 2 and 3 of *From Memorization to Creativity*, drawn from campaigns, and curves of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, Final

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .paper_groups import Group
from .paper_published import CIFAR10, MEAN_VALID, Checkpoint, Published, published_for
from .paper_series import CyclePoint, Series, Value, mean_value
from .pictures import Drawn, drawn
from .plots import BLUE, GREEN, GREY, INK, ORANGE, PURPLE

COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, "#d05a7a", "#3aa7b8", "#b09a2e", GREY)

Get = Callable[[CyclePoint], Value]


def paper_figures(one: Series, suffix: str = "") -> list[Drawn]:
    """Figure 2 (valid rate), figure 3 (all curves), and diversity with time, which the paper does not show.

    Args:
        suffix: of the figures' names, where there are several campaigns.
    """
    if not one.cycles:
        return []
    published, _ = published_for(one.dataset)
    where = f" ({one.campaign})" if suffix else ""
    return [
        drawn(
            f"figure-2{suffix}",
            f"Figure 2: valid rate by cycle{where}",
            lambda axes: _valid(axes[0, 0], one, published, mean=True),
            size=(7.2, 3.8),
        ),
        drawn(
            f"figure-3{suffix}",
            f"Figure 3: reliability, accuracy, selection and corpus by cycle{where}",
            lambda axes: _joint(axes, one, published),
            size=(10.4, 7.0),
            grid=(2, 2),
        ),
        drawn(
            f"diversity{suffix}",
            f"Distance of texts and time by cycle{where}",
            lambda axes: _diversity(axes[0], one),
            size=(10.4, 3.6),
            grid=(1, 2),
        ),
    ]


def comparison_figure(groups: Sequence[Group], series: Sequence[Series]) -> Drawn:
    """Curves of several groups: the mean over seeds as a line, each seed as a thin one."""
    known = {one.campaign: one for one in series}
    members = [(group, [known[key] for key in group.campaigns]) for group in groups]
    return drawn(
        "comparison",
        "Campaigns side by side",
        lambda axes: _compared(axes, members),
        size=(10.4, 7.4),
        grid=(2, 2),
    )


def _prepared(axes: Any, title: str, share: bool = True) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("cycle")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if share:
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _line(axes: Any, points: Sequence[CyclePoint], get: Get, label: str, colour: str) -> None:
    """A line with error bars; cycles without a value are left out."""
    known = [(point.cycle, value) for point in points if (value := get(point)).value is not None]
    if not known:
        return
    x = [cycle for cycle, _ in known]
    y = np.array([value.value for _, value in known], dtype=float)
    low = np.array([value.value if value.low is None else value.low for _, value in known], dtype=float)
    high = np.array([value.value if value.high is None else value.high for _, value in known], dtype=float)
    bars = [np.maximum(y - low, 0), np.maximum(high - y, 0)]
    axes.errorbar(x, y, yerr=bars, color=colour, marker="o", markersize=3.5, linewidth=1.5, capsize=2, label=label)


def _paper(axes: Any, published: Published, get: Callable[[Checkpoint], float], last: int) -> None:
    """The paper's checkpoints, as far as the campaign goes."""
    rows = [row for row in published.rows if row.cycle <= last]
    label = f"paper, {published.name}"
    axes.plot([row.cycle for row in rows], [get(row) for row in rows], color=GREY, ls=":", marker="s", markersize=4,
              label=label)  # fmt: skip


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=8)


def _valid(axes: Any, one: Series, published: Published, mean: bool) -> None:
    _prepared(axes, "valid as the model wrote it, Wilson 95 %")
    _line(axes, one.cycles, lambda point: point.valid, "this campaign", BLUE)
    _paper(axes, published, lambda row: row.valid, one.cycles[-1].cycle)
    over = mean_value(one.over_cycles("valid"), share=True)
    if mean and over.value is not None:
        axes.axhline(over.value, color=BLUE, linewidth=1, ls="--", label=f"mean {100 * over.value:.1f} %")
        if over.low is not None and over.high is not None:
            axes.axhspan(over.low, over.high, color=BLUE, alpha=0.1, linewidth=0)
        if published is CIFAR10:
            label = f"paper's mean {100 * MEAN_VALID[0]:.1f} %"
            axes.axhline(MEAN_VALID[0], color=GREY, linewidth=1, ls="--", label=label)
    _legend(axes)


def _joint(axes: Any, one: Series, published: Published) -> None:
    last = one.cycles[-1].cycle
    _valid(axes[0, 0], one, published, mean=False)
    accuracy, above, corpus = axes[0, 1], axes[1, 0], axes[1, 1]
    _prepared(accuracy, f"{one.metric} of the trained networks, Student's t 95 %")
    _line(accuracy, one.cycles, lambda point: point.mean, "mean", BLUE)
    _line(accuracy, one.cycles, lambda point: Value(value=point.best), "best", GREEN)
    _paper(accuracy, published, lambda row: row.mean, last)
    if one.threshold is not None:
        accuracy.axhline(one.threshold, color=ORANGE, linewidth=1, ls="--", label="threshold")
    _legend(accuracy)
    _prepared(above, "trained networks at or above the threshold, Wilson 95 %")
    _line(above, one.cycles, lambda point: point.above, "this campaign", PURPLE)
    _paper(above, published, lambda row: row.above, last)
    _legend(above)
    _prepared(corpus, "networks admitted, in the cycle and so far", share=False)
    x = [point.cycle for point in one.cycles]
    corpus.bar(x, [point.admitted for point in one.cycles], 0.7, color=GREEN, alpha=0.7, label="in the cycle")
    corpus.plot(
        x, np.cumsum([point.admitted for point in one.cycles]), color=BLUE, marker="o", markersize=3, label="so far"
    )
    rows = [row for row in published.rows if row.cycle <= last]
    grown = [row.corpus - published.rows[0].corpus for row in rows]
    corpus.plot([row.cycle for row in rows], grown, color=GREY, ls=":", marker="s", markersize=4,
                label=f"paper, {published.name}, so far")  # fmt: skip
    _legend(corpus)


def _diversity(axes: Any, one: Series) -> None:
    distance, time = axes
    _prepared(distance, "mean Jaccard distance of the model's texts, jackknife 95 %")
    _line(distance, one.cycles, lambda point: point.distance, "this campaign", BLUE)
    first = one.cycles[0].distance.value
    if first is not None:
        distance.axhline(0.8 * first, color=ORANGE, linewidth=1, ls="--", label="0.8 of the first cycle's")
    _legend(distance)
    _prepared(time, "minutes per cycle", share=False)
    bars = time.bar([point.cycle for point in one.cycles], [point.wall_s / 60 for point in one.cycles], 0.7, color=BLUE)
    if len(one.cycles) <= 12:
        time.bar_label(bars, fmt="%.1f", fontsize=8, color=INK)


def _compared(axes: Any, members: Sequence[tuple[Group, list[Series]]]) -> None:
    shown: tuple[tuple[Any, str, Get], ...] = (
        (axes[0, 0], "valid as the model wrote it", lambda point: point.valid),
        (axes[0, 1], "mean metric of the trained networks", lambda point: point.mean),
        (axes[1, 0], "at or above the threshold", lambda point: point.above),
        (axes[1, 1], "mean Jaccard distance of the model's texts", lambda point: point.distance),
    )
    for panel, title, get in shown:
        _prepared(panel, title)
        for place, (group, some) in enumerate(members):
            colour = COLOURS[place % len(COLOURS)]
            found: dict[int, list[float]] = {}
            for one in some:
                known = [(point.cycle, value) for point in one.cycles if (value := get(point).value) is not None]
                for cycle, value in known:
                    found.setdefault(cycle, []).append(value)
                if len(some) > 1 and known:
                    panel.plot(*zip(*known, strict=True), color=colour, linewidth=0.8, alpha=0.4)
            if found:
                cycles = sorted(found)
                means = [fmean(found[cycle]) for cycle in cycles]
                panel.plot(cycles, means, color=colour, marker="o", markersize=3, linewidth=1.6, label=group.name)
    _legend(axes[0, 0])
