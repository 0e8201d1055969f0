"""Campaigns pooled: seeds of one variant together, variants side by side."""

from __future__ import annotations

from collections.abc import Sequence

from ...memory.records import Records
from ...memory.types import Frozen
from .paper_published import FULL
from .paper_series import Series, Value, campaign_series, counted_at, mean_value

COMPARED = ("valid", "repaired", "mean", "above", "distance", "wall_s")
"""Values of a cycle that groups are compared by."""


class Difference(Frozen):
    """How a group differs from the first one, over cycles of equal seed and number, with Student's interval."""

    name: str
    pairs: int
    difference: Value


class Group(Frozen):
    """Campaigns that differ in their seeds alone.

    Attributes:
        means: of each value over all cycles of all seeds, as the paper takes them over its 22 cycles (section 4.1).
        last: the same of each seed's last cycle.
        distinct: admitted networks that are no near duplicates, in the mean over seeds; ``distinct_each`` by seed.
        distance_ratio: mean distance of the last cycle's texts as a share of the first's, in the mean over seeds.
        differences: to the first group; empty for that one, and for groups of another task or protocol.
    """

    name: str
    variant: str
    campaigns: tuple[str, ...]
    seeds: tuple[int, ...]
    cycles: tuple[int, ...]
    thresholds: tuple[float | None, ...]
    means: dict[str, Value]
    last: dict[str, Value]
    best: float | None
    distinct: Value
    distinct_each: tuple[int, ...]
    distance_ratio: Value
    differences: tuple[Difference, ...] = ()


def read_series(records: Records, ids: Sequence[str], threshold: float | None = None) -> list[Series]:
    """Series of campaigns, their shares above taken at a threshold that makes them comparable.

    That is the given one; else that of the full method with the same task, protocol and seed; else that of the full
    method with another seed; else each campaign's own.

    Raises:
        RecordsError: there is no such campaign.
    """
    own = [campaign_series(records, one, threshold) for one in dict.fromkeys(ids)]
    if threshold is not None:
        return own
    bars = [_reference(one, own) for one in own]
    return [one if bar == one.threshold else counted_at(one, bar) for one, bar in zip(own, bars, strict=True)]


def _reference(one: Series, others: Sequence[Series]) -> float | None:
    full = [other for other in others if other.variant == FULL and other.threshold and _place(other) == _place(one)]
    same = [other for other in full if other.seed == one.seed]
    return next((other.threshold for other in (*same, *full)), one.threshold) if one.variant != FULL else one.threshold


def _place(one: Series) -> tuple[str, str]:
    return one.task, one.protocol_hash


def groups_of(series: Sequence[Series]) -> list[Group]:
    """Series in groups, in the order in which they come."""
    members: dict[tuple[str, str, str, str], list[Series]] = {}
    for one in series:
        members.setdefault((*_place(one), one.variant, one.conditions), []).append(one)
    variants = [key[2] for key in members]
    made: list[Group] = []
    first = next(iter(members.values()), [])
    for key, some in members.items():
        name = key[2] if variants.count(key[2]) == 1 else f"{key[2]} ({', '.join(one.campaign for one in some)})"
        compares = some is not first and _place(some[0]) == _place(first[0])
        made.append(_group(name, some, first if compares else ()))
    return made


def _group(name: str, some: Sequence[Series], first: Sequence[Series]) -> Group:
    ended = [one.cycles[-1] for one in some if one.cycles]
    ratios = [
        end.value / start.value
        for one in some
        if one.cycles and (start := one.cycles[0].distance).value and (end := one.cycles[-1].distance).value is not None
    ]
    bests = [point.best for one in some for point in one.cycles if point.best is not None]
    return Group(
        name=name,
        variant=some[0].variant,
        campaigns=tuple(one.campaign for one in some),
        seeds=tuple(one.seed for one in some),
        cycles=tuple(len(one.cycles) for one in some),
        thresholds=tuple(one.threshold for one in some),
        means={key: _mean(key, [v for one in some for v in one.over_cycles(key)]) for key in COMPARED},
        last={key: _last(ended, key) for key in COMPARED},
        best=max(bests, default=None),
        distinct=mean_value([float(one.distinct) for one in some]),
        distinct_each=tuple(one.distinct for one in some),
        distance_ratio=mean_value(ratios),
        differences=tuple(_difference(key, some, first) for key in COMPARED) if first else (),
    )


def _last(ended: Sequence[object], key: str) -> Value:
    """Of one campaign the cycle's own value and interval, of several the mean over them."""
    found = [getattr(one, key) for one in ended]
    if len(found) == 1:
        return found[0] if isinstance(found[0], Value) else Value(value=found[0])
    values = [one.value if isinstance(one, Value) else one for one in found]
    return _mean(key, [float(one) for one in values if one is not None])


def _mean(key: str, values: Sequence[float]) -> Value:
    return mean_value(values, share=key != "wall_s")


def _difference(key: str, some: Sequence[Series], first: Sequence[Series]) -> Difference:
    base = _by_place(first, key)
    pairs = [value - base[place] for place, value in _by_place(some, key).items() if place in base]
    return Difference(name=key, pairs=len(pairs), difference=mean_value(pairs))


def _by_place(some: Sequence[Series], key: str) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for one in some:
        for point in one.cycles:
            value = getattr(point, key)
            number = value.value if isinstance(value, Value) else value
            if number is not None:
                found[(one.seed, point.cycle)] = float(number)
    return found
