"""The design graph: one request, rounds of writing until a valid network is there, training if asked for.

As in a campaign the records are the truth and the checkpoint only says where to go on, so that a request that was
stopped or killed goes on when it is asked again, and ends in the same answer.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl, Runtime
from langgraph.types import Command, Send

from ..agents.evaluator import EvaluatorAgent
from ..agents.models.identity import model_identity
from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Cycle
from ..memory.trial_records import FINISHED
from ..memory.types import Request
from ..tools.logs import log_context
from .asked import chosen_protocol, limits_hash, register_design
from .config import Config
from .designed import Designed, answer_of, trials_of, unfinished, valid_generations
from .locking import one_process
from .logs import logged
from .services import Event, WritingServices, no_events
from .tracking import traced
from .workshop import Workshop
from .writing import SlotState, WritingState, add_writing, fan_out

__all__ = ["ROUNDS", "DesignServices", "Designed", "design_graph", "design_id", "run_design"]

ROUNDS = 6
"""Most rounds of candidates before a request is given up."""

STEPS = 1000
"""LangGraph's recursion limit: well above the steps of six rounds with their repairs."""


@dataclass
class DesignServices(WritingServices):
    """What the design graph needs; ``trainer`` only when the candidates are to be trained."""

    trainer: EvaluatorAgent | None


def weigh(state: WritingState, runtime: Runtime[DesignServices]) -> Command[Literal["generate", "choose"]]:
    """Another round while nothing is valid and rounds are left."""
    found = valid_generations(runtime.context.records, state["run"])
    if not found and state["batch"] + 1 < ROUNDS:
        return Command(goto="generate", update={"batch": state["batch"] + 1})
    return Command(goto="choose")


def choose(state: WritingState) -> dict[str, int]:
    """Where the training branches start and join: what a stop left waiting goes to training again from here."""
    return {}


def to_train(state: WritingState, runtime: Runtime[DesignServices]) -> list[Send] | Literal["__end__"]:
    """One branch per valid candidate without a finished trial, when training was asked for."""
    services = runtime.context
    if services.trainer is None:
        return "__end__"
    slots = _untrained_slots(services.records, state["run"])
    return fan_out("train", slots, state, services) or "__end__"


def train(state: SlotState, runtime: Runtime[DesignServices]) -> dict[str, int]:
    """Train one candidate; a stop request leaves it waiting for the next run."""
    services = runtime.context
    if services.trainer is not None and not services.stopping:
        with services.branch(state["run"], state["cycle"], "train"):
            services.trainer.train(state["run"], state["cycle"], state["slot"], lambda: services.stopping)
    return {}


def design_graph(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[WritingState, DesignServices, WritingState, WritingState]:
    """The compiled design graph.

    Args:
        checkpointer: where steps are kept; without one the graph can be drawn and run, not resumed.
    """
    builder = StateGraph(WritingState, context_schema=DesignServices)
    add_writing(builder, then="weigh")
    builder.add_node("weigh", weigh)
    builder.add_node("choose", choose)
    builder.add_node("train", train, input_schema=SlotState)
    builder.add_edge(START, "generate")
    builder.add_conditional_edges("choose", to_train, ["train", "__end__"])
    builder.add_edge("train", "choose")
    return builder.compile(checkpointer=checkpointer, name="design")


def run_design(
    request: Request,
    config: Config,
    records: Records,
    *,
    train: bool = False,
    control: RunControl | None = None,
    parent: str | None = None,
    notify: Callable[[Event], None] = no_events,
    workshop: Workshop | None = None,
) -> Designed:
    """Answer a design request.

    The same request, model and settings have the same id: asked again, the answer comes from the records, and a
    request that was stopped or killed goes on.

    Args:
        train: train the valid candidates under the configured protocol and answer with the best.
        control: ask it to drain (from a signal handler, say) to stop at the next safe point; then the answer is
            not ``finished``.
        parent: id of a network on record that an instruct model is to change.
        workshop: an open model and sandbox, to be used and left open.

    Raises:
        DatasetMissing: training was asked for and the data set is not on disk.
        SandboxUnavailable: the sandbox cannot run here.
        CampaignBusy: another process works on this request.
    """
    from .opening import open_design

    run = design_id(request, config, parent)
    register_design(request, config, run, records, parent)
    if not _is_answered(records, run, train):
        folder = home_folder("designs", run)
        with ExitStack() as stack:
            stack.enter_context(one_process(folder, run))
            with (
                log_context(campaign=run),
                _recorded(records, run),
                open_design(request, config, run, records, train=train, parent=parent, workshop=workshop) as services,
                traced(run, config, services.designer.model),
            ):
                services.control, services.notify = control or RunControl(), logged(run, notify)
                reason = _work(records, run, folder, services)
            if reason is not None:
                return unfinished(request, records, run, reason)
            # The records have it all now: nobody goes on from a checkpoint of a request that is answered.
            for path in folder.glob("checkpoints.db*"):
                path.unlink()
    return answer_of(request, records, run, trained=train)


def design_id(request: Request, config: Config, parent: str | None = None) -> str:
    """The id under which a request's answers are kept: equal for equal work, and never for other weights."""
    asked: list[Any] = [
        request.model_dump(mode="json"),
        config.model.model_dump(mode="json"),
        model_identity(config.model),
        config.campaign.model_dump(mode="json"),
        config.budget.candidates,
        chosen_protocol(config, request.task.dataset).hash,
        limits_hash(request, config),
        *([parent] if parent else []),
    ]
    return f"design-{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}"


@contextmanager
def _recorded(records: Records, run: str) -> Iterator[None]:
    """Keep the state of a request: it runs, and what ended it where that was an error or an interrupt."""
    records.update_campaign(run, state="running", stop_reason=None)
    try:
        yield
    except BaseException as error:
        state = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        records.update_campaign(run, state=state, stop_reason=f"{type(error).__name__}: {error}"[:1000])
        raise


def _work(records: Records, run: str, folder: Path, services: DesignServices) -> str | None:
    """Drive the graph to its end and keep the state of the request; why it stopped before, ``None`` at the end."""
    records.put_cycle(Cycle(campaign_id=run, n=1))
    if not _drive(run, folder, services):
        reason = services.control.drain_reason or "stopped"
        records.update_campaign(run, state="stopped", stop_reason=reason)
        return reason
    found = valid_generations(records, run)
    records.update_campaign(run, state="complete", stop_reason="answered" if found else "nothing valid")
    return None


def _drive(run: str, folder: Path, services: DesignServices) -> bool:
    """Run the graph from its checkpoint, or from its beginning; whether it came to its end."""
    thread: RunnableConfig = {"configurable": {"thread_id": run}, "recursion_limit": STEPS}
    with closing(sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        graph = design_graph(SqliteSaver(connection))
        # From its beginning too when it had ended (to be trained now, where it was not before), and when the
        # checkpoint belongs to other records than these: what is on record is not done again.
        going_on = graph.get_state(thread).next and services.records.generations(run, 1)
        entry = None if going_on else WritingState(run=run, cycle=1, batch=0)
        try:
            graph.invoke(entry, thread, context=services, durability="sync", control=services.control)
        except GraphDrained:
            return False
    return True


def _is_answered(records: Records, run: str, train: bool) -> bool:
    """Whether the records hold all that the request asks for."""
    return records.get_campaign(run).state == "complete" and not (train and _untrained_slots(records, run))


def _untrained_slots(records: Records, run: str) -> list[int]:
    """Slots of valid candidates that have no finished trial."""
    valid = valid_generations(records, run)
    finished = {key for key, trial in trials_of(records, run, valid).items() if trial.state in FINISHED}
    return [g.slot for g in valid if g.candidate_id not in finished]
