"""The design conversation as a graph on messages, for LangGraph's own tools and the chat clients that speak to them.

One run is one turn of a thread of :func:`~netwright.graphs.talking.open_conversation`, under the id that the server
gives; an approval is an interrupt. Settings are those of the file that ``NETWRIGHT_CONFIG`` names, or the defaults.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl, Runtime
from langgraph.types import Command, interrupt

from ..memory.records import Records
from .config import Config, load_config
from .locking import CampaignBusy
from .services import Event
from .talking import open_conversation
from .turns import Message, Reply


class TalkState(MessagesState, total=False):
    """Messages, and where the thread stands.

    Attributes:
        approval: what the last turn asks approval for, as in :class:`~netwright.graphs.turns.Reply`.
        turns: turns of the thread when the last one of this graph had ended.
    """

    approval: dict[str, Any] | None
    turns: int


async def turn(state: TalkState, runtime: Runtime[None]) -> Command[Literal["approve", "__end__"]]:
    """Answer the last message, if it is a person's.

    Run again after a kill, it goes on with what was cut off, and gives the answer that was not passed on. Cancelled, it
    stops the work at the next safe point and waits for that.
    """
    last = state["messages"][-1] if state["messages"] else None
    if not isinstance(last, HumanMessage):
        return Command(goto="__end__")
    control, here = RunControl(), contextvars.copy_context()

    def tell(event: Event) -> None:
        # The writer finds its stream by the context; a copy, because branches tell at the same time.
        here.copy().run(runtime.stream_writer, asdict(event))

    def take() -> tuple[Reply, int]:
        thread = runtime.execution_info.thread_id if runtime.execution_info else None
        with Records() as records, open_conversation(_settings(), records, thread) as talk:
            reply = _answered(talk.history(), last.text, state.get("turns", 0))
            return reply or talk.say(last.text, notify=tell, control=control), _turns(talk.history())

    # In a context of its own, or the conversation's graph would keep its steps with the checkpointer of this one.
    work = asyncio.get_running_loop().run_in_executor(None, contextvars.Context().run, take)
    try:
        reply, turns = await asyncio.shield(work)
    except asyncio.CancelledError:
        control.request_drain("the run was cancelled")
        with suppress(Exception):
            await work
        raise
    except CampaignBusy as busy:
        return Command(goto="__end__", update={"messages": [AIMessage(f"{busy}; say it again when that is over")]})
    answer = AIMessage(reply.text, additional_kwargs={"netwright": reply.model_dump(mode="json")})
    update = {"messages": [answer], "approval": reply.approval, "turns": turns}
    return Command(goto="approve" if reply.kind == "approval" else "__end__", update=update)


def _answered(history: tuple[Message, ...], said: str, turns: int) -> Reply | None:
    """The answer to a message whose run was killed after the turn had ended, before the graph had it."""
    if _turns(history) > turns and len(history) > 1 and history[-2].text == said:
        return history[-1].reply
    return None


def _turns(history: tuple[Message, ...]) -> int:
    return sum(one.role == "person" for one in history)


def _settings() -> Config:
    named = os.environ.get("NETWRIGHT_CONFIG")
    return load_config(Path(named) if named else None)


def approve(state: TalkState) -> Command[Literal["turn"]]:
    """Wait for the decision; ``true``, ``false`` or words."""
    decided = interrupt(state["approval"])
    said = ("yes" if decided else "no") if isinstance(decided, bool) else str(decided)
    return Command(goto="turn", update={"messages": [HumanMessage(said)], "approval": None})


def conversation() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph, without a checkpointer: the tools bring one."""
    builder = StateGraph(TalkState)
    builder.add_node("turn", turn)
    builder.add_node("approve", approve)
    builder.set_entry_point("turn")
    return builder.compile(name="conversation")
