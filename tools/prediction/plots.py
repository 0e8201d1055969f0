"""A predictor's calibration as a picture: what was predicted against what was reached, and how often intervals held."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from ..report.pictures import Drawn, drawn
from ..report.plots import BLUE, GREEN, GREY, ORANGE
from ..statistics import wilson_interval
from .evaluation import Quality


def calibration_plot(quality: Quality) -> Drawn:
    """Left: each held-out network with its interval, and medians of parts; right: share of intervals that held."""
    title = "Calibration on held-out networks"
    return drawn("prediction", title, lambda axes: _calibration(axes, quality), size=(9.6, 4.2), grid=(1, 2))


def _calibration(axes: Any, quality: Quality) -> None:
    left, right = axes[0]
    for held, colour, label in ((True, BLUE, "interval held"), (False, ORANGE, "outside")):
        some = [one for one in quality.points if (one.low <= one.metric <= one.high) is held]
        if some:
            x = [one.predicted for one in some]
            left.vlines(x, [one.low for one in some], [one.high for one in some], color=colour, alpha=0.12, linewidth=1)
            left.scatter(x, [one.metric for one in some], s=12, color=colour, alpha=0.7, linewidths=0, label=label)
    ends = [0.0, 1.0]
    left.plot(ends, ends, color=GREY, ls="--", linewidth=1)
    left.plot([one.predicted for one in quality.bins], [one.metric for one in quality.bins], color=GREEN, marker="s",
              markersize=5, label="medians of parts")  # fmt: skip
    for place in (left.xaxis, left.yaxis):
        place.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.set(xlabel="predicted", ylabel="reached", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    left.legend(loc="upper left")
    shares = [wilson_interval(one.covered, one.n) for one in quality.bins]
    parts = np.arange(1, len(shares) + 1)
    y = np.array([one.estimate or 0.0 for one in shares])
    low = y - np.array([one.low or 0.0 for one in shares])
    high = np.array([1.0 if one.high is None else one.high for one in shares]) - y
    right.errorbar(parts, y, yerr=[low, high], color=BLUE, marker="o", linewidth=0, elinewidth=1.4, capsize=3)
    right.axhline(quality.confidence, color=GREY, ls="--", linewidth=1)
    right.set(xlabel="part, from the lowest prediction to the highest", ylabel="intervals that held", ylim=(0, 1.05))
    right.set_xticks(parts)
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
