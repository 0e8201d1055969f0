"""The agents that a configuration asks for, put together from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agents.designer import Designer
from ..agents.grafter import Grafter
from ..agents.models.factory import ChatModelHandle
from ..agents.predictor import PredictorAgent
from ..agents.repair import RepairAgent
from ..agents.retriever import Retriever, budget_of
from ..memory.records import Records
from ..memory.types import Protocol, Request
from ..sandbox import Sandbox
from ..tools.blocks.library import BlockLibrary
from ..tools.execution import Validator
from ..tools.hints import Hinter
from .asked import limits_hash, seen_request
from .config import Config, ConfigError
from .library import grafts_wanted

if TYPE_CHECKING:
    from ..tools.grafting.graft import Grafting


def designer_and_repairer(
    config: Config,
    run: str,
    model: ChatModelHandle,
    records: Records,
    validator: Validator,
    request: Request,
    chosen: Protocol,
    library: BlockLibrary | None = None,
    hinter: Hinter | None = None,
    parent: str | None = None,
) -> tuple[Designer, RepairAgent]:
    """Both agents.

    Args:
        parent: id of the network that an instruct model is to change, whichever are the best.

    Raises:
        ConfigError: the model cannot answer in the way that is asked for.
    """
    settings, seen = config.campaign, seen_request(request, chosen)
    if settings.answers == "delta" and model.style == "completion":
        raise ConfigError(
            f"campaign.answers=delta needs a model that reads instructions; {model.name} is a completion model, which "
            "writes on from a header line: set campaign.answers=full or name another model"
        )
    retriever = Retriever(
        records,
        seen.task,
        chosen.hash,
        settings.exemplars,
        library=library,
        blocks=config.retrieval.blocks,
        budget=budget_of(model),
        run=run,
        chosen_parent=parent,
    )
    designer = Designer(
        model,
        records,
        seen,
        seed=settings.seed,
        size=settings.candidates,
        style=settings.style,
        retriever=retriever,
        grafts=config.retrieval.grafts,
        most=config.budget.candidates,
        delta=settings.answers == "delta",
    )
    repairer = RepairAgent(
        model,
        records,
        validator,
        seen,
        seed=settings.seed,
        limits_hash=limits_hash(request, config),
        max_tries=settings.repair_tries,
        library=library,
        hinter=hinter,
        delta=settings.answers == "delta",
    )
    return designer, repairer


def hinter_for(config: Config, sandbox: Sandbox) -> Hinter | None:
    """What finds repair hints, if the configuration asks for them."""
    return Hinter(sandbox, config.sandbox.validation) if config.campaign.hints else None


def grafter(
    config: Config, records: Records, designer: Designer, grafting: Grafting, limits_key: str
) -> Grafter | None:
    """The grafter, if the configuration asks for grafts."""
    if not config.retrieval.grafts:
        return None
    return Grafter(
        records,
        grafting,
        designer.retriever,
        designer.request,
        protocol_hash=designer.retriever.protocol_hash,
        limits_hash=limits_key,
        seed=config.campaign.seed,
        wanted=grafts_wanted(config),
    )


def predictor(config: Config, records: Records, request: Request, chosen: Protocol) -> PredictorAgent | None:
    """The predictor, if the configuration asks for one."""
    settings = config.prediction
    if not settings.enabled:
        return None
    return PredictorAgent(
        records, request.task, chosen, seed=config.campaign.seed, keep=settings.keep, least=settings.least
    )
