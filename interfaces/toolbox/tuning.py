"""Tuning of the language model on its own successes, outside of a campaign."""

from __future__ import annotations

import shutil
from typing import Any

from pydantic import Field

from ...memory.home import home_folder
from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import shared_of
from .words import Dataset, MaxParams, Seed


class TuneArguments(Arguments):
    """Arguments of ``tune``."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Name of the new adapter; must not be there already."
    )
    dataset: Dataset = "digits"
    steps: int | None = Field(default=None, ge=1, le=2000, description="Gradient steps; null: the model's default.")
    skeletons: int = Field(default=64, ge=1, le=1000, description="Masked networks that it learns to fill in.")
    train_limit: int | None = Field(
        default=None, ge=16, description="Images of the short training behind a reward; null: the protocol's."
    )
    max_params: MaxParams = None
    seed: Seed = 0


class Tuned(Result):
    """What a tuning did."""

    adapter: str = Field(description="Folder of the adapter, below the data directory.")
    steps: int
    networks: int = Field(description="Networks that were written and scored.")
    reward_first: float = Field(description="Mean reward of the first fifth of the steps.")
    reward_last: float = Field(description="Mean reward of the last fifth.")
    valid_first: float
    valid_last: float
    seconds: float


@TOOLS.tool(title="Tune the language model by reinforcement", kind="job", writes=True)
def tune(arguments: TuneArguments, context: Context) -> Tuned:
    """Tune the local language model by reinforcement (GRPO): it fills in masked networks, the sandbox scores them.

    Takes many minutes and both cores. Only for a model whose weights are on this machine. The adapter is used by a
    campaign whose configuration names it (model.adapter). Campaigns tune by themselves after each cycle: use this only
    to train a model beforehand.
    """
    from ...graphs.config import load_config
    from ...graphs.opening import open_reinforcer

    shared, target = shared_of(context), home_folder("tuned") / arguments.name
    if target.exists():
        raise ToolError(f"there is an adapter {arguments.name} already: choose another name")
    config = load_config(overrides=[*shared.settings, *_settings(arguments)])
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    total = float(arguments.steps or 0) or None

    def show(step: Any) -> None:
        context.check()
        told = f"step {step.step}: reward {step.rewards.reward:+.3f}, valid {step.rewards.valid:.0%}"
        context.report(step.step, total, told)

    context.report(0, total, "opening the model and the sandbox")
    with open_reinforcer(config, shared.records, progress=show) as (agent, corpus):
        if arguments.steps is not None:
            agent.config = agent.config.model_copy(update={"steps": arguments.steps})
        report = agent.train([], corpus, 0, part, config.model.adapter)
    part.rename(target)
    names = ("networks", "reward_first", "reward_last", "valid_first", "valid_last", "seconds")
    return Tuned(
        adapter=f"tuned/{arguments.name}",
        steps=len(report.steps),
        **{name: getattr(report, name) for name in names},
    )


def _settings(arguments: TuneArguments) -> list[str]:
    given: dict[str, Any] = {
        "campaign.dataset": arguments.dataset,
        "campaign.seed": arguments.seed,
        "campaign.max_params": arguments.max_params,
        "grpo.skeletons": arguments.skeletons,
        "grpo.train_limit": arguments.train_limit,
    }
    return [f"{name}={value}" for name, value in given.items() if value is not None]
