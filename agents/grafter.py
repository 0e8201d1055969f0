"""The grafter: puts blocks of the library into networks of the campaign, for models that read no long context."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..memory.block_types import Block
from ..memory.records import Records
from ..memory.rows import GRAFT, Generation
from ..memory.types import Candidate, Request
from ..tools.grafting.graft import Grafted, GraftFailed, Grafting
from .retriever import Retriever
from .seeds import derive_seed

PARENTS = 24
"""Best networks of earlier cycles among which a parent is drawn."""
FEWEST_PARENTS = 8
"""So many are kept even where they are more than the better half."""
BLOCKS_TRIED = 4
"""Blocks, each with another parent, that one slot tries before it stays empty."""
LONGEST_PARENT = 60_000
"""Characters of a network that still takes a block: texts must not grow from graft to graft."""


@dataclass(frozen=True)
class Wanted:
    """Which blocks are grafted, and how many networks of a cycle get one.

    Attributes:
        count: grafts per batch.
        packages, categories: only of these; empty: of any.
        max_params: parameters of a block as it was validated.
    """

    count: int = 0
    packages: Collection[str] = ()
    categories: Collection[str] = ()
    max_params: int | None = None


@dataclass(frozen=True)
class Parent:
    """A trained network of an earlier cycle."""

    candidate_id: str
    source: str
    metric: float


class Grafter:
    """Writes ``rag-`` candidates: a block in place of a stage of a network that did well in an earlier cycle.

    Each stands in a slot of its own, is validated before it is written, and goes through novelty, training and
    admission as the model's own candidates do. The first cycle has no trained networks yet and gets none.
    Choices are seeded by cycle and slot, and look at earlier cycles alone: a resumed run makes the same grafts.
    """

    def __init__(
        self,
        records: Records,
        grafting: Grafting,
        retriever: Retriever,
        request: Request,
        *,
        protocol_hash: str,
        limits_hash: str,
        seed: int,
        wanted: Wanted,
    ) -> None:
        self.records = records
        self.grafting = grafting
        self.retriever = retriever
        self.request = request
        self.protocol_hash = protocol_hash
        self.limits_hash = limits_hash
        self.seed = seed
        self.wanted = wanted

    def write_batch(self, run: str, cycle: int, slots: range) -> int:
        """Graft into every slot that holds nothing yet; how many were written.

        A slot for which no graft passes stays empty.
        """
        known = {g.slot for g in self.records.generations(run, cycle)}
        missing = [slot for slot in slots if slot not in known]
        parents = self._parents(run, cycle) if missing else []
        if not parents:
            return 0
        order = self._blocks(run, cycle)
        written = 0

        def one(slot: int) -> tuple[Parent, Block, Grafted] | None:
            return self._graft(cycle, slot, slot - slots.start, len(slots), parents, order)

        with ThreadPoolExecutor(max_workers=max(1, self.grafting.workers)) as pool:
            # Written in the order of the slots: the first record of a program names its parent.
            for slot, made in zip(missing, pool.map(one, missing), strict=True):
                if made is not None:
                    self._write(run, cycle, slot, *made)
                    written += 1
        return written

    def _parents(self, run: str, cycle: int) -> list[Parent]:
        """The best networks that this run trained before the cycle, best first."""
        earlier = [g for g in self.records.generations(run) if g.cycle < cycle and g.novel and g.candidate_id]
        ids = list(dict.fromkeys(g.candidate_id for g in earlier if g.candidate_id))
        trials = self.records.get_trials(ids, self.request.task.id, self.protocol_hash)
        scored = [(t.metric, key) for key, t in trials.items() if t.state == "complete" and t.metric is not None]
        best = sorted(scored, key=lambda item: (-item[0], item[1]))
        sources = self.records.get_candidates(key for _, key in best)
        fitting = [Parent(key, sources[key].source, metric) for metric, key in best]
        short = [parent for parent in fitting if len(parent.source) <= LONGEST_PARENT]
        return short[: min(PARENTS, max(FEWEST_PARENTS, len(short) // 2))]

    def _blocks(self, run: str, cycle: int) -> list[Block]:
        """Blocks for a cycle, those that were grafted least in earlier ones first."""
        rng = random.Random(derive_seed(self.seed, "blocks", cycle, 0))
        found = self.retriever.graftable(
            rng,
            packages=self.wanted.packages,
            categories=self.wanted.categories,
            max_params=self.wanted.max_params,
            same_size=False,
            tokens=True,
        )
        # Without weights of its own a block is an activation or a reshaping, not a stage.
        with_weights = [block for block in found if block.check is not None and block.check.params]
        used = Counter(key for g in self.records.generations(run) if g.cycle < cycle and g.grafted for key in g.blocks)
        return sorted(with_weights, key=lambda block: used[block.id])

    def _graft(
        self, cycle: int, slot: int, place: int, count: int, parents: list[Parent], order: list[Block]
    ) -> tuple[Parent, Block, Grafted] | None:
        rng = random.Random(derive_seed(self.seed, "graft", cycle, slot))
        for block in self._turn(order, place, count):
            parent = rng.choice(parents)
            try:
                return parent, block, self.grafting.graft(parent.source, block, rng)
            except GraftFailed:
                continue  # the next block, with another parent
        return None

    @staticmethod
    def _turn(order: list[Block], place: int, count: int) -> Iterator[Block]:
        """The blocks of one slot: slots of a batch do not share any, as far as there are enough."""
        for number in range(BLOCKS_TRIED):
            if order:
                yield order[(place + number * count) % len(order)]

    def _write(self, run: str, cycle: int, slot: int, parent: Parent, block: Block, grafted: Grafted) -> None:
        candidate = Candidate(source=grafted.source, origin="rag-", parents=(parent.candidate_id,), blocks=(block.id,))
        self.records.add_candidate(candidate)
        self.records.put_verdict(candidate.id, self.request.task.id, grafted.verdict, self.limits_hash)
        lines = (
            GRAFT,
            f"block: {block.qualified}",
            f"category: {block.category}",
            f"parent: {parent.candidate_id}",
            f"stage: {grafted.path}",
            f"way: {grafted.note}",
        )
        self.records.put_generation(
            Generation(
                campaign_id=run,
                cycle=cycle,
                slot=slot,
                seed=derive_seed(self.seed, "graft", cycle, slot),
                prompt="\n".join(lines),
                answer=grafted.source,
                exemplars=(parent.candidate_id,),
                blocks=(block.id,),
            )
        )
