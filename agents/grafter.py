"""The grafter: puts blocks of the library into networks of the campaign, for models that read no long context."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..memory.block_types import Block
from ..memory.records import Records
from ..memory.rows import GRAFT, PASSED_OVER, Generation
from ..memory.types import Candidate, Request
from ..tools.blocks.library import BlockLibrary
from .retriever import Retriever
from .seeds import derive_seed

if TYPE_CHECKING:
    from ..tools.grafting.graft import Grafted, Grafting

PARENTS = 24
"""Best networks of earlier cycles among which a parent is drawn."""
FEWEST_PARENTS = 8
"""So many are kept even where they are more than the better half."""
BLOCKS_TRIED = 4
"""Blocks, each with another parent, that one slot tries before it stays empty."""
LONGEST_PARENT = 60_000
"""Characters of a network that still takes a block: texts must not grow from graft to graft."""
LONGEST_REASON = 200
"""Characters kept of why a block was passed over."""


@dataclass(frozen=True)
class Wanted:
    """Which blocks are grafted.

    Attributes:
        packages, categories: only of these; empty: of any.
        max_params: parameters of a block as it was validated.
    """

    packages: Collection[str] = ()
    categories: Collection[str] = ()
    max_params: int | None = None


def stages(library: BlockLibrary | Retriever, wanted: Wanted, rng: random.Random) -> list[Block]:
    """The blocks of a library that can be grafted, as varied as can be, in drawn order."""
    found = library.graftable(
        rng,
        packages=wanted.packages,
        categories=wanted.categories,
        max_params=wanted.max_params,
        same_size=False,
        tokens=True,
    )
    # Without weights of its own a block is an activation or a reshaping, not a stage.
    return [block for block in found if block.check is not None and block.check.params]


@dataclass(frozen=True)
class Parent:
    """A trained network of an earlier cycle."""

    candidate_id: str
    source: str
    metric: float


@dataclass(frozen=True)
class _Tried:
    """A block that was tried in a parent: with the graft, or with why none passed."""

    parent: Parent
    block: Block
    grafted: Grafted | None = None
    reason: str = ""


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
        """Graft into every slot that holds nothing yet; how many got a network.

        A slot for which no graft passes has no answer, and says what was tried and why it did not pass.
        """
        known = {g.slot for g in self.records.generations(run, cycle)}
        missing = [slot for slot in slots if slot not in known]
        parents = self._parents(run, cycle) if missing else []
        if not parents:
            return 0
        order = self._blocks(run, cycle)
        written = 0

        def one(slot: int) -> list[_Tried]:
            return list(self._tries(cycle, slot, slot - slots.start, len(slots), parents, order))

        with ThreadPoolExecutor(max_workers=max(1, self.grafting.workers)) as pool:
            # Written in the order of the slots: the first record of a program names its parent.
            for slot, tries in zip(missing, pool.map(one, missing), strict=True):
                written += self._write(run, cycle, slot, tries)
        return written

    def _parents(self, run: str, cycle: int) -> list[Parent]:
        """The best networks that this run trained before the cycle, best first."""
        left = {one.candidate_id for one in self.records.predictions(run) if not one.kept}
        novel = (g for g in self.records.generations(run) if g.cycle < cycle and g.novel)
        earlier = [g for g in novel if g.candidate_id not in left]
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
        used = Counter(key for g in self.records.generations(run) if g.cycle < cycle and g.grafted for key in g.blocks)
        return sorted(stages(self.retriever, self.wanted, rng), key=lambda block: used[block.id])

    def _tries(
        self, cycle: int, slot: int, place: int, count: int, parents: list[Parent], order: list[Block]
    ) -> Iterator[_Tried]:
        """Blocks in their turn, each with another parent, up to the first that passes."""
        from ..tools.grafting.graft import GraftFailed  # here, because it imports LibCST

        rng = random.Random(derive_seed(self.seed, "graft", cycle, slot))
        for block in self._turn(order, place, count):
            parent = rng.choice(parents)
            try:
                grafted = self.grafting.graft(parent.source, block, rng)
            except GraftFailed as error:
                yield _Tried(parent, block, reason=" ".join(str(error).split())[:LONGEST_REASON])
            else:
                yield _Tried(parent, block, grafted)
                return

    @staticmethod
    def _turn(order: list[Block], place: int, count: int) -> Iterator[Block]:
        """The blocks of one slot: it tries different ones, and slots of a batch share none, if there are enough."""
        had: set[int] = set()
        for number in range(BLOCKS_TRIED if order else 0):
            at = (place + number * count) % len(order)
            while at in had and len(had) < len(order):
                at = (at + 1) % len(order)
            had.add(at)
            yield order[at]

    def _write(self, run: str, cycle: int, slot: int, tries: list[_Tried]) -> bool:
        """Write a slot down; whether it holds a network."""
        made = next((one for one in tries if one.grafted is not None), None)
        passed_over = [f"{PASSED_OVER}{one.block.qualified}: {one.reason}" for one in tries if one.grafted is None]
        seen = [made] if made is not None else tries
        self.records.put_generation(
            Generation(
                campaign_id=run,
                cycle=cycle,
                slot=slot,
                seed=derive_seed(self.seed, "graft", cycle, slot),
                prompt="\n".join((GRAFT, *(self._keep(made) if made is not None else ()), *passed_over)),
                answer=made.grafted.source if made is not None and made.grafted is not None else None,
                exemplars=tuple(dict.fromkeys(one.parent.candidate_id for one in seen)),
                blocks=tuple(dict.fromkeys(one.block.id for one in seen)),
            )
        )
        return made is not None

    def _keep(self, made: _Tried) -> tuple[str, ...]:
        """Write a graft's candidate and verdict down; what was done, line by line."""
        grafted, block, parent = made.grafted, made.block, made.parent
        assert grafted is not None  # the caller chose it for that
        candidate = Candidate(source=grafted.source, origin="rag-", parents=(parent.candidate_id,), blocks=(block.id,))
        self.records.add_candidate(candidate)
        self.records.put_verdict(candidate.id, self.request.task.id, grafted.verdict, self.limits_hash)
        return (
            f"block: {block.qualified}",
            f"category: {block.category}",
            f"parent: {parent.candidate_id}",
            f"stage: {grafted.path}",
            f"way: {grafted.note}",
        )
