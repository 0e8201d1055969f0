"""The retriever: networks from the records that the designer is shown as exemplars."""

from __future__ import annotations

import random

from ..memory.novelty import NoveltyIndex
from ..memory.records import Records
from ..memory.types import Task
from .prompting import Exemplar

POOL = 24
"""Best networks among which exemplars are drawn: enough for variety, few enough to be good."""


class Retriever:
    """Picks exemplars that are good and differ from each other.

    Args:
        count: exemplars per prompt; 0 retrieves nothing. LEMUR 2 (section 4, few-shot prompting) found 3 best
            on average and 6 to overflow the context of a 7B model.
    """

    def __init__(self, records: Records, task: Task, protocol_hash: str, count: int) -> None:
        self.records = records
        self.task = task
        self.protocol_hash = protocol_hash
        self.count = count

    def exemplars(self, rng: random.Random) -> list[Exemplar]:
        """Up to ``count`` exemplars of the task, best first, no two of them near-duplicates."""
        if self.count == 0:
            return []
        pool = self.records.best_trials(self.task.id, self.protocol_hash, limit=POOL)
        rng.shuffle(pool)
        sources = self.records.get_candidates(t.candidate_id for t in pool)
        index = NoveltyIndex()
        chosen: list[Exemplar] = []
        for trial in pool:
            source = sources[trial.candidate_id].source
            if index.is_novel(source):
                index.add(trial.candidate_id, source)
                chosen.append(Exemplar(trial.candidate_id, source, trial.metric or 0.0))
            if len(chosen) == self.count:
                break
        return sorted(chosen, key=lambda e: -e.metric)
