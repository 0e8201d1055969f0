"""The design graph: one request, rounds of writing until a valid network is there, training if asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from ..agents.evaluator import EvaluatorAgent
from ..memory.records import Records
from ..memory.rows import Cycle, Generation
from ..memory.types import Candidate, Request, Trial, Verdict
from .config import Config
from .services import WritingServices
from .writing import SlotState, WritingState, add_writing, fan_out

ROUNDS = 6
"""Most rounds of candidates before a request is given up."""


@dataclass
class DesignServices(WritingServices):
    """What the design graph needs; ``trainer`` only when the candidates are to be trained."""

    trainer: EvaluatorAgent | None


class DesignState(WritingState, total=False):
    """Where a design request stands. ``chosen`` is the id of the candidate that answers it."""

    chosen: str | None


@dataclass(frozen=True)
class Designed:
    """The answer to a request; ``candidate`` is ``None`` when none could be found, and ``explanation`` says why."""

    request: Request
    candidate: Candidate | None
    verdict: Verdict | None
    trial: Trial | None
    written: int
    valid: int
    explanation: str

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        verdict = self.verdict
        return {
            "request": self.request.model_dump(mode="json"),
            "candidate": {"id": self.candidate.id, "source": self.candidate.source} if self.candidate else None,
            "verdict": {**verdict.model_dump(mode="json"), "reason": verdict.reason} if verdict else None,
            "trial": self.trial.model_dump(mode="json") if self.trial else None,
            "written": self.written,
            "valid": self.valid,
            "explanation": self.explanation,
        }


def weigh(state: DesignState, runtime: Runtime[DesignServices]) -> Command[Literal["generate", "choose"]]:
    """Another round while nothing is valid and rounds are left."""
    services = runtime.context
    found = _valid(services.records, state["run"])
    if not found and state["batch"] + 1 < ROUNDS and not services.stopping:
        return Command(goto="generate", update={"batch": state["batch"] + 1})
    return Command(goto="choose")


def to_train(state: DesignState, runtime: Runtime[DesignServices]) -> list[Send] | Literal["answer"]:
    """One branch per valid candidate when training was asked for."""
    services = runtime.context
    if services.trainer is None:
        return "answer"
    slots = [g.slot for g in _valid(services.records, state["run"])]
    return fan_out("train", slots, state, services) or "answer"


def train(state: SlotState, runtime: Runtime[DesignServices]) -> dict[str, int]:
    """Train one candidate."""
    services = runtime.context
    if services.trainer is not None and not services.stopping:
        with services.branch(state["run"], state["cycle"], "train"):
            services.trainer.train(state["run"], state["cycle"], state["slot"])
    return {}


def choose(state: DesignState) -> dict[str, str]:
    """Point from which the training branches start."""
    return {}


def answer(state: DesignState, runtime: Runtime[DesignServices]) -> dict[str, str | None]:
    """Choose the best trained candidate, or the first valid one when nothing was trained."""
    services = runtime.context
    valid = _valid(services.records, state["run"])
    trials = _trials(services, valid)
    ranked = sorted(valid, key=lambda g: (-_metric(trials.get(g.candidate_id or "")), g.slot))
    return {"chosen": ranked[0].candidate_id if ranked else None}


def design_graph(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[DesignState, DesignServices, DesignState, DesignState]:
    """The compiled design graph."""
    builder = StateGraph(DesignState, context_schema=DesignServices)
    add_writing(builder, then="weigh")
    builder.add_node("weigh", weigh)
    builder.add_node("choose", choose)
    builder.add_node("train", train, input_schema=SlotState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "generate")
    builder.add_conditional_edges("choose", to_train, ["train", "answer"])
    builder.add_edge("train", "answer")
    builder.add_edge("answer", END)
    return builder.compile(checkpointer=checkpointer, name="design")


def run_design(request: Request, config: Config, records: Records, *, train: bool = False) -> Designed:
    """Answer a design request.

    The same request, model and seed have the same id: asked again, the answer comes from the records.

    Args:
        train: train the valid candidates under the data set's protocol and answer with the best.

    Raises:
        DatasetMissing: training was asked for and the data set is not on disk.
        SandboxUnavailable: the sandbox cannot run here.
    """
    from .opening import open_design

    run = design_id(request, config)
    with open_design(request, config, run, records, train=train) as services:
        records.put_cycle(Cycle(campaign_id=run, n=1))
        state = DesignState(run=run, cycle=1, batch=0)
        final = design_graph().invoke(state, context=services)
        trials = _trials(services, _valid(records, run))
    records.update_campaign(run, state="complete", stop_reason="answered" if final["chosen"] else "nothing valid")
    return _explain(request, records, run, final["chosen"], trials)


def design_id(request: Request, config: Config) -> str:
    """The id under which a request's answers are kept."""
    asked = [
        request.model_dump(mode="json"),
        config.model.model_dump(mode="json"),
        config.campaign.model_dump(mode="json"),
    ]
    return f"design-{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}"


def _valid(records: Records, run: str) -> list[Generation]:
    return [g for g in records.generations(run, 1) if g.valid_by != "none"]


def _trials(services: DesignServices, valid: list[Generation]) -> dict[str, Trial]:
    trainer = services.trainer
    if trainer is None:
        return {}
    ids = [g.candidate_id for g in valid if g.candidate_id]
    return services.records.get_trials(ids, trainer.task.id, trainer.protocol.hash)


def _metric(trial: Trial | None) -> float:
    return trial.metric if trial is not None and trial.metric is not None else -1.0


def _explain(request: Request, records: Records, run: str, chosen: str | None, trials: dict[str, Trial]) -> Designed:
    written, valid = records.generations(run, 1), _valid(records, run)
    key, stored = request.task.id, records.get_campaign(run).limits_hash
    if chosen is None:
        verdicts = records.get_verdicts((g.candidate_id for g in written if g.candidate_id), key, stored)
        reasons = sorted({v.reason for v in verdicts.values()})[:3]
        text = (
            f"none of {len(written)} candidates met the request ({'; '.join(reasons)}); "
            "loosen its limits, or ask with another --seed or --candidates"
        )
        return Designed(request, None, None, None, len(written), 0, text)
    candidate, verdict = records.get_candidate(chosen), records.get_verdict(chosen, key, stored)
    assert candidate is not None  # the chosen candidate and its verdict were recorded before the choice
    assert verdict is not None
    trial, most = trials.get(chosen), request.limits.max_params
    by = next(g.valid_by for g in valid if g.candidate_id == chosen)
    text = (
        f"{candidate.name} for {request.task.dataset}: valid through {verdict.stage} (by {by}), "
        f"{verdict.params or 0:,} parameters{f' of at most {most:,}' if most else ''}, {verdict.flops or 0:,} FLOPs; "
        f"{len(valid)} of {len(written)} candidates are valid"
    )
    if trial is not None:
        score = f"{request.task.metric} {trial.metric:.4f}" if trial.metric is not None else f"training {trial.state}"
        text += f"; {score} under protocol {trial.protocol_hash}"
    return Designed(request, candidate, verdict, trial, len(written), len(valid), text)
