"""The evaluator and the learner of a campaign, put together from its settings and from what is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..agents.collapse import CollapseGuard
from ..agents.evaluator import EvaluatorAgent
from ..agents.learner import Learner
from ..agents.models.factory import ChatModelHandle
from ..memory.adapters import AdapterStore
from ..memory.corpus import Corpus
from ..memory.novelty import NoveltyIndex
from ..memory.records import Records
from ..memory.types import Protocol, Request
from ..sandbox import Sandbox
from ..tools.dedup.graphs import GraphStore, Tracer
from ..tools.devices import Device
from ..tools.finetuning import TuneConfig, TuningPair
from ..tools.tasks import task_info
from ..tools.training import Evaluator
from .campaign_settings import CampaignSettings
from .config import Config
from .reinforcing import improvement, reinforcer


@dataclass(frozen=True)
class Opened:
    """What is open while a campaign runs.

    Attributes:
        seen: the request as a network has to meet it, see :func:`~netwright.graphs.asked.seen_request`.
        limits_hash: of what a verdict depends on.
    """

    config: Config
    run: str
    records: Records
    request: Request
    chosen: Protocol
    seen: Request
    limits_hash: str
    model: ChatModelHandle
    sandbox: Sandbox
    devices: Sequence[Device]
    corpus: Corpus


def evaluator(opened: Opened, index: NoveltyIndex, graphs: GraphStore) -> EvaluatorAgent:
    """The agent that decides what is new, trains it and admits it.

    Args:
        index: texts of the initial corpus.
        graphs: computation graphs that were traced before.
    """
    config, settings = opened.config, opened.config.campaign
    return EvaluatorAgent(
        opened.records,
        Evaluator(opened.sandbox, config.evaluation.memory_mb, opened.devices),
        opened.request.task,
        opened.chosen,
        opened.corpus,
        index,
        _threshold(settings),
        opened.sandbox.workers,
        novelty=settings.novelty,
        limits_hash=opened.limits_hash,
        tracer=Tracer(opened.sandbox, opened.seen.task, graphs, config.sandbox.validation),
        threshold_share=settings.threshold_share or 0.0,
        admit_all=settings.admit == "all",
    )


def learner(
    opened: Opened,
    tuning: TuneConfig,
    replay: list[TuningPair],
    *,
    enabled: bool,
    stopping: Callable[[], bool],
) -> Learner:
    """The agent that tunes the model on what was admitted.

    Args:
        replay: pairs of the initial corpus, mixed in against forgetting.
        enabled: ``False`` where the model stays as it is.
        stopping: whether a stop was asked for.
    """
    config, settings = opened.config, opened.config.campaign
    reinforced = enabled and "grpo" in settings.improve
    guard = CollapseGuard(settings.guard.valid, settings.guard.distance) if settings.guard.enabled else None
    return Learner(
        opened.model,
        opened.records,
        AdapterStore(opened.records, opened.run),
        opened.corpus,
        opened.seen,
        replay,
        tuning,
        seed=settings.seed,
        limits_hash=opened.limits_hash,
        enabled=enabled,
        initial_adapter=config.model.adapter,
        guard=guard,
        least_pairs=settings.least_pairs,
        most_pairs=settings.most_pairs,
        least_share=settings.least_share,
        from_base=settings.tune_from == "base",
        reinforcer=reinforcer(
            config, opened.model, opened.records, opened.sandbox, opened.request, opened.devices, stopping=stopping
        )
        if reinforced
        else None,
        improvement=improvement(settings.improve, config.grpo.order),
        stopping=stopping,
    )


def _threshold(settings: CampaignSettings) -> float | None:
    """The threshold as it is set, or the task's own; ``None`` where cycle 1 is to set it."""
    if settings.threshold is not None or settings.threshold_share is not None:
        return settings.threshold
    return task_info(settings.dataset).threshold
