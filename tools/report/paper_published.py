"""What *From Memorization to Creativity* published: the numbers of its tables 2 to 7, to stand beside a campaign's."""

from __future__ import annotations

from typing import Final, NamedTuple


class Checkpoint(NamedTuple):
    """A row of tables 3, 4 and 6; rates and accuracies are shares of 1.

    Attributes:
        admitted: the column "unique models": new networks that the cycle admitted.
        corpus: the column "total train": prompt–code pairs.
    """

    cycle: int
    valid: float
    best: float
    mean: float
    above: float
    admitted: int
    corpus: int


class Published(NamedTuple):
    """One of the paper's data sets: where its table stands, its threshold (section 3.2) and the table's rows."""

    table: int
    name: str
    threshold: float
    rows: tuple[Checkpoint, ...]


class Ablation(NamedTuple):
    """A row of table 7: means over the cycles, and the number of novel models."""

    name: str
    valid: float
    mean: float
    above: float
    novel: int


CIFAR10: Final = Published(
    3,
    "CIFAR-10",
    0.40,
    (
        Checkpoint(1, 0.440, 0.4778, 0.2806, 0.0204, 1, 1698),
        Checkpoint(5, 0.320, 0.4913, 0.2988, 0.0682, 9, 1724),
        Checkpoint(10, 0.538, 0.5548, 0.3770, 0.3804, 18, 1785),
        Checkpoint(15, 0.668, 0.5860, 0.4740, 0.8070, 34, 1911),
        Checkpoint(18, 0.591, 0.6398, 0.5099, 0.9681, 38, 2025),
        Checkpoint(22, 0.418, 0.5762, 0.4948, 0.9286, 30, 2153),
    ),
)
CIFAR100: Final = Published(
    4,
    "CIFAR-100",
    0.20,
    (
        Checkpoint(1, 0.420, 0.200, 0.090, 0.015, 1, 1698),
        Checkpoint(5, 0.293, 0.215, 0.102, 0.030, 6, 1708),
        Checkpoint(10, 0.500, 0.258, 0.146, 0.160, 14, 1748),
        Checkpoint(15, 0.635, 0.295, 0.188, 0.520, 26, 1832),
        Checkpoint(18, 0.567, 0.325, 0.212, 0.670, 30, 1906),
        Checkpoint(22, 0.462, 0.310, 0.205, 0.630, 24, 2038),
    ),
)
SVHN: Final = Published(
    6,
    "SVHN",
    0.70,
    (
        Checkpoint(1, 0.460, 0.730, 0.510, 0.180, 2, 1698),
        Checkpoint(5, 0.347, 0.745, 0.530, 0.240, 8, 1718),
        Checkpoint(10, 0.577, 0.795, 0.620, 0.540, 18, 1778),
        Checkpoint(15, 0.692, 0.830, 0.690, 0.700, 33, 1890),
        Checkpoint(18, 0.615, 0.845, 0.715, 0.790, 32, 1965),
        Checkpoint(22, 0.481, 0.835, 0.705, 0.770, 28, 2110),
    ),
)
PUBLISHED: Final = {"cifar10": CIFAR10, "cifar100": CIFAR100, "svhn": SVHN}
"""By data set. Another one is set beside CIFAR-10, the paper's primary results (section 4.1)."""
INITIAL: Final = 1698  # table 2
ADMITTED: Final = 455
FULL: Final = "full method"
ABLATIONS: Final = (
    Ablation(FULL, 0.506, 0.423, 0.511, 455),
    Ablation("no novelty filter", 0.520, 0.420, 0.500, 220),
    Ablation("no accuracy threshold", 0.510, 0.385, 0.340, 470),
    Ablation("no iteration", 0.440, 0.2806, 0.0455, 1),
)
"""Table 7, on CIFAR-10."""
MEAN_VALID: Final = (0.506, 0.450, 0.561)
"""Valid rate over all 22 cycles on CIFAR-10 and its 95 % interval (section 4.1, figure 2)."""


def published_for(dataset: str) -> tuple[Published, bool]:
    """The paper's table for a data set, and whether it is about that data set."""
    found = PUBLISHED.get(dataset)
    return (CIFAR10, False) if found is None else (found, True)
