"""What the records hold beside the words of :mod:`.types`: rows of a campaign, as immutable types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import Field

from .types import Frozen, ValidBy, Verdict

CampaignState = Literal["running", "waiting", "stopped", "complete", "failed"]
AdapterState = Literal["active", "rolled_back", "pruned"]
GRAFT: Final = "[graft]"
"""First line of the prompt of a slot that no model wrote: a block was put into a network."""
PASSED_OVER: Final = "passed over: "
"""Begins a line of it that names a block for which no graft passed, and why."""
RepairedBy = Literal["model", "hint"]
NearestKind = Literal["corpus", "cycle", "exact", "graph"]


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class Campaign(Frozen):
    """Cycles under one configuration and one budget.

    Attributes:
        initial_corpus: prompt–code pairs before cycle 1.
        machine: what it ran on (processor, cores, versions).
        wall_s, tokens, candidates: spent so far; grows only by :meth:`Records.spend`.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    task_id: str
    protocol_hash: str
    limits_hash: str = ""
    initial_corpus: int = 0
    machine: dict[str, Any] = Field(default_factory=dict)
    state: CampaignState = "running"
    stop_reason: str | None = None
    wall_s: float = 0.0
    tokens: int = 0
    candidates: int = 0
    created: datetime = Field(default_factory=now)
    updated: datetime = Field(default_factory=now)


class Cycle(Frozen):
    """One cycle of a campaign.

    Attributes:
        state: ``running``, or ``complete`` when done.
        adapter: path of the adapter that wrote its candidates, ``None`` for the base model.
        threshold: metric from which a network may be admitted.
        timings: stage -> seconds.
    """

    campaign_id: str
    n: int = Field(ge=0)
    state: str = "running"
    adapter: str | None = None
    threshold: float | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    started: datetime = Field(default_factory=now)
    ended: datetime | None = None


class Generation(Frozen):
    """One slot of a cycle: what was asked, what the model answered, what became of it.

    Attributes:
        answer: the model's text as it came; ``None`` until it has answered, and where no graft passed.
        raw_candidate_id: the code block taken out of the answer, before clean-up.
        cleaned_candidate_id: after the deterministic clean-up.
        candidate_id: the final one (raw, cleaned or repaired).
        valid_by: the step that made the candidate valid.
        novel: ``None`` until the novelty check has run.
        nearest: key of the nearest known thing; ``nearest_kind`` says among what it was found.
        exemplars, blocks: ids of the networks and of the library's blocks that this slot was shown.
        parent: id of the network that the answer changes; ``None`` where a whole file was asked for.
    """

    campaign_id: str
    cycle: int = Field(ge=0)
    slot: int = Field(ge=0)
    seed: int = 0
    prompt: str = ""
    answer: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    raw_candidate_id: str | None = None
    cleaned_candidate_id: str | None = None
    candidate_id: str | None = None
    valid_by: ValidBy = "none"
    repair_tries: int = 0
    novel: bool | None = None
    jaccard: float | None = None
    nearest: str | None = None
    nearest_kind: NearestKind | None = None
    exemplars: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    parent: str | None = None

    @property
    def grafted(self) -> bool:
        """Whether the slot holds a graft, and not what a model wrote."""
        return self.prompt.startswith(GRAFT)

    @property
    def empty(self) -> bool:
        """Whether it was left to a graft and none passed."""
        return self.grafted and self.answer is None


class RepairAttempt(Frozen):
    """One try of the repair agent on one generation.

    Attributes:
        error: the text that was fed back.
        answer: the model's text, or the mended program.
        by: ``hint`` where a deterministic edit made the answer, and no model.
        parent: id of the network that the answer changes; ``None`` where it is a whole file.
    """

    campaign_id: str
    cycle: int
    slot: int
    try_no: int = Field(ge=1)
    error: str
    answer: str | None = None
    candidate_id: str | None = None
    verdict: Verdict | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    by: RepairedBy = "model"
    parent: str | None = None


class Admission(Frozen):
    """The decision to add a candidate to the corpus, with its reasons."""

    campaign_id: str
    cycle: int
    candidate_id: str
    admitted: bool
    reasons: tuple[str, ...] = ()
    metric: float | None = None


class Account(Frozen):
    """What one agent had one model read and write.

    Attributes:
        agent: ``designer``, ``repair``, ``reinforcer``, …; empty where nobody said.
        model: its name; empty where nobody said.
        calls: answers, or other pieces of work that cost tokens.
        tokens: all of them; more than ``tokens_in`` and ``tokens_out`` where those are not known apart.
    """

    agent: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    tokens: int


class Prediction(Frozen):
    """What was predicted of a candidate before it was trained, and what that decided.

    Attributes:
        predictor: names what the prediction was learned from, and how.
        learned_from: number of networks that it was learned from.
        metric: the prediction of the trial's metric; ``low`` and ``high`` bound it.
        place: among the candidates that were ranked together, 1 for the best; ``among`` is their number.
        kept: whether it is trained.
    """

    campaign_id: str
    cycle: int
    candidate_id: str
    predictor: str
    learned_from: int
    metric: float
    low: float
    high: float
    place: int = Field(ge=1)
    among: int = Field(ge=1)
    kept: bool


class Adapter(Frozen):
    """LoRA weights tuned at the end of a cycle. ``parent`` is the cycle of the adapter it went on from."""

    campaign_id: str
    cycle: int = Field(ge=0)
    path: str
    parent: int | None = None
    state: AdapterState = "active"
    metrics: dict[str, Any] = Field(default_factory=dict)
    created: datetime = Field(default_factory=now)


class Deployment(Frozen):
    """One candidate on one target; ``content`` is what the target reported."""

    candidate_id: str
    target: str
    content: dict[str, Any]
    created: datetime = Field(default_factory=now)
