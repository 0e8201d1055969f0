"""The report as a table in the terminal: narrow, so each cell has two lines."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from .model import CampaignReport, CycleReport
from .text import number, percent, shown

_COLUMNS = (
    "cycle",
    "made",
    "valid",
    "clean\nrepair",
    "trained",
    "mean",
    "med.\nbest",
    "≥ thr.",
    "novel\nadm.",
    "corpus",
    "time",
)


def report_table(report: CampaignReport) -> Table:
    """One row per cycle; shares and metrics in per cent, 95 % intervals below them."""
    pruned = "; below the trained: pruned by prediction" if any(one.foreseen for one in report.cycles) else ""
    stop = f", stopped by: {shown(report.stop_reason)}" if report.stop_reason else ""
    table = Table(
        title=Text(f"campaign {report.campaign} on {report.task.dataset}: {report.state}{stop}"),
        caption=Text(f"per cent, with 95 % intervals; valid: as written, after clean-up, after repair{pruned}"),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for cycle in report.cycles:
        table.add_row(*_cells(cycle))
    return table


def _cells(cycle: CycleReport) -> list[str]:
    raw, accuracy, above = cycle.valid.generation, cycle.accuracy, cycle.above_threshold
    minutes, seconds = divmod(round(sum(cycle.seconds.values())), 60)
    return [
        str(cycle.cycle),
        str(cycle.generated),
        _with_interval(raw.rate, raw.low, raw.high),
        f"{percent(cycle.valid.cleanup.rate)}\n{percent(cycle.valid.repair.rate)}",
        f"{cycle.trained}\n−{cycle.foreseen.pruned}" if cycle.foreseen else str(cycle.trained),
        _with_interval(accuracy.mean, accuracy.low, accuracy.high),
        f"{percent(accuracy.median)}\n{percent(accuracy.best)}",
        _with_interval(above.share, above.low, above.high),
        f"{cycle.novel}\n{cycle.admitted}",
        number(cycle.corpus),
        f"{minutes}:{seconds:02d}",
    ]


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return percent(value)
    return f"{percent(value)}\n{100 * low:.0f}–{100 * high:.0f}"
