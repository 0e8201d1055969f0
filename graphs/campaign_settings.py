"""What a campaign does in each cycle, as settings: the part ``campaign`` of the configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..memory.novelty import NoveltyMode
from ..tools.generators.headers import ANY, EACH, STYLES
from .settings import Settings

Answers = Literal["full", "delta"]
Improvement = Literal["sft", "grpo"]


class DynamicSampling(Settings):
    """Section 3.1: from cycle 11 on the paper samples until at least 30 new networks are above threshold."""

    from_cycle: int | None = Field(default=None, ge=1, description="first cycle with dynamic sampling; null: never")
    at_least: int = Field(default=30, ge=1, description="new networks above threshold that a cycle must find")
    max_batches: int = Field(default=8, ge=1, description="most batches of candidates in one cycle")


class StoppingRule(Settings):
    """Appendix D: stop when mean accuracy gains less than ``delta`` over ``cycles`` cycles and the share
    above threshold stays within its Wilson interval."""

    enabled: bool = True
    delta: float = Field(default=0.01, ge=0, description="least gain of mean accuracy, as a fraction of 1")
    cycles: int = Field(default=3, ge=2, description="consecutive cycles that are looked at")


class CollapseGuard(Settings):
    """An adapter is taken back when what it writes is valid, or varied, far less often than cycle 1 was."""

    enabled: bool = True
    valid: float = Field(default=0.5, ge=0, le=1, description="least valid rate, as a share of cycle 1's")
    distance: float = Field(
        default=0.7, ge=0, le=1, description="least mean Jaccard distance of a cycle's texts, as a share of cycle 1's"
    )


class CampaignSettings(Settings):
    """What a campaign does in each cycle."""

    dataset: str = "digits"
    seed: int = Field(default=0, ge=0)
    candidates: int = Field(default=64, ge=1, description="candidates written per batch")
    style: str | tuple[str, ...] = Field(
        default="any",
        min_length=1,
        description="architecture style asked for; several, or each of them all, in turn; any: the model chooses",
    )
    min_params: int | None = Field(default=None, ge=1)
    max_params: int | None = Field(default=None, ge=1, description="parameter budget of each network; null: none")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="least metric for admission; null: the task's"
    )
    threshold_share: float | None = Field(
        default=None, gt=0, lt=1, description="take the threshold that at most this share of cycle 1 reaches"
    )
    admit: Literal["above", "all"] = Field(
        default="above", description="what is admitted; all: the ablation with no threshold"
    )
    exemplars: int = Field(default=0, ge=0, description="networks from the records shown to an instruct model")
    answers: Answers = Field(
        default="full", description="whole files, or what an instruct model changes in a network of the records (delta)"
    )
    repair_tries: int = Field(default=2, ge=0, le=5)
    hints: bool = Field(default=True, description="repair with hints and edits that a sandbox finds")
    novelty: NoveltyMode = Field(
        default="structural",
        description="new by text and computation graph, by text alone (lexical), or all are (none)",
    )
    tune: bool = Field(default=True, description="false: the no-iteration ablation")
    improve: tuple[Improvement, ...] = Field(
        default=("sft",), min_length=1, description="how the model is tuned: sft, grpo, or both in this order"
    )
    least_pairs: int = Field(
        default=0, ge=0, description="pairs of a tune; while fewer are admitted, the best below the threshold fill up"
    )
    least_share: float = Field(
        default=0.0, ge=0, le=1, description="the same as a share of all networks trained so far; the larger counts"
    )
    tune_from: Literal["latest", "base"] = Field(
        default="latest", description="what each tune begins with: the newest adapter, or the model as it was at first"
    )
    most_pairs: int | None = Field(
        default=None, ge=1, description="pairs of a tune; of more the best, in turn from each prompt; null: all"
    )
    dynamic: DynamicSampling = DynamicSampling()
    stopping: StoppingRule = StoppingRule()
    guard: CollapseGuard = CollapseGuard()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = (ANY, EACH, *STYLES) if isinstance(self.style, str) else STYLES
        for style in (self.style,) if isinstance(self.style, str) else self.style:
            if style not in known:
                raise ValueError(f"unknown style {style!r}; choose from {', '.join(known)}")
        if self.threshold is not None and self.threshold_share is not None:
            raise ValueError("set either threshold or threshold_share, not both")
        if self.threshold_share is not None and self.dynamic.from_cycle == 1:
            raise ValueError("threshold_share is set by a whole cycle 1: let dynamic.from_cycle begin later")
        if self.most_pairs is not None and self.most_pairs < self.least_pairs:
            raise ValueError(f"most_pairs {self.most_pairs} is below least_pairs {self.least_pairs}")
        if self.min_params and self.max_params and self.min_params > self.max_params:
            raise ValueError(f"min_params {self.min_params:,} is above max_params {self.max_params:,}")
        if len(set(self.improve)) < len(self.improve):
            raise ValueError(f"improve names something twice: {', '.join(self.improve)}")
        return self
