"""Reports of campaigns in the paper's form, and of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ... import __version__
from ...memory.records import Records
from .paper_figures import comparison_figure, paper_figures
from .paper_groups import Group, groups_of, read_series
from .paper_model import PaperFigure, PaperReport, PaperTable
from .paper_series import Series, Value
from .paper_tables import NONE, ablation_table, paper_tables, shown_value
from .pictures import Drawn
from .text import duration, percent

_CAPTIONS: Final = {
    "figure-2": "Share valid as the model wrote it; band: Student's 95 % interval of the mean over cycles.",
    "figure-3": "The joint evolution; grey: the cycles that the paper publishes.",
    "diversity": "Token 10-grams, all pairs of the texts that the model wrote in a cycle; time of all stages.",
    "comparison": "Lines: means over seeds; thin lines: each seed.",
}
_POINTS: Final = ("valid", "repaired", "mean", "above", "distance")


def paper_report(
    records: Records, ids: Sequence[str], threshold: float | None = None
) -> tuple[PaperReport, list[Drawn]]:
    """Tables 2 to 7 and figures 2 and 3 of *From Memorization to Creativity* for campaigns, and their pictures.

    Args:
        threshold: for the shares above, in place of the campaigns' own.

    Raises:
        RecordsError: there is no such campaign.
    """
    series = read_series(records, ids, threshold)
    groups, several = groups_of(series), len(series) > 1
    figures = [picture for one in series for picture in paper_figures(one, f"-{one.campaign}" if several else "")]
    tables = [*paper_tables(series, groups), *map(cycle_table, series)]
    title = f"Campaign {series[0].campaign}" if not several else f"Campaigns {', '.join(s.campaign for s in series)}"
    return _report(f"{title} in the paper's tables", series, groups, tables, figures), figures


def comparison(records: Records, ids: Sequence[str], threshold: float | None = None) -> tuple[PaperReport, list[Drawn]]:
    """Several campaigns side by side, seeds pooled, and their pictures.

    Raises:
        RecordsError: there is no such campaign.
    """
    series = read_series(records, ids, threshold)
    groups = groups_of(series)
    tables = [summary_table(groups), ablation_table(groups)]
    if any(group.differences for group in groups):
        tables.append(difference_table(groups))
    figures = [comparison_figure(groups, series)]
    return _report("Campaigns side by side", series, groups, tables, figures), figures


def cycle_table(one: Series) -> PaperTable:
    """Every cycle with what the paper's tables leave out."""
    rows = tuple(
        (
            str(point.cycle),
            str(point.generated),
            shown_value(point.valid),
            percent(point.repaired.value),
            str(point.trained),
            shown_value(point.mean),
            percent(point.median),
            percent(point.best),
            shown_value(point.above),
            str(point.admitted),
            str(point.distinct_so_far),
            _plain(point.distance),
            duration(point.wall_s),
        )
        for point in one.cycles
    )
    return PaperTable(
        name=f"table-all-{one.campaign}",
        title=f"All cycles of {one.campaign}",
        caption=(
            f"Seed {one.seed}, {one.dataset}, protocol {one.protocol} ({one.protocol_hash}), {one.model}; per cent "
            f"with 95 % intervals, threshold {percent(one.threshold)} %; distance: mean Jaccard distance of all pairs "
            "of the model's texts (token 10-grams, jackknife interval); novel so far: admitted, no near duplicate."
        ),
        columns=(
            "cycle", "made", "valid", "repaired", "trained", "mean", "median", "best", "above", "admitted",
            "novel so far", "distance", "time",
        ),
        rows=rows,
    )  # fmt: skip


def summary_table(groups: Sequence[Group]) -> PaperTable:
    """One row per group: means over all cycles, the last cycle, diversity, time."""
    rows = tuple(
        (
            group.name,
            ", ".join(map(str, group.seeds)),
            ", ".join(map(str, group.cycles)),
            "; ".join(dict.fromkeys(percent(one) for one in group.thresholds)),
            shown_value(group.means["valid"]),
            shown_value(group.means["mean"]),
            shown_value(group.means["above"]),
            shown_value(group.last["valid"]),
            shown_value(group.last["mean"]),
            shown_value(group.last["above"]),
            percent(group.best, 2),
            ", ".join(map(str, group.distinct_each)),
            _plain(group.distance_ratio),
        )
        for group in groups
    )
    return PaperTable(
        name="comparison",
        title="Side by side",
        caption=(
            "Per cent. All: means over the cycles of all seeds; last: the last cycle of each seed. Intervals of 95 %: "
            "of several values Student's t, of one campaign's last cycle its own. Distance: of the last cycle's texts "
            "as a share of the first's."
        ),
        columns=(
            "campaigns", "seeds", "cycles", "threshold", "all: valid", "all: mean", "all: above", "last: valid",
            "last: mean", "last: above", "best", "novel", "distance",
        ),
        rows=rows,
    )  # fmt: skip


def difference_table(groups: Sequence[Group]) -> PaperTable:
    """Each group against the first, in points, over cycles of equal seed and number."""
    rows = []
    for group in groups[1:]:
        if not group.differences:
            continue
        found = {one.name: one for one in group.differences}
        pairs = max((one.pairs for one in group.differences), default=0)
        rows.append((group.name, str(pairs), *(shown_value(found[name].difference) for name in _POINTS)))
    return PaperTable(
        name="differences",
        title=f"Differences to {groups[0].name}, in points",
        caption=(
            "Means over pairs of cycles with the same seed and number, with Student's 95 % interval; cycles of one "
            "campaign are not independent, so the intervals are too narrow rather than too wide."
        ),
        columns=("campaigns", "pairs", *_POINTS),
        rows=tuple(rows),
    )


def _plain(value: Value) -> str:
    """A ratio with its interval."""
    if value.value is None:
        return NONE
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} ({value.low:.3f}–{value.high:.3f})"


def _report(
    title: str,
    series: Sequence[Series],
    groups: Sequence[Group],
    tables: Sequence[PaperTable],
    figures: Sequence[Drawn],
) -> PaperReport:
    shown = [
        PaperFigure(
            name=one.name, title=one.title, caption=next(v for k, v in _CAPTIONS.items() if one.name.startswith(k))
        )
        for one in figures
    ]
    return PaperReport(
        title=title,
        version=__version__,
        series=tuple(series),
        groups=tuple(groups),
        tables=tuple(tables),
        figures=tuple(shown),
    )
