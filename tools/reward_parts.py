"""The reward of reinforcement learning on masked skeletons: its parts, and what a verdict and a trial are worth.

*LEMUR 2*, section 2.2.2 and supplement 6.3: an invalid network −1.0; otherwise +0.2 for the build, +0.2 for the forward
pass, +0.2 for a training that runs, and the improvement of its accuracy over a baseline.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..memory.types import Trial, Verdict

# LEMUR 2, supplement 6.3.
INVALID: Final = -1.0
BUILD: Final = 0.2
FORWARD: Final = 0.2
TRAINING: Final = 0.2
GAIN: Final = 1.0


class RewardConfig(BaseModel):
    """What the paper leaves open about the reward.

    Attributes:
        baseline: accuracy that is to be improved on: of the skeleton's original network under the same protocol, or
            a number. "It can also accept a baseline metric" (supplement 6.3): 0 is the reward without one.
        gain: ``improvement`` counts what is above the baseline and nothing below it, as the paper words it; ``signed``
            takes off what is missing to it.
        copies: whether a network that is its skeleton's original again has a reward. Otherwise it has 0: less than
            anything that trains, more than anything invalid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: Literal["original"] | Annotated[float, Field(ge=0, le=1)] = "original"
    gain: Literal["improvement", "signed"] = "improvement"
    copies: bool = False


class Reward(BaseModel):
    """A reward with its parts; the total is their sum.

    Attributes:
        invalid, build, forward, training, gain: the parts.
        valid: whether every stage of the validation was passed, the backward pass too.
        stage: where it ended: a stage of the validation, ``train``, ``test`` or ``complete``.
        error_class: what ended it before it was complete.
        accuracy, baseline: in [0, 1]; ``None`` where they were not measured.
        copy_of_original: it is the skeleton's original again.
        cached: the result was there already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate_id: str
    total: float
    invalid: float = 0.0
    build: float = 0.0
    forward: float = 0.0
    training: float = 0.0
    gain: float = 0.0
    valid: bool = False
    stage: str
    error_class: str | None = None
    accuracy: float | None = None
    baseline: float | None = None
    copy_of_original: bool = False
    cached: bool = False


def reward_of(
    key: str,
    verdict: Verdict,
    trial: Trial | None,
    baseline: float | None,
    *,
    config: RewardConfig,
    copied: bool = False,
    cached: bool = False,
) -> Reward:
    """The reward of a network by its verdict and, if it is valid, its trial.

    Args:
        key: the network's id.
        baseline: ``None`` where the original has no accuracy: any accuracy is an improvement then.
        copied: it is its skeleton's original.
    """
    parts: dict[str, float] = {}
    stage, error, accuracy = verdict.stage, verdict.error_class, None
    ended: str = stage
    if not verdict.ok and stage != "backward":
        parts["invalid"] = INVALID
    else:
        # The paper validates by a forward pass alone: what has no gradient has passed two stages.
        parts |= {"build": BUILD, "forward": FORWARD}
    if verdict.ok and trial is not None:
        ended, error, accuracy = _end_of(trial), trial.error_class, trial.metric
        if ended != "train":  # "excluding accuracy exceptions": the training itself has run
            parts["training"] = TRAINING
        if accuracy is not None:
            gain = GAIN * (accuracy - (baseline or 0.0))
            parts["gain"] = max(0.0, gain) if config.gain == "improvement" else gain
    if copied and not config.copies and "invalid" not in parts:
        parts = {}
    return Reward(
        candidate_id=key,
        total=sum(parts.values()),
        **parts,
        valid=verdict.ok,
        stage=ended,
        error_class=error,
        accuracy=accuracy,
        baseline=baseline,
        copy_of_original=copied,
        cached=cached,
    )


class RewardSummary(BaseModel):
    """Means over some rewards: of each part, of the total, and shares of valid, copied and distinct networks."""

    n: int
    reward: float
    std: float
    invalid: float
    build: float
    forward: float
    training: float
    gain: float
    valid: float = Field(description="share")
    copies: float = Field(description="share")
    distinct: float = Field(description="share")
    cached: float = Field(description="share")
    accuracy: float | None = Field(description="mean over those that were trained")


def summarise(rewards: Sequence[Reward]) -> RewardSummary:
    """What some rewards are made of.

    Raises:
        ValueError: there are none.
    """
    if not rewards:
        raise ValueError("no rewards to summarise")
    n = len(rewards)
    accuracies = [one.accuracy for one in rewards if one.accuracy is not None]
    means = {
        part: statistics.fmean(getattr(one, part) for one in rewards)
        for part in ("invalid", "build", "forward", "training", "gain")
    }
    totals = [one.total for one in rewards]
    return RewardSummary(
        n=n,
        reward=statistics.fmean(totals),
        std=statistics.pstdev(totals),
        **means,
        valid=sum(one.valid for one in rewards) / n,
        copies=sum(one.copy_of_original for one in rewards) / n,
        distinct=len({one.candidate_id for one in rewards}) / n,
        cached=sum(one.cached for one in rewards) / n,
        accuracy=statistics.fmean(accuracies) if accuracies else None,
    )


def _end_of(trial: Trial) -> str:
    """``complete``, ``test`` if it was trained but not measured, else ``train``."""
    if trial.state == "complete":
        return "complete"
    return "test" if (trial.message or "").startswith("test") else "train"
