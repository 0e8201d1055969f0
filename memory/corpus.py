"""The corpus: prompt–code pairs that the language model is tuned on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .novelty import NoveltyIndex
from .records import Records
from .rows import Admission, Generation
from .signatures import SignatureCache
from .types import Frozen, candidate_id


class Pair(Frozen):
    """One training example of the language model.

    Attributes:
        metric: what the network reached in its trial; ``None`` for the initial corpus.
        cycle: the cycle that admitted it; 0 for the initial corpus.
        grafted: whether a block was put into it, and no model wrote it.
    """

    prompt: str
    code: str
    candidate_id: str
    metric: float | None = None
    cycle: int = 0
    grafted: bool = False


class Corpus:
    """The initial corpus and what a campaign admitted to it, from the records.

    Args:
        initial: (prompt, code) pairs from before the first cycle.
    """

    def __init__(self, records: Records, initial: Iterable[tuple[str, str]] = ()) -> None:
        self._records = records
        self._initial = [Pair(prompt=prompt, code=code, candidate_id=candidate_id(code)) for prompt, code in initial]

    @property
    def initial(self) -> list[Pair]:
        """The pairs of cycle 0."""
        return list(self._initial)

    def pairs(self, campaign_id: str, up_to_cycle: int | None = None) -> list[Pair]:
        """The initial pairs, then what was admitted up to and including a cycle, by cycle and slot."""
        return self.initial + self.admitted(campaign_id, up_to_cycle)

    def admitted(self, campaign_id: str, up_to_cycle: int | None = None, after_cycle: int = 0) -> list[Pair]:
        """What a campaign admitted up to and including a cycle, by cycle and slot, each candidate once.

        Args:
            after_cycle: what this one and those before it admitted is left out.
        """
        decided = (one for one in self._records.admissions(campaign_id) if one.admitted and one.cycle > after_cycle)
        return self._pairs(campaign_id, decided, up_to_cycle)

    def runners_up(self, campaign_id: str, up_to_cycle: int | None = None) -> list[Pair]:
        """What was trained and not admitted up to and including a cycle, best first, each candidate once."""
        decided = (one for one in self._records.admissions(campaign_id) if not one.admitted and one.metric is not None)
        found = self._pairs(campaign_id, decided, up_to_cycle)
        return sorted(found, key=lambda pair: -(pair.metric or 0.0))  # stable: equals stay in the order of writing

    def _pairs(self, campaign_id: str, decided: Iterable[Admission], up_to_cycle: int | None) -> list[Pair]:
        metrics = {
            (one.cycle, one.candidate_id): one.metric
            for one in decided
            if up_to_cycle is None or one.cycle <= up_to_cycle
        }
        wrote: dict[str, Generation] = {}
        for cycle in sorted({cycle for cycle, _ in metrics}):
            for generation in self._records.generations(campaign_id, cycle):
                key = generation.candidate_id
                if key is not None and (cycle, key) in metrics:
                    wrote.setdefault(key, generation)
        sources = self._records.get_candidates(wrote)
        return [
            Pair(
                prompt=generation.prompt,
                code=sources[key].source,
                candidate_id=key,
                metric=metrics[(generation.cycle, key)],
                cycle=generation.cycle,
                grafted=generation.grafted,
            )
            for key, generation in wrote.items()
        ]

    def index(self, campaign_id: str, up_to_cycle: int, cache_file: Path | None = None) -> NoveltyIndex:
        """A novelty index of :meth:`pairs`, keyed by candidate id.

        Args:
            cache_file: keeps the signatures, so that the next index of the same texts takes a second.
        """
        cache = SignatureCache(cache_file)
        index = NoveltyIndex(cache)
        index.add_many((pair.candidate_id, pair.code) for pair in self.pairs(campaign_id, up_to_cycle))
        cache.save()
        return index
