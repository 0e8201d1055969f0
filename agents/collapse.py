"""Collapse guard: notices that an adapter writes less that is valid, or less that is varied, than it may.

A model that is tuned on its own answers can end in a few programs, or in none that run. What a cycle wrote is therefore
compared with cycle 1, which the untuned model wrote.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..memory.records import Records
from ..tools.diversity import mean_distance


@dataclass(frozen=True)
class CycleHealth:
    """What a cycle wrote.

    Attributes:
        valid: share valid as the model wrote it.
        distance: mean Jaccard distance of the texts that were written whole; ``None`` for fewer than two.
    """

    valid: float
    distance: float | None


def cycle_health(records: Records, run: str, cycle: int) -> CycleHealth | None:
    """Of the model's own answers in a cycle, grafts left out; ``None`` where there are none."""
    answered = [g for g in records.generations(run, cycle) if g.raw_candidate_id is not None and not g.grafted]
    if not answered:
        return None
    texts = records.get_candidates(g.raw_candidate_id for g in answered if g.raw_candidate_id)
    valid = sum(g.valid_by == "generation" for g in answered) / len(answered)
    # Answers that change a network are near it and each other because that was asked for.
    sources = [texts[g.raw_candidate_id].source for g in answered if g.raw_candidate_id and g.parent is None]
    return CycleHealth(valid, mean_distance(sources))


@dataclass(frozen=True)
class CollapseGuard:
    """Says when a cycle has collapsed.

    Attributes:
        valid, distance: least valid rate and mean distance, as shares of cycle 1's.
    """

    valid: float
    distance: float

    def collapsed(self, records: Records, run: str, cycle: int) -> str | None:
        """Why what a cycle wrote is a collapse, or ``None``. Read off the records: asked again it says the same."""
        first = cycle_health(records, run, 1)
        here = cycle_health(records, run, cycle) if cycle > 1 else None
        if first is None or here is None:
            return None
        if here.valid < self.valid * first.valid:
            return f"valid rate {here.valid:.3f} is below {self.valid:g} of cycle 1's {first.valid:.3f}"
        if first.distance is not None and here.distance is not None and here.distance < self.distance * first.distance:
            return f"mean distance {here.distance:.3f} is below {self.distance:g} of cycle 1's {first.distance:.3f}"
        return None
