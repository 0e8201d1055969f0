"""The part that both graphs share: write answers, judge them side by side, repair what failed."""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send
from typing_extensions import TypedDict

from .services import Event, WritingServices


class WritingState(TypedDict, total=False):
    """Where the writing of one batch stands.

    Attributes:
        run: id of the campaign or design request.
        cycle: current cycle, from 1.
        batch: batch of candidates within the cycle, from 0.
    """

    run: str
    cycle: int
    batch: int


class SlotState(TypedDict):
    """What one fanned-out branch needs to know."""

    run: str
    cycle: int
    slot: int


def generate(state: WritingState, runtime: Runtime[WritingServices]) -> dict[str, int]:
    """Let the designer write this batch's answers."""
    services = runtime.context
    services.ready_model(state["run"], state["cycle"])
    with services.stage(state["run"], state["cycle"], "generate"):
        services.designer.write_batch(state["run"], state["cycle"], state["batch"])
    services.graft(state["run"], state["cycle"], state["batch"])
    return {}


def validate(state: SlotState, runtime: Runtime[WritingServices]) -> dict[str, int]:
    """Run one slot's newest text through the sandbox; a stop request leaves it open for the next run."""
    if not runtime.context.stopping:
        with runtime.context.branch(state["run"], state["cycle"], "validate"):
            runtime.context.repairer.judge(state["run"], state["cycle"], state["slot"])
    return {}


def repair(state: WritingState, runtime: Runtime[WritingServices]) -> dict[str, int]:
    """Feed the errors of what is still invalid back to the model, as one batch, up to the set number of tries.

    A round starts only when every text of the batch has its verdict; what a stop left open is judged first.
    """
    services = runtime.context
    run, cycle = state["run"], state["cycle"]
    if services.repairer.open_slots(run, cycle):
        return {}
    slots = services.designer.slots(run, cycle, state["batch"])
    due = services.repairer.next_round(run, cycle, slots)
    if due is not None:
        services.ready_model(run, cycle)
        with services.stage(run, cycle, "repair"):
            services.repairer.rewrite(run, cycle, slots, due)
    return {}


def fan_out(node: str, slots: list[int], state: WritingState, services: WritingServices) -> list[Send]:
    """One branch to ``node`` per slot."""
    if slots:
        services.notify(Event("begin", state["cycle"], node, len(slots)))
    return [Send(node, SlotState(run=state["run"], cycle=state["cycle"], slot=n)) for n in slots]


def add_writing(builder: StateGraph[Any, Any, Any, Any], then: str) -> None:
    """Add ``generate → validate ⇄ repair`` to a graph; when nothing is left to judge or repair, go to ``then``."""

    def to_validate(state: WritingState, runtime: Runtime[WritingServices]) -> list[Send] | str:
        slots = runtime.context.repairer.open_slots(state["run"], state["cycle"])
        return fan_out("validate", slots, state, runtime.context) or then

    builder.add_node("generate", generate)
    builder.add_node("validate", validate, input_schema=SlotState)
    builder.add_node("repair", repair)
    builder.add_conditional_edges("generate", to_validate, ["validate", then])
    builder.add_edge("validate", "repair")
    builder.add_conditional_edges("repair", to_validate, ["validate", then])
