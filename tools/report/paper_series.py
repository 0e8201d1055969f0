"""A campaign as a series of cycles: the numbers that the paper's tables and figures are drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from ...memory.novelty import NEAR_DUPLICATE
from ...memory.records import Records
from ...memory.shingles import jaccard, shingles
from ...memory.types import Frozen
from ..dedup.structures import structure_of
from ..statistics import CONFIDENCE, t_interval, wilson_interval
from .build import campaign_report
from .history import History
from .model import CycleReport, Foreseen
from .paper_published import FULL
from .text import percent


class Value(Frozen):
    """A number with its 95 % interval; ``None`` where it is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class CyclePoint(Frozen):
    """One cycle.

    Attributes:
        valid: share valid as the model wrote it; ``repaired``: after clean-up and repair.
        mean: of the metric, over trained networks; ``above``: share of them at or above the threshold.
        admitted: to the corpus; ``distinct`` of them are no near duplicate of what was known then.
        distinct_so_far: sum of ``distinct`` up to here; ``corpus``: prompt–code pairs after the cycle.
        distance: mean Jaccard distance of all pairs of the model's texts (token 10-grams).
        wall_s: seconds of all stages.
    """

    cycle: int
    generated: int
    trained: int
    valid: Value
    repaired: Value
    mean: Value
    median: float | None
    best: float | None
    above: Value
    admitted: int
    distinct: int
    distinct_so_far: int
    corpus: int
    distance: Value
    wall_s: float
    values: tuple[float, ...]
    foreseen: Foreseen | None = None


class Series(Frozen):
    """One campaign.

    Attributes:
        variant: what its configuration leaves out of the full method, in the words of the paper's table 7.
        threshold: from which a network counts as above; that of the campaign, or the one it is compared by.
        admits: what the campaign asked of a network that it admitted, in words.
        conditions: what campaigns must share to be seeds of one variant.
    """

    campaign: str
    variant: str
    seed: int
    state: str
    task: str
    dataset: str
    metric: str
    protocol: str
    protocol_hash: str
    model: str
    threshold: float | None
    initial_corpus: int
    admits: str = ""
    conditions: str
    cycles: tuple[CyclePoint, ...]
    wall_s: float

    @property
    def admitted(self) -> int:
        """Networks that the campaign admitted."""
        return sum(one.admitted for one in self.cycles)

    @property
    def distinct(self) -> int:
        """Of those, the ones that are no near duplicates."""
        return self.cycles[-1].distinct_so_far if self.cycles else 0

    def over_cycles(self, name: str) -> list[float]:
        """A value of every cycle in which it is known."""
        found = (getattr(one, name) for one in self.cycles)
        values = [one.value if isinstance(one, Value) else one for one in found]
        return [float(one) for one in values if one is not None]


def campaign_series(records: Records, campaign_id: str, threshold: float | None = None) -> Series:
    """The series of a campaign as far as it has come.

    Args:
        threshold: for the shares above, in place of the campaign's own.

    Raises:
        RecordsError: there is no such campaign.
    """
    report, history = campaign_report(records, campaign_id), History.read(records, campaign_id)
    config: dict[str, Any] = report.config
    own = next((one.threshold for one in report.cycles if one.threshold is not None), None)
    bar = own if threshold is None else threshold
    texts = _texts(records, history)
    distinct = _distinct(history)
    points: list[CyclePoint] = []
    for cycle in report.cycles:
        points.append(
            _point(cycle, bar, texts.get(cycle.cycle, []), distinct.get(cycle.cycle, 0), points[-1] if points else None)
        )
    return Series(
        campaign=report.campaign,
        variant=variant_of(config),
        seed=report.seed,
        state=report.state,
        task=report.task.id,
        dataset=report.task.dataset,
        metric=report.task.metric,
        protocol=report.protocol.name,
        protocol_hash=report.protocol_hash,
        model=str((config.get("model") or {}).get("name", "")),
        threshold=bar,
        initial_corpus=report.initial_corpus,
        admits=_admits(config, own),
        conditions=_conditions(config),
        cycles=tuple(points),
        wall_s=report.spent.wall_s,
    )


def counted_at(one: Series, threshold: float | None) -> Series:
    """A series with its shares above taken at another threshold."""
    cycles = tuple(point.model_copy(update={"above": _above(point.values, threshold)}) for point in one.cycles)
    return one.model_copy(update={"threshold": threshold, "cycles": cycles})


def _admits(config: dict[str, Any], threshold: float | None) -> str:
    campaign = config.get("campaign") or {}
    asked = [
        (f"at or above {percent(threshold)} %", campaign.get("admit") != "all"),
        ("new", campaign.get("novelty") != "none"),
    ]
    return ", ".join(name for name, holds in asked if holds) or "all that were trained"


def variant_of(config: dict[str, Any]) -> str:
    """What a campaign's configuration leaves out of the full method (section 4.4)."""
    campaign = config.get("campaign") or {}
    left_out = [
        ("no novelty filter", campaign.get("novelty") == "none"),
        ("no accuracy threshold", campaign.get("admit") == "all" or campaign.get("threshold") == 0),
        ("no iteration", campaign.get("tune") is False),
    ]
    return ", ".join(name for name, holds in left_out if holds) or FULL


def _conditions(config: dict[str, Any]) -> str:
    """A configuration without its seed and budget, as text: equal for seeds of one variant."""
    campaign = {key: value for key, value in (config.get("campaign") or {}).items() if key != "seed"}
    rest = {key: value for key, value in config.items() if key not in ("campaign", "budget", "sandbox", "evaluation")}
    return repr(sorted(_flat({"campaign": campaign, **rest}).items()))


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": repr(value)}
    return found


def _point(
    cycle: CycleReport, bar: float | None, texts: Sequence[str], distinct: int, before: CyclePoint | None
) -> CyclePoint:
    raw, repaired, accuracy = cycle.valid.generation, cycle.valid.repair, cycle.accuracy
    return CyclePoint(
        cycle=cycle.cycle,
        generated=cycle.generated,
        trained=cycle.trained,
        valid=Value(value=raw.rate, low=raw.low, high=raw.high),
        repaired=Value(value=repaired.rate, low=repaired.low, high=repaired.high),
        mean=Value(value=accuracy.mean, low=accuracy.low, high=accuracy.high),
        median=accuracy.median,
        best=accuracy.best,
        above=_above(cycle.values, bar),
        admitted=cycle.admitted,
        distinct=distinct,
        distinct_so_far=distinct + (before.distinct_so_far if before else 0),
        corpus=cycle.corpus,
        distance=spread_of(texts),
        wall_s=round(sum(cycle.seconds.values()), 3),
        values=cycle.values,
        foreseen=cycle.foreseen,
    )


def _above(values: Sequence[float], bar: float | None) -> Value:
    if bar is None or not values:
        return Value()
    share, low, high = wilson_interval(sum(value >= bar for value in values), len(values))
    return Value(value=share, low=low, high=high)


def _texts(records: Records, history: History) -> dict[int, list[str]]:
    """The model's own answers by cycle, as it wrote them, grafts left out; a copy counts each time."""
    written = [one for one in history.generations if one.raw_candidate_id and not one.grafted]
    known = records.get_candidates(one.raw_candidate_id for one in written if one.raw_candidate_id)
    found: dict[int, list[str]] = {}
    for one in written:
        found.setdefault(one.cycle, []).append(known[one.raw_candidate_id or ""].source)
    return found


def _distinct(history: History) -> dict[int, int]:
    """Admitted networks by cycle that were no near duplicate by text or graph, whether or not a filter asked."""
    counts: dict[int, int] = {}
    graphs: set[str] = set()
    for one in history.first_slots:
        if not history.admitted(one):
            continue
        key = one.candidate_id or ""
        source = history.candidates[key].source
        mark = structure_of(history.verdicts.get(key), source) or f"text {source}"
        copied = (one.jaccard or 0.0) >= NEAR_DUPLICATE or one.nearest_kind == "exact" or mark in graphs
        graphs.add(mark)
        counts[one.cycle] = counts.get(one.cycle, 0) + (not copied)
    return counts


def spread_of(texts: Sequence[str]) -> Value:
    """Mean Jaccard distance of all pairs of texts, as :mod:`...diversity` has it, with an interval.

    Pairs share texts and are not independent: the interval is the jackknife's, which leaves out one text at a time
    (Efron and Stein, "The Jackknife Estimate of Variance", 1981).
    """
    count = len(texts)
    if count < 2:
        return Value()
    sets = [shingles(text) for text in texts]
    sums = np.zeros(count)
    for one in range(count):
        for other in range(one + 1, count):
            distance = 1 - jaccard(sets[one], sets[other])
            sums[one] += distance
            sums[other] += distance
    total = sums.sum() / 2
    mean = float(total / (count * (count - 1) / 2))
    if count < 4:
        return Value(value=mean)
    without = (total - sums) / ((count - 1) * (count - 2) / 2)
    error = math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * error
    return Value(value=mean, low=max(0.0, mean - half), high=min(1.0, mean + half))


def mean_value(values: Sequence[float], *, share: bool = False) -> Value:
    """A mean with Student's interval, that of a share within 0 and 1."""
    estimate, low, high = t_interval(values, share=share)
    return Value(value=estimate, low=low, high=high)
