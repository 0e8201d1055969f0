"""The campaign graph: cycles of generate → validate → repair → novelty → train → admit → tune.

The state holds names and counters only. What was written, judged and trained is in the records, each node is
idempotent by key, and a resumed run finds there what is already done; the checkpoint only says where to go on.
"""

from __future__ import annotations

from typing import Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from ..tools.stopping import Stopped
from .services import Services
from .writing import SlotState, WritingState, add_writing, fan_out


class CampaignState(WritingState, total=False):
    """Where a campaign stands.

    Attributes:
        stop: why the campaign ends, once that is decided.
    """

    stop: str | None


def open_cycle(state: CampaignState, runtime: Runtime[Services]) -> Command[Literal["generate", "__end__"]]:
    """Start the next cycle, unless a budget is spent or the stopping rule holds."""
    services = runtime.context
    reason = services.over(state["run"], state["cycle"])
    if reason:
        return Command(goto="__end__", update={"stop": reason})
    services.open_cycle(state["run"], state["cycle"])
    return Command(goto="generate", update={"batch": 0, "stop": None})


def novelty(state: CampaignState, runtime: Runtime[Services]) -> dict[str, int]:
    """Decide in slot order what is new: before training, because a duplicate must not cost an epoch.

    With a predictor, what will probably reach least goes untrained too.
    """
    services = runtime.context
    with services.stage(state["run"], state["cycle"], "novelty"):
        services.evaluator.judge_novelty(state["run"], state["cycle"])
    services.predict(state["run"], state["cycle"])
    return {}


def to_train(state: CampaignState, runtime: Runtime[Services]) -> list[Send] | Literal["admit"]:
    """One branch per novel candidate without a finished trial."""
    slots = runtime.context.evaluator.untrained_slots(state["run"], state["cycle"])
    return fan_out("train", slots, state, runtime.context) or "admit"


def train(state: SlotState, runtime: Runtime[Services]) -> dict[str, int]:
    """Train one candidate; a stop request leaves it waiting for the next run."""
    services = runtime.context
    if not services.stopping:
        with services.branch(state["run"], state["cycle"], "train"):
            services.evaluator.train(state["run"], state["cycle"], state["slot"], lambda: services.stopping)
    return {}


def gather(state: CampaignState) -> dict[str, int]:
    """Join of the training branches: from here what a stop left waiting goes back to training."""
    return {}


def admit(state: CampaignState, runtime: Runtime[Services]) -> Command[Literal["generate", "tune"]]:
    """Admit what is novel and good; sample on while dynamic sampling asks for more."""
    services = runtime.context
    run, cycle, batch = state["run"], state["cycle"], state["batch"]
    services.evaluator.admit(run, cycle)
    if services.wants_more(run, cycle, batch):
        return Command(goto="generate", update={"batch": batch + 1})
    return Command(goto="tune")


def tune(state: CampaignState, runtime: Runtime[Services]) -> Command[Literal["tune", "close_cycle"]]:
    """Tune the model on the corpus as it now is; a stop within it is gone on from by the next run."""
    services = runtime.context
    with services.stage(state["run"], state["cycle"], "tune"):
        try:
            services.learner.tune(state["run"], state["cycle"])
        except Stopped:
            return Command(goto="tune")
    return Command(goto="close_cycle")


def close_cycle(state: CampaignState, runtime: Runtime[Services]) -> dict[str, int]:
    """Mark the cycle complete and go on to the next."""
    runtime.context.close_cycle(state["run"], state["cycle"])
    return {"cycle": state["cycle"] + 1}


def campaign_graph(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[CampaignState, Services, CampaignState, CampaignState]:
    """The compiled campaign graph.

    Args:
        checkpointer: where steps are kept; without one the graph can be drawn and run, not resumed.
    """
    builder = StateGraph(CampaignState, context_schema=Services)
    builder.add_node("open_cycle", open_cycle)
    add_writing(builder, then="novelty")
    builder.add_node("novelty", novelty)
    builder.add_node("train", train, input_schema=SlotState)
    builder.add_node("gather", gather)
    builder.add_node("admit", admit)
    builder.add_node("tune", tune)
    builder.add_node("close_cycle", close_cycle)
    builder.add_edge(START, "open_cycle")
    builder.add_conditional_edges("novelty", to_train, ["train", "admit"])
    builder.add_edge("train", "gather")
    builder.add_conditional_edges("gather", to_train, ["train", "admit"])
    builder.add_edge("close_cycle", "open_cycle")
    return builder.compile(checkpointer=checkpointer, name="campaign")
