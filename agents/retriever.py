"""The retriever: networks and blocks that the designer is shown, and blocks that are grafted into networks."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from ..memory.block_types import Block
from ..memory.novelty import NEAR_DUPLICATE
from ..memory.records import Records
from ..memory.shingles import jaccard, shingles
from ..memory.types import Request, Task, Trial
from ..tools.blocks.library import BlockLibrary
from ..tools.network_search import NetworkSearch
from .models.factory import ChatModelHandle
from .models.rendered import RenderedChatModel
from .prompting import Exemplar, shown_block, shown_exemplar

POOL = 24
"""Best networks among which exemplars are drawn: enough for variety, few enough to be good."""
RELEVANCE: Final = 0.5
"""Weight of accuracy against distance in maximal marginal relevance; the usual middle (Carbonell and Goldstein)."""
TEST_SHARE: Final = 0.1  # of the test split; LEMUR 2's 80/10/10
ANSWER_SHARE: Final = 0.5  # of a context that the rest of the prompt and the answer need
CHARACTERS_PER_TOKEN: Final = 2.5  # of code; tokenizers of code models reach 3 to 4, so this counts too many
WISHES: Final = {
    "img-classification": (
        "convolution block with residual connection for images",
        "channel attention squeeze and excitation",
        "depthwise separable convolution inverted residual",
        "spatial attention on feature maps",
        "normalization layer for convolutional feature maps",
        "multi-branch convolution with different kernel sizes",
        "pooling of feature maps with learned weights",
        "efficient feed forward mixer on feature maps",
    ),
    "img-segmentation": ("pyramid pooling decoder", "upsampling with skip connections", "atrous convolution block"),
    "img-captioning": ("cross attention between image and text", "transformer decoder layer"),
    "txt-generation": ("causal self attention", "transformer decoder feed forward layer", "rotary position embedding"),
    "txt-image": ("cross attention between image and text", "diffusion residual block with time embedding"),
}
"""What is looked for when a request has no text of its own, by the kind of its task; one is drawn per prompt."""

_Item = TypeVar("_Item")
HeldOut = Callable[[Sequence[str]], Collection[str]]
"""Which of these candidate ids belong to the test split."""


def estimate_tokens(text: str) -> int:
    """A careful guess at the tokens of a text for a model whose tokenizer isn't here; rather too many."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


@dataclass(frozen=True)
class Budget:
    """Tokens that exemplars and blocks may take together; ``None``: no limit is known."""

    tokens: int | None = None
    count: Callable[[str], int] = estimate_tokens


def budget_of(model: ChatModelHandle) -> Budget:
    """Half of the context of a model that is here, counted by its tokenizer; no limit for others, which tell none."""
    if isinstance(model.model, RenderedChatModel):
        return Budget(int(model.model.context * (1 - ANSWER_SHARE)), model.model.get_num_tokens)
    return Budget()


@dataclass(frozen=True)
class Shown:
    """What one prompt shows: exemplars best first, blocks most fitting first, within the budget."""

    exemplars: tuple[Exemplar, ...] = ()
    blocks: tuple[Block, ...] = ()


class Retriever:
    """Picks exemplars that are good and differ from each other, and blocks that fit what is asked for.

    Deterministic: the same records, library and state of the generator give the same choice.

    Args:
        count: exemplars per prompt; 0 retrieves nothing. LEMUR 2 (section 4, few-shot prompting) found 3 best
            on average and 6 to overflow the context of a 7B model.
        library: where blocks come from; without one there are none.
        blocks: blocks per prompt.
        budget: tokens that both may take together.
        held_out: which candidates are of the test split and never shown, nor what descends from them; by default
            :meth:`by_lineage`. Pass ``names_in`` for a split that was written by ``netwright dedup --splits``.
        networks: the index of networks: with it, exemplars fit the request's text too. The caller keeps it up to date.
        run: the campaign or request that is retrieved for; nothing is shown that others train while it runs.
        chosen_parent: id of the network that every answer is to change, instead of one of the best; where whole files
            are asked for it is the first exemplar.
    """

    def __init__(
        self,
        records: Records,
        task: Task,
        protocol_hash: str,
        count: int,
        *,
        library: BlockLibrary | None = None,
        blocks: int = 0,
        budget: Budget | None = None,
        held_out: HeldOut | None = None,
        networks: NetworkSearch | None = None,
        run: str | None = None,
        chosen_parent: str | None = None,
    ) -> None:
        self.records = records
        self.chosen_parent = chosen_parent
        self.task = task
        self.protocol_hash = protocol_hash
        self.count = count
        self.library = library
        self.block_count = blocks
        self.budget = budget or Budget()
        self.networks = networks
        self.run = run
        self._held_out = held_out or self.by_lineage

    def parent(self, rng: random.Random) -> Exemplar | None:
        """A network that an answer is to change: one of the best of the task, each as likely as another.

        ``None`` where nothing is on record yet, or nothing that leaves room for an answer.
        """
        if self.chosen_parent is not None:
            return self._chosen(self.chosen_parent)
        pool = self._pool()
        sources = self.records.get_candidates(trial.candidate_id for trial in pool)
        known = [Exemplar(t.candidate_id, sources[t.candidate_id].source, t.metric or 0.0) for t in pool]
        most = self.budget.tokens
        fitting = [one for one in known if most is None or self.budget.count(one.code) <= most]
        return rng.choice(fitting) if fitting else None

    def _chosen(self, candidate_id: str) -> Exemplar | None:
        """The network that is to be changed, unless it leaves no room for an answer."""
        candidate = self.records.get_candidate(candidate_id)
        if candidate is None:
            raise LookupError(f"no candidate {candidate_id} in the records")
        trial = self.records.get_trial(candidate_id, self.task.id, self.protocol_hash)
        most = self.budget.tokens
        if most is not None and self.budget.count(candidate.source) > most:
            return None
        metric = trial.metric if trial is not None else None
        return Exemplar(candidate_id, candidate.source, metric or 0.0, metric is not None)

    def shown(self, request: Request, rng: random.Random, parent: Exemplar | None = None) -> Shown:
        """Exemplars and blocks for one prompt that fit the budget together.

        They are taken in turn (best exemplar, best block, second exemplar, …); one that no longer fits is left out,
        and a smaller one after it may still go in.

        Args:
            parent: a network that the prompt shows anyway; it takes its part of the budget and is no exemplar too.
        """
        exemplars, blocks = self._exemplars(rng, request.text), self._blocks(request, rng)
        left = self.budget.tokens
        if parent is None and self.chosen_parent is not None and (chosen := self._chosen(self.chosen_parent)):
            exemplars = [chosen, *(one for one in exemplars if one.candidate_id != chosen.candidate_id)]
        if parent is not None:
            exemplars = [one for one in exemplars if one.candidate_id != parent.candidate_id]
            left = left if left is None else left - self.budget.count(parent.code)
        kept_exemplars: list[Exemplar] = []
        kept_blocks: list[Block] = []
        for place in range(max(len(exemplars), len(blocks))):
            for exemplar in exemplars[place : place + 1]:
                size = self.budget.count(shown_exemplar(self.task.metric, exemplar)) if left is not None else 0
                if left is None or size <= left:
                    kept_exemplars.append(exemplar)
                    left = left if left is None else left - size
            if len(kept_blocks) < self.block_count and place < len(blocks):
                size = self.budget.count(shown_block(blocks[place])) if left is not None else 0
                if left is None or size <= left:
                    kept_blocks.append(blocks[place])
                    left = left if left is None else left - size
        return Shown(tuple(kept_exemplars), tuple(kept_blocks))

    def exemplars(self, rng: random.Random) -> list[Exemplar]:
        """Up to ``count`` exemplars of the task, best first, no two near-duplicates, within the budget."""
        return self._fit(self._exemplars(rng), lambda one: shown_exemplar(self.task.metric, one), self.count)

    def blocks(self, request: Request, rng: random.Random) -> list[Block]:
        """Up to ``blocks`` blocks that fit the request's text, or its kind of task, within the budget."""
        return self._fit(self._blocks(request, rng), shown_block, self.block_count)

    def graftable(
        self,
        rng: random.Random,
        count: int | None = None,
        *,
        packages: Collection[str] = (),
        categories: Collection[str] = (),
        max_params: int | None = None,
        same_size: bool = True,
        tokens: bool = False,
    ) -> list[Block]:
        """Blocks that can stand in place of a stage; see :meth:`.library.BlockLibrary.graftable`. None without a
        library."""
        if self.library is None:
            return []
        return self.library.graftable(
            rng,
            count,
            packages=packages,
            categories=categories,
            max_params=max_params,
            same_size=same_size,
            tokens=tokens,
        )

    def by_lineage(self, ids: Sequence[str]) -> set[str]:
        """Those whose eldest ancestor falls into the test tenth by its id's hash: a family is never divided."""
        return {one for one, line in self._lineage(ids).items() if _in_test(min(line[-1]))}

    def _exemplars(self, rng: random.Random, text: str = "") -> list[Exemplar]:
        if self.count == 0:
            return []
        pool = self._pool()
        # Half of the pool: prompts of one cycle differ, and each still chooses between several.
        drawn = rng.sample(pool, min(len(pool), max(2 * self.count, len(pool) // 2)))
        sources = self.records.get_candidates(trial.candidate_id for trial in drawn)
        made = [Exemplar(t.candidate_id, sources[t.candidate_id].source, t.metric or 0.0) for t in drawn]
        fit: dict[str, float] = {}
        if text and self.networks is not None:
            fit = self.networks.similarities(text, self.task.id, self.protocol_hash)
        return sorted(_diverse(made, self.count, fit), key=lambda one: (-one.metric, one.candidate_id))

    def _pool(self) -> list[Trial]:
        """The best trials outside the test split."""
        limit = 2 * POOL
        while True:
            trials = self.records.best_trials(self.task.id, self.protocol_hash, limit, self.run)
            ids = [trial.candidate_id for trial in trials]
            lines = self._lineage(ids)
            held = self._held_out(sorted({one for line in lines.values() for level in line for one in level}))
            pool = [t for t in trials if not any(one in held for level in lines[t.candidate_id] for one in level)]
            if len(pool) >= POOL or len(trials) < limit:
                return pool[:POOL]
            limit *= 2

    def _lineage(self, ids: Iterable[str]) -> dict[str, list[list[str]]]:
        """For each id the generations before it: itself, its parents, theirs …; a parent not on record ends it."""
        parents: dict[str, tuple[str, ...]] = {}
        wanted = list(dict.fromkeys(ids))
        lines = {one: [[one]] for one in wanted}
        while wanted:
            known = self.records.get_candidates(wanted)
            parents |= {one: known[one].parents if one in known else () for one in wanted}
            wanted = sorted({up for one in wanted for up in parents[one]} - parents.keys())
        for line in lines.values():
            seen = set(line[0])
            while above := sorted({up for one in line[-1] for up in parents[one]} - seen):
                seen.update(above)
                line.append(above)
        return lines

    def _blocks(self, request: Request, rng: random.Random) -> list[Block]:
        """Fitting blocks in the order in which they are tried: more than ``blocks``, for some may be too long."""
        if self.library is None or self.block_count == 0:
            return []
        text = request.text or rng.choice(WISHES[self.task.kind])
        found = self.library.search(text, limit=4 * self.block_count, at_least="names")
        if len(found) > 1:
            # The best stays first; the others are drawn, the nearer the likelier, so that prompts differ.
            ranked = [(rng.random() ** (place + 1), place) for place in range(1, len(found))]
            found = [found[0], *(found[place] for _, place in sorted(ranked, reverse=True))]
        return found

    def _fit(self, items: Sequence[_Item], text: Callable[[_Item], str], most: int) -> list[_Item]:
        left, kept = self.budget.tokens, list[_Item]()
        for item in items:
            size = self.budget.count(text(item)) if left is not None else 0
            if len(kept) < most and (left is None or size <= left):
                kept.append(item)
                left = left if left is None else left - size
        return kept


def names_in(test: Collection[str]) -> HeldOut:
    """The test split as names or ids: a candidate is in it by its id, or by the twelve digits in its name."""
    digits = {name.rpartition("-")[2][:12] for name in test}
    return lambda ids: {one for one in ids if one[:12] in digits}


def _in_test(candidate_id: str) -> bool:
    drawn = hashlib.sha256(f"split\n{candidate_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < TEST_SHARE * 2**64


def _diverse(pool: Sequence[Exemplar], count: int, fit: Mapping[str, float]) -> list[Exemplar]:
    """Maximal marginal relevance: the next is the one that is good, fits, and is far from those already chosen.

    Args:
        fit: candidate id -> how well it fits the request; empty: accuracy alone counts.
    """
    relevance = _scaled({one.candidate_id: one.metric for one in pool})
    if fit:
        fitting = _scaled({one.candidate_id: fit.get(one.candidate_id, 0.0) for one in pool})
        relevance = {key: (value + fitting[key]) / 2 for key, value in relevance.items()}
    texts = {one.candidate_id: shingles(one.code) for one in pool}
    nearest = dict.fromkeys(texts, 0.0)
    left, chosen = list(pool), list[Exemplar]()
    while left and len(chosen) < count:
        worth = {
            key: RELEVANCE * relevance[key] - (1 - RELEVANCE) * nearest[key] for key in (e.candidate_id for e in left)
        }
        one = max(left, key=lambda e: worth[e.candidate_id])
        chosen.append(one)
        for other in left:
            near = jaccard(texts[one.candidate_id], texts[other.candidate_id])
            nearest[other.candidate_id] = max(nearest[other.candidate_id], near)
        left = [e for e in left if nearest[e.candidate_id] < NEAR_DUPLICATE and e is not one]
    return chosen


def _scaled(values: Mapping[str, float]) -> dict[str, float]:
    """Values from 0 (the least) to 1 (the most)."""
    least, most = min(values.values(), default=0.0), max(values.values(), default=0.0)
    spread = (most - least) or 1.0
    return {key: (value - least) / spread for key, value in values.items()}
