"""What a report says, as types: ``report.json`` is exactly this."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from ...memory.types import Frozen, Protocol, Task
from ..accounting import Costs


class Rate(Frozen):
    """Candidates of a cycle that were valid by a step or an earlier one, with the Wilson interval."""

    count: int
    rate: float | None
    low: float | None
    high: float | None


class ValidRates(Frozen):
    """Valid as the model wrote it; after the deterministic clean-up too; after repair too."""

    generation: Rate
    cleanup: Rate
    repair: Rate


class Accuracy(Frozen):
    """The metric of the networks that were trained; ``low`` and ``high`` are the mean's t-interval."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    best: float | None
    std: float | None


class Share(Frozen):
    """Trained networks at or above the threshold, with the Wilson interval."""

    count: int
    share: float | None
    low: float | None
    high: float | None


class Foreseen(Frozen):
    """What was predicted in a cycle before training, beside what came of it.

    Attributes:
        ranked: networks that were predicted; ``pruned``: those of them that were not trained for it.
        learned_from: trained networks that the first prediction of the cycle was learned from.
        n: of the trained ones those that have a metric; the rest is about these.
        spearman: rank correlation of predicted and reached; ``error``: mean absolute error.
        held: metrics in the predicted interval, with the Wilson interval.
    """

    ranked: int
    pruned: int
    learned_from: int
    n: int
    spearman: float | None
    error: float | None
    held: Share


class CycleReport(Frozen):
    """One cycle in numbers.

    Attributes:
        generated: slots, without those for which no graft passed.
        grafted: of ``generated``, those that hold a graft; the valid rates count the others alone.
        trained: networks whose trial is complete; each counts in the first cycle that wrote it.
        failed_trials: trials that ended without a score.
        duplicates: valid candidates that were not novel; ``duplicates_by`` splits them into ``exact``,
            ``corpus``, ``cycle`` and ``graph``.
        corpus: prompt–code pairs after the cycle.
        repaired_by_hint: of the networks that repair made valid, those that an edit mended and no model.
        seconds: by stage.
        values: metrics of the trained networks, in slot order.
        foreseen: what was predicted before training; ``None`` where nothing was.
    """

    cycle: int
    state: str
    adapter: str | None
    threshold: float | None
    generated: int
    grafted: int = 0
    valid: ValidRates
    trained: int
    failed_trials: int
    accuracy: Accuracy
    above_threshold: Share
    novel: int
    duplicates: int
    duplicates_by: dict[str, int]
    admitted: int
    corpus: int
    seconds: dict[str, float]
    tokens: int
    repaired_by_hint: int = 0
    values: tuple[float, ...]
    foreseen: Foreseen | None = None


class CandidateLine(Frozen):
    """One slot and what came of it: nothing here depends on the clock, so that two runs can be compared."""

    cycle: int
    slot: int
    id: str | None
    valid_by: str
    novel: bool | None
    metric: float | None
    admitted: bool


class ErrorCount(Frozen):
    """How often an error class stopped candidates at a stage; ``example`` is one message of it."""

    stage: str
    error_class: str
    count: int
    example: str


class Errors(Frozen):
    """What stopped candidates: as the model wrote them, and those that stayed invalid to the end."""

    raw: tuple[ErrorCount, ...]
    final: tuple[ErrorCount, ...]


class BestNetwork(Frozen):
    """One of the best networks, with all it takes to look at it again."""

    id: str
    name: str
    cycle: int
    slot: int
    metric: float
    params: int | None
    flops: int | None
    origin: str
    valid_by: str
    prompt: str
    code: str
    jaccard: float | None
    nearest: str | None


class Descent(Frozen):
    """Where an admitted network comes from.

    Attributes:
        adapter: path of the adapter that wrote it; ``None`` for the base model.
        parents: candidates that it was made from.
        written_as: the candidate that the model first wrote, if clean-up or repair changed it.
    """

    id: str
    cycle: int
    slot: int
    origin: str
    metric: float | None
    adapter: str | None
    parents: tuple[str, ...]
    written_as: str | None
    nearest: str | None
    jaccard: float | None


class Rag(Frozen):
    """A trained network with blocks of the library in it, beside the network it was made from.

    Attributes:
        blocks: ids of its blocks.
        block, category, stage: of a graft: what was put where; ``None`` where a model used the block itself.
        parent, parent_metric: the network without the block; ``None`` where there is none.
        difference: metric less the parent's.
    """

    id: str
    name: str
    cycle: int
    slot: int
    blocks: tuple[str, ...]
    block: str | None
    category: str | None
    stage: str | None
    metric: float
    parent: str | None
    parent_metric: float | None
    difference: float | None
    admitted: bool


class RagGroup(Frozen):
    """The trained grafts with one block, or with the blocks of one category.

    Attributes:
        name: qualified name of the block, or the category.
        blocks: different blocks.
        metric: of the networks.
        difference: of their metrics to their parents', with Student's interval of the mean.
        better: networks that are better than their parent.
    """

    name: str
    networks: int
    blocks: int
    metric: Accuracy
    difference: Accuracy
    better: Share


class PassedOver(Frozen):
    """A block that no graft of a slot passed with, and why the last one did not."""

    cycle: int
    slot: int
    block: str
    reason: str


class RagReport(Frozen):
    """All ``rag-`` networks of a campaign.

    Attributes:
        written, valid, trained: networks.
        blocks: different blocks in the trained ones.
        difference: of metrics to their parents', with Student's interval of the mean.
        better: trained grafts that are better than their parent.
        by_category, by_block: trained grafts in groups, the largest first.
        empty: slots for which no graft passed.
        passed_over: blocks that were tried without success, in those slots and in others.
    """

    written: int
    valid: int
    trained: int
    blocks: int
    difference: Accuracy
    better: Share
    by_category: tuple[RagGroup, ...]
    by_block: tuple[RagGroup, ...]
    networks: tuple[Rag, ...]
    empty: int
    passed_over: tuple[PassedOver, ...]


class Spent(Frozen):
    """What a campaign spent of its budgets."""

    wall_s: float
    tokens: int
    candidates: int


class CampaignReport(Frozen):
    """A campaign in full. ``costs`` is ``None`` in reports of before they were counted."""

    campaign: str
    version: str
    state: str
    stop_reason: str | None
    created: datetime
    updated: datetime
    seed: int
    config: dict[str, Any]
    task: Task
    protocol: Protocol
    protocol_hash: str
    machine: dict[str, Any]
    spent: Spent
    costs: Costs | None = None
    initial_corpus: int
    cycles: tuple[CycleReport, ...]
    errors: Errors
    best: tuple[BestNetwork, ...]
    lineage: tuple[Descent, ...]
    rag: RagReport | None = Field(default=None, description="networks with blocks of the library, if there are any")
    candidates: tuple[CandidateLine, ...] = Field(description="every slot of every cycle, in order")
