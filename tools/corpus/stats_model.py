"""What the statistics of the records say, as types: ``statistics.json`` is exactly this."""

from __future__ import annotations

from ...memory.types import Frozen


class Measure(Frozen):
    """What is compared with what: results of one task on one data set by one metric."""

    task: str
    dataset: str
    metric: str


class Ranked(Frozen):
    """One of the best networks of a data set, by its best result; ``epoch`` is when it reached it."""

    nn: str
    accuracy: float
    epoch: int


class TopList(Frozen):
    """The best networks of a data set, best first (LEMUR 2, supplement 13, figures 11–15 and 19–21)."""

    measure: Measure
    networks: int
    best: tuple[Ranked, ...]


class Spread(Frozen):
    """A sample in five numbers and its mean; whiskers reach to the last value within 1.5 quartile distances."""

    n: int
    mean: float
    low: float
    q1: float
    median: float
    q3: float
    high: float
    best: float


class GroupSpread(Frozen):
    """Networks of one prefix group on one data set, each by its best result (supplement 13, figures 16–18)."""

    measure: Measure
    group: str
    spread: Spread


class ExemplarSpread(Frozen):
    """Networks written from one number of exemplars on one data set (supplement 10.3 and 14.6).

    Attributes:
        exemplars: networks that the prompt showed; ``alt-nn3`` has three.
        gain: mean less that of one exemplar on the same data set; ``None`` for one exemplar itself.
        p: two-sided, of Welch's t-test between the two.
    """

    measure: Measure
    exemplars: int
    spread: Spread
    gain: float | None
    p: float | None


class Balanced(Frozen):
    """The mean of a group over data sets (LEMUR 2, section 2.2.6; supplement 14.6).

    Attributes:
        group: a prefix group, or ``all``.
        results: networks counted once for each data set.
        means: data set -> mean over its networks.
        balanced: the mean of ``means``: every data set counts the same.
        naive: the mean over all results, in which the data set with the most networks counts most.
        inflation: ``naive - balanced``.
    """

    task: str
    metric: str
    group: str
    results: int
    means: dict[str, float]
    balanced: float
    naive: float
    inflation: float


class EpochPoint(Frozen):
    """All networks of a data set at one epoch; of several results of a network at it the best counts."""

    epoch: int
    n: int
    q1: float
    median: float
    q3: float
    best: float


class EpochCurve(Frozen):
    """How accuracy goes with epochs on one data set."""

    measure: Measure
    points: tuple[EpochPoint, ...]


class DurationPoint(Frozen):
    """The best result of one network, and how long its training took until then, in seconds."""

    seconds: float
    accuracy: float


class DurationCloud(Frozen):
    """How accuracy goes with time on one data set.

    Attributes:
        networks: those whose time is known.
        rank_correlation: Spearman's, over all of them; ``None`` for fewer than three or where all are equal.
        points: at most :data:`.stats_build.MAX_POINTS` of them, evenly spaced by time.
    """

    measure: Measure
    networks: int
    median_seconds: float
    rank_correlation: float | None
    points: tuple[DurationPoint, ...]


class Member(Frozen):
    """A network of a family.

    Attributes:
        parent: place of its parent among the family's members; ``None`` for the root.
        depth: steps from the root.
        accuracy: its best result on any data set of the selection; ``None``: never trained, or not selected.
    """

    name: str
    parent: int | None
    depth: int
    accuracy: float | None


class Family(Frozen):
    """A network without a known parent and all that descend from it, by their first parents.

    Attributes:
        members: the root first, every parent before its children; at most :data:`.stats_lineage.MAX_MEMBERS`.
    """

    root: str
    size: int
    depth: int
    root_accuracy: float | None
    best: str | None
    best_accuracy: float | None
    members: tuple[Member, ...]


class Lineage(Frozen):
    """Who descends from whom.

    Attributes:
        networks: all on record.
        families: roots that have children.
        alone: networks with neither parents nor children.
        deepest: steps of the longest line.
        by_depth: depth -> networks, of families only.
        largest: the largest families, largest first.
    """

    networks: int
    families: int
    alone: int
    deepest: int
    by_depth: dict[int, int]
    largest: tuple[Family, ...]


class Statistics(Frozen):
    """Everything that ``netwright stats`` prints and draws."""

    version: str
    selection: dict[str, str | int]
    rows: int
    networks: int
    measures: tuple[Measure, ...]
    top: tuple[TopList, ...]
    groups: tuple[GroupSpread, ...]
    exemplars: tuple[ExemplarSpread, ...]
    balanced: tuple[Balanced, ...]
    epochs: tuple[EpochCurve, ...]
    durations: tuple[DurationCloud, ...]
    lineage: Lineage
