"""Tables 2 to 7 of *From Memorization to Creativity*, drawn from campaigns, with the paper's numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .paper_groups import Group
from .paper_model import PaperTable
from .paper_published import (
    ABLATIONS,
    ADMITTED,
    FULL,
    INITIAL,
    MEAN_VALID,
    PUBLISHED,
    Checkpoint,
    published_for,
)
from .paper_series import CyclePoint, Series, Value
from .text import duration, number, percent

ALL_SHOWN: Final = 8  # cycles: a shorter campaign is shown whole
NONE: Final = "–"
_OTHER_DATA: Final = "Another data set and protocol than the paper's: shapes of curves compare, single values do not."


def shown_value(value: Value, digits: int = 1) -> str:
    """A share in per cent with its interval."""
    if value.value is None or value.low is None or value.high is None:
        return percent(value.value, digits)
    return f"{percent(value.value, digits)} ({percent(value.low, digits)}–{percent(value.high, digits)})"


def paper_tables(series: Sequence[Series], groups: Sequence[Group]) -> list[PaperTable]:
    """All tables, in the paper's order; those of one campaign once for each."""
    several = len(series) > 1
    tables = [corpus_table(one, several) for one in series]
    tables += [checkpoint_table(one, several) for one in series]
    tables += [transfer_table(series), ablation_table(groups)]
    return sorted(tables, key=lambda table: table.name)


def corpus_table(one: Series, several: bool) -> PaperTable:
    """Table 2: what the model was tuned on in the end."""
    admitted, last = one.admitted, one.cycles[-1].cycle if one.cycles else 0
    rows = (
        ("initial corpus", number(one.initial_corpus), number(INITIAL)),
        (f"self-generated ({one.admits})", number(admitted), number(ADMITTED)),
        ("total by the last cycle", number(one.initial_corpus + admitted), number(INITIAL + ADMITTED)),
    )
    return PaperTable(
        name="table-2",
        title=_titled("Table 2: training corpus", one, several),
        caption=(
            f"Prompt–code pairs after {last} cycles; the paper's after 22, on CIFAR-10. Its initial corpus is LEMUR's, "
            f"deduplicated, each network with two descriptions. {one.distinct} of the admitted are no near duplicates."
        ),
        columns=("source", "pairs", "paper"),
        rows=rows,
    )


def checkpoint_table(one: Series, several: bool) -> PaperTable:
    """Table 3, 4 or 6, by the campaign's data set: representative cycles."""
    published, same = published_for(one.dataset)
    paper = {row.cycle: row for row in published.rows}
    rows = tuple(_checkpoint(point, paper.get(point.cycle)) for point in _chosen(one))
    about = "" if same else f" {_OTHER_DATA}"
    return PaperTable(
        name=f"table-{published.table}",
        title=_titled(f"Table {published.table}: cycles on {one.dataset}", one, several),
        caption=(
            f"Per cent with 95 % intervals (Wilson for shares, Student's t for means); threshold "
            f"{percent(one.threshold)} % (paper: {percent(published.threshold, 0)} % on {published.name}); valid: as "
            f"the model wrote it; the paper's numbers in the columns marked so, where it publishes the cycle.{about}"
        ),
        columns=(
            "cycle", "valid", "paper", "best", "paper", "mean", "paper", "above", "paper", "admitted", "paper",
            "corpus", "paper", "trained", "time",
        ),
        rows=rows,
    )  # fmt: skip


def _chosen(one: Series) -> list[CyclePoint]:
    """The cycles that the paper shows, the last, and the one with most above the threshold; of few cycles all."""
    if len(one.cycles) <= ALL_SHOWN:
        return list(one.cycles)
    peak = max(one.cycles, key=lambda point: (point.above.value or 0.0, -point.cycle))
    published, _ = published_for(one.dataset)
    wanted = {row.cycle for row in published.rows} | {one.cycles[-1].cycle, peak.cycle}
    return [point for point in one.cycles if point.cycle in wanted]


def _checkpoint(point: CyclePoint, paper: Checkpoint | None) -> tuple[str, ...]:
    ours = (
        shown_value(point.valid),
        percent(point.best, 2),
        shown_value(point.mean),
        shown_value(point.above),
        str(point.admitted),
        number(point.corpus),
    )
    theirs = (
        (NONE,) * 6
        if paper is None
        else (
            percent(paper.valid),
            percent(paper.best, 2),
            percent(paper.mean, 2),
            percent(paper.above, 2),
            str(paper.admitted),
            number(paper.corpus),
        )
    )
    sides = [cell for pair in zip(ours, theirs, strict=True) for cell in pair]
    return (str(point.cycle), *sides, str(point.trained), duration(point.wall_s))


def transfer_table(series: Sequence[Series]) -> PaperTable:
    """Table 5: data sets side by side at the first and the last cycle."""
    rows = [
        (
            f"{one.dataset} ({one.campaign})",
            percent(one.threshold),
            *_shown(one.cycles[0]),
            *_shown(one.cycles[-1]),
            str(one.cycles[-1].cycle),
        )
        for one in series
        if one.cycles
    ]
    rows += [
        (
            f"{paper.name}, paper",
            percent(paper.threshold),
            *_ends(paper.rows[0]),
            *_ends(paper.rows[-1]),
            str(paper.rows[-1].cycle),
        )
        for paper in PUBLISHED.values()
    ]
    return PaperTable(
        name="table-5",
        title="Table 5: data sets at the first and the last cycle",
        caption="Per cent with 95 % intervals. Thresholds are each data set's own.",
        columns=(
            "data set", "threshold", "first: valid", "first: mean", "first: above", "last: valid", "last: mean",
            "last: above", "last cycle",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _shown(point: CyclePoint) -> tuple[str, str, str]:
    return shown_value(point.valid), shown_value(point.mean), shown_value(point.above)


def _ends(row: Checkpoint) -> tuple[str, str, str]:
    return percent(row.valid), percent(row.mean, 2), percent(row.above, 2)


def ablation_table(groups: Sequence[Group]) -> PaperTable:
    """Table 7: the full method beside what leaves a part of it out."""
    paper = {one.name: one for one in ABLATIONS}
    rows = []
    for group in groups:
        theirs = paper.get(group.variant)
        rows.append(
            (
                group.name,
                _counted(group),
                shown_value(group.means["valid"]),
                percent(theirs.valid if theirs else None),
                shown_value(group.means["mean"]),
                percent(theirs.mean if theirs else None, 2),
                shown_value(group.means["above"]),
                percent(theirs.above if theirs else None, 2),
                _novel(group),
                str(theirs.novel) if theirs else NONE,
            )
        )
    told = {group.variant for group in groups}
    rows += [
        (f"{one.name} (paper only)", NONE, NONE, percent(one.valid), NONE, percent(one.mean, 2), NONE,
         percent(one.above, 2), NONE, str(one.novel))
        for one in ABLATIONS
        if one.name not in told
    ]  # fmt: skip
    low, high = percent(MEAN_VALID[1]), percent(MEAN_VALID[2])
    return PaperTable(
        name="table-7",
        title="Table 7: ablations",
        caption=(
            "Means over all cycles (of all seeds) in per cent, with Student's 95 % intervals over cycles, which are "
            "not independent; the paper's are those over 22 cycles on CIFAR-10 (valid rate of the "
            f"{FULL}: {low} to {high}). Shares above are taken at the full method's threshold. Novel: admitted "
            "networks that are no near duplicates by text or computation graph, whether or not a filter asked for that."
        ),
        columns=(
            "method", "seeds × cycles", "valid", "paper", "mean", "paper", "above", "paper", "novel", "paper",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _counted(group: Group) -> str:
    cycles = sorted(set(group.cycles))
    return f"{len(group.seeds)} × {'–'.join(map(str, (cycles[0], cycles[-1]) if len(cycles) > 1 else cycles))}"


def _novel(group: Group) -> str:
    each = ", ".join(map(str, group.distinct_each))
    return each if len(group.distinct_each) == 1 else f"{group.distinct.value:.0f} ({each})"


def _titled(title: str, one: Series, several: bool) -> str:
    return f"{title} ({one.campaign})" if several else title
