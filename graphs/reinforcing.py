"""What reinforcement learning works with: the reward in the sandbox, and the agent that trains on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..agents.models.factory import ChatModelHandle
from ..agents.reinforcer import Reinforcer, grpo_defaults
from ..memory.records import Records
from ..memory.types import Protocol, Request
from ..sandbox import Sandbox
from ..tools.devices import Device
from ..tools.execution import Validator
from ..tools.grpo import GrpoStep, check_grpo_here
from ..tools.protocols import changed
from ..tools.rewards import Rewarder
from ..tools.training import Evaluator
from .asked import chosen_protocol, limits_hash, seen_request
from .config import Config, GrpoSettings


def improvement(improve: Sequence[str], order: str) -> Callable[[int], Sequence[str]]:
    """What each cycle does to the model: all of ``improve`` in its order, or one of them in turn."""
    if order == "alternate":
        return lambda cycle: (improve[(cycle - 1) % len(improve)],)
    return lambda cycle: tuple(improve)


def reward_protocol(chosen: Protocol, settings: GrpoSettings) -> Protocol:
    """The protocol behind a reward: the campaign's own, shortened to a mini-epoch where the settings say so.

    Unshortened it is the campaign's very protocol, so that what either has trained the other does not train again.
    """
    shorter = {"train_limit": settings.train_limit, "time_limit_s": settings.time_limit_s}
    changes = {name: value for name, value in shorter.items() if value is not None}
    if not changes and not chosen.rungs:
        return chosen
    name = f"{chosen.name}-reward" if changes else chosen.name
    return changed(chosen, name=name, rungs=(), **changes)


def reinforcer(
    config: Config,
    model: ChatModelHandle,
    records: Records,
    sandbox: Sandbox,
    request: Request,
    devices: Sequence[Device],
    *,
    stopping: Callable[[], bool],
    progress: Callable[[GrpoStep], None] | None = None,
) -> Reinforcer:
    """The reinforcer that a configuration asks for.

    Raises:
        ImportError: its setting needs a package that is missing.
    """
    chosen = chosen_protocol(config, request.task.dataset)
    seen = seen_request(request, chosen)
    training = config.grpo.training or grpo_defaults(model.name, model.style)
    check_grpo_here(training)
    rewarder = Rewarder(
        Validator(sandbox, limits=config.sandbox.validation),
        Evaluator(sandbox, config.evaluation.memory_mb, devices),
        records,
        request.task,
        reward_protocol(chosen, config.grpo),
        workers=sandbox.workers,
        config=training.reward,
        seen=seen.task,
        limits=request.limits,
        limits_hash=limits_hash(request, config),
        stopping=stopping,
    )
    return Reinforcer(
        model,
        seen,
        rewarder,
        training,
        seed=config.campaign.seed,
        most=config.grpo.skeletons,
        progress=progress,
    )
