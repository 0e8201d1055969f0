"""How different the texts of a cycle are from one another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean

from ..memory.shingles import jaccard, shingles


def mean_distance(sources: Sequence[str]) -> float | None:
    """Mean Jaccard distance of all pairs, over token 10-grams (*From Memorization to Creativity*, appendix A.1).

    Exact, so quadratic: 100 programs take a quarter of a second.

    Returns:
        0 for equal texts, 1 for texts that share no run of ten tokens; ``None`` for fewer than two.
    """
    sets = [shingles(source) for source in sources]
    if len(sets) < 2:
        return None
    return fmean(1 - jaccard(one, other) for one, other in itertools.combinations(sets, 2))
