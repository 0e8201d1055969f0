"""The graphs for LangGraph's own tools, as ``langgraph.json`` names them.

Each is compiled without a checkpointer, because those tools bring one. There they can be looked at and drawn; to run
one, use the command line, the conversation or the servers, which open the services that its nodes work with.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph.state import CompiledStateGraph

from .campaign import campaign_graph
from .chat import chat_graph
from .design import design_graph

Graph = CompiledStateGraph[Any, Any, Any, Any]


def design() -> Graph:
    """One design request."""
    return design_graph()


def campaign() -> Graph:
    """Cycles of a campaign."""
    return campaign_graph()


def chat() -> Graph:
    """One turn of a design conversation."""
    return chat_graph()
