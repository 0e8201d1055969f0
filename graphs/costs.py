"""What a step of a conversation costs before it is done, and whether that needs somebody's yes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..agents.models.config import PAPER_DECODING, SCRIPTED
from ..agents.models.folders import folder_here
from ..memory.types import Task
from ..tools.tasks import task_info
from .asked import chosen_protocol
from .chat import Approval
from .config import Config
from .turn_words import epochs

PROMPT_TOKENS = 1_500
"""Tokens of a designer's prompt, about."""
# Fitted to the 1,149 trainings of docs/results/fashion-22: half of them took between 0.8 and 1.3 × of what this says.
FLOPS_PER_S = 1.8e10
"""What small networks get out of one core; a training step takes three times the forward pass."""
SECONDS_PER_IMAGE = 2.5e-4
"""What an image costs beside its operations."""
UNKNOWN_FLOPS = 1_000_000
"""Of a network whose FLOPs are not known."""


def is_paid(config: Config) -> bool:
    """Whether tokens of the model are bought: it is neither on this machine nor on a server of one's own."""
    model = config.model
    here = model.name == SCRIPTED or model.base_url is not None or model.serve is not None
    return not here and folder_here(model) is None and not model.allow_download


def spending_approval(config: Config) -> Approval | None:
    """What must be approved before a hosted model is asked for a batch."""
    most = config.chat.approve_tokens
    answer = config.model.max_new_tokens or PAPER_DECODING.max_new_tokens
    tokens = config.campaign.candidates * (1 + config.campaign.repair_tries) * (PROMPT_TOKENS + answer)
    if most is None or tokens <= most or not is_paid(config):
        return None
    return Approval(
        step="tokens",
        why=f"{config.model.name} is asked for {config.campaign.candidates} networks and repairs of those that fail",
        cost=f"up to about {tokens:,} tokens (chat.approve_tokens is {most:,})",
    )


def training_seconds(config: Config, task: Task, flops: Sequence[int | None]) -> float:
    """Seconds that networks would train side by side on this machine, about.

    Args:
        flops: of one forward pass of each; ``None`` where that is not known.
    """
    chosen, info = chosen_protocol(config, task.dataset), task_info(task.dataset)
    images = chosen.epochs * min(chosen.train_limit or info.train_size, info.train_size)
    each = [images * (SECONDS_PER_IMAGE + 3 * (one or UNKNOWN_FLOPS) / FLOPS_PER_S) for one in flops]
    longest = max(each, default=0.0)
    beside = sum(min(chosen.time_limit_s, one) for one in each) / (
        config.sandbox.workers or len(os.sched_getaffinity(0))
    )
    return max(min(chosen.time_limit_s, longest), beside)


def training_approval(config: Config, task: Task, flops: Sequence[int | None]) -> Approval | None:
    """What must be approved before networks are trained."""
    seconds, settings = training_seconds(config, task, flops), config.chat
    if not flops or not (settings.approve_training or seconds > settings.approve_seconds):
        return None
    networks = f"{len(flops)} network{'s' if len(flops) != 1 else ''}"
    length = epochs(chosen_protocol(config, task.dataset).epochs)
    why = f"{networks} for {length} on {task_info(task.dataset).title}"
    return Approval(step="train", why=why, cost=f"about {spoken(seconds)}")


def spoken(seconds: float) -> str:
    """A duration in words, as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
