"""The design conversation as a graph on messages, for LangGraph's own tools and the chat clients that speak to them.

One run is one turn of a thread of :func:`~netwright.graphs.talking.open_conversation`, under the id that the server
gives; an approval is an interrupt. Settings are those of the file that ``NETWRIGHT_CONFIG`` names, or the defaults.
"""

from __future__ import annotations

import contextvars
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from ..memory.records import Records
from .config import Config, load_config
from .services import Event
from .talking import open_conversation
from .turns import Reply


class TalkState(MessagesState, total=False):
    """Messages, and what the last turn asks approval for.

    Attributes:
        approval: as in :class:`~netwright.graphs.turns.Reply`.
    """

    approval: dict[str, Any] | None


def turn(state: TalkState, runtime: Runtime[None]) -> Command[Literal["approve", "__end__"]]:
    """Answer the last message. Run again after a kill, it goes on with the turn that was cut off."""
    said = state["messages"][-1].text
    thread = runtime.execution_info.thread_id if runtime.execution_info else None

    def take() -> Reply:
        with Records() as records, open_conversation(_settings(), records, thread) as talk:
            return talk.say(said, notify=tell, control=runtime.control)

    def tell(event: Event) -> None:
        # The writer finds its stream by the context; a copy, because branches tell at the same time.
        here.copy().run(runtime.stream_writer, asdict(event))

    here = contextvars.copy_context()
    # In a context of its own, or the conversation's graph would keep its steps with the checkpointer of this one.
    reply = contextvars.Context().run(take)
    answer = AIMessage(reply.text, additional_kwargs={"netwright": reply.model_dump(mode="json")})
    update = {"messages": [answer], "approval": reply.approval}
    return Command(goto="approve" if reply.kind == "approval" else "__end__", update=update)


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
