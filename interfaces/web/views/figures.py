"""Figures as the browser gets them: drawn here by matplotlib, one at a time, on white."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from ....tools.report.plots import BLUE, GREY, ORANGE, STYLE

_LOCK: Final = threading.RLock()  # matplotlib's settings are global
# Names and messages may come from a model: no text is read as mathematics.
_WEB: Final = {**STYLE, "figure.facecolor": "white", "text.parse_math": False, "figure.dpi": 110}
_INK: Final = "#1f2937"
_FEW: Final = 200  # dots that do not hide each other yet
_DARK: Final = dict.fromkeys(
    ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color"), _INK
)


@contextmanager
def drawing() -> Iterator[None]:
    """Hold matplotlib, in the app's style."""
    with _LOCK, mpl.rc_context({**_WEB, **_DARK}):
        yield


def empty_figure(says: str, size: tuple[float, float] = (5.6, 1.2)) -> Figure:
    """A figure that says why there is nothing to see."""
    with drawing():
        figure = Figure(figsize=size)
        figure.text(0.5, 0.5, says, ha="center", va="center", color=GREY)
        return figure


def learning_curve(values: Sequence[float], metric: str = "accuracy", *, empty: str = "not trained here") -> Figure:
    """A metric after each epoch.

    Args:
        values: in [0, 1], from epoch 1.
        empty: what to say where there are none.
    """
    if not values:
        return empty_figure(empty)
    with drawing():
        figure = Figure(figsize=(5.6, 2.8), layout="constrained")
        axes = figure.add_subplot()
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, color=BLUE, marker="o", markersize=5, linewidth=1.6)
        axes.annotate(
            f"{100 * values[-1]:.1f} %",
            (len(values), values[-1]),
            xytext=(-4, 8),
            textcoords="offset points",
            ha="right",
        )
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0.5, len(values) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        return figure


def scatter(
    points: Sequence[tuple[float, float]],
    label: str,
    *,
    chosen: tuple[float, float] | None = None,
    metric: str = "accuracy",
) -> Figure:
    """Networks as dots: what they cost (positive, logarithmic) against what they reach.

    Args:
        label: of the horizontal axis.
        chosen: the dot that is looked at.
    """
    known = [(x, y) for x, y in points if x > 0]
    if not known:
        return empty_figure(f"nothing with {label} and {metric} here")
    with drawing():
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        x, y = zip(*known, strict=True)
        few = len(known) <= _FEW
        axes.scatter(x, y, s=28 if few else 12, color=BLUE, alpha=0.8 if few else 0.45, linewidths=0)
        if chosen is not None and chosen[0] > 0:
            told = "the network that is chosen"
            axes.scatter(*chosen, s=90, facecolors="none", edgecolors=ORANGE, linewidths=2, label=told)
            legend(axes)
        axes.set_xlabel(label)
        axes.set_ylabel(metric)
        wide = max(x) > 100 * min(x)  # then powers of ten alone: more labels would touch each other
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        return figure


def on_white(figure: Figure) -> Figure:
    """A figure of the reports, whose colours are the page's, in those of the app."""
    figure.set_facecolor("white")
    return figure


def titled(figure: Figure, title: str, note: str) -> Figure:
    """A figure with its title, and what its axis counts, above it on the left."""
    with drawing():
        figure.suptitle(f"{title}: {note}", x=0.01, ha="left", fontsize=9)
        return figure


def legend(axes: Any) -> None:
    """A legend above the axes, where there is something to tell apart."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
