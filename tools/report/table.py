"""The report as a table in the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from .model import CampaignReport, CycleReport
from .text import duration, percent, shown, with_interval


def report_table(report: CampaignReport) -> Table:
    """One row per cycle; percentages with 95 % intervals."""
    title = f"campaign {report.campaign} on {report.task.dataset}: {report.state}"
    caption = f"% with 95 % intervals; stop reason: {shown(report.stop_reason or '–')}"
    table = Table(title=Text(title), caption=Text(caption), row_styles=("", "dim"))
    table.add_column("cycle", justify="right")
    table.add_column("made", justify="right")
    table.add_column("valid raw", justify="right")
    table.add_column("cleaned", justify="right")
    table.add_column("repaired", justify="right")
    table.add_column("trained", justify="right")
    table.add_column("mean", justify="right")
    table.add_column("median", justify="right")
    table.add_column("best", justify="right")
    table.add_column("≥ threshold", justify="right")
    table.add_column("novel", justify="right")
    table.add_column("admitted", justify="right")
    table.add_column("corpus", justify="right")
    table.add_column("time", justify="right")
    for cycle in report.cycles:
        table.add_row(*_cells(cycle))
    return table


def _cells(cycle: CycleReport) -> list[str]:
    raw, accuracy, above = cycle.valid.generation, cycle.accuracy, cycle.above_threshold
    return [
        str(cycle.cycle),
        str(cycle.generated),
        with_interval(raw.rate, raw.low, raw.high),
        percent(cycle.valid.cleanup.rate),
        percent(cycle.valid.repair.rate),
        str(cycle.trained),
        with_interval(accuracy.mean, accuracy.low, accuracy.high),
        percent(accuracy.median),
        percent(accuracy.best),
        with_interval(above.share, above.low, above.high),
        str(cycle.novel),
        str(cycle.admitted),
        str(cycle.corpus),
        duration(sum(cycle.seconds.values())),
    ]
