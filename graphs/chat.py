"""The conversation's graph: one turn from what was said to the answer, with approvals before what is expensive.

``understand → (spend?) → design → (permit?) → train → answer``. The thread's file and the records are the truth; the
checkpoint only says where a turn goes on that was stopped, killed, or waits for a yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from ..agents.plans import Step

Node = Literal["spend", "design", "permit", "train", "answer"]


class ChatState(TypedDict, total=False):
    """Where a turn stands.

    Attributes:
        work: number of the exchange that is answered.
        allowed: what was decided on the training; absent where it was not asked.
    """

    work: int
    allowed: bool
    spending: bool


class Approval(TypedDict):
    """What a person is asked: which step, why it needs asking, and what it costs."""

    step: Literal["train", "tokens"]
    why: str
    cost: str


class ChatServices(Protocol):
    """What the nodes call; every method is idempotent by the number of the exchange."""

    def understand(self, work: int) -> Step:
        """Decide what is done, once."""
        ...

    def spending(self, work: int) -> Approval | None:
        """What must be approved before the model is asked; ``None``: nothing."""
        ...

    def design(self, work: int) -> bool:
        """Write networks until a valid one is there; whether it came to its end."""
        ...

    def training(self, work: int) -> Approval | None:
        """What must be approved before networks are trained; ``None``: nothing."""
        ...

    def trains(self, work: int) -> bool:
        """Whether there is something to train."""
        ...

    def train(self, work: int) -> bool:
        """Train what is to be trained; whether it came to its end."""
        ...

    def answer(self, work: int, *, trained: bool, spent: bool) -> None:
        """Write the reply down.

        Args:
            trained: whether training was allowed.
            spent: whether asking the model was allowed.
        """
        ...


@dataclass(frozen=True)
class ChatContext:
    """The graph's context."""

    services: ChatServices


def understand(state: ChatState, runtime: Runtime[ChatContext]) -> Command[Node]:
    """Read the message; what needs no work is answered at once."""
    step = runtime.context.services.understand(state["work"])
    places: dict[str, Node] = {"design": "spend", "train": "permit"}
    return Command(goto=places.get(step.action, "answer"))


def spend(state: ChatState, runtime: Runtime[ChatContext]) -> Command[Node]:
    """Ask before tokens are bought."""
    asked = runtime.context.services.spending(state["work"])
    if asked is None or interrupt(asked):
        return Command(goto="design", update={"spending": True})
    return Command(goto="answer", update={"spending": False})


def design(state: ChatState, runtime: Runtime[ChatContext]) -> Command[Node]:
    """Write, validate, repair. Stopped before its end it is this node's turn again."""
    return Command(goto="permit" if runtime.context.services.design(state["work"]) else "design")


def permit(state: ChatState, runtime: Runtime[ChatContext]) -> Command[Node]:
    """Ask before a long training."""
    services = runtime.context.services
    if not services.trains(state["work"]):
        return Command(goto="answer")
    asked = services.training(state["work"])
    allowed = asked is None or bool(interrupt(asked))
    return Command(goto="train" if allowed else "answer", update={"allowed": allowed})


def train(state: ChatState, runtime: Runtime[ChatContext]) -> Command[Node]:
    """Train. Stopped before its end it is this node's turn again."""
    return Command(goto="answer" if runtime.context.services.train(state["work"]) else "train")


def answer(state: ChatState, runtime: Runtime[ChatContext]) -> dict[str, int]:
    """Explain what came out."""
    allowed, spent = state.get("allowed", True), state.get("spending", True)
    runtime.context.services.answer(state["work"], trained=allowed, spent=spent)
    return {}


def chat_graph(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[ChatState, ChatContext, ChatState, ChatState]:
    """The compiled graph of one turn.

    Args:
        checkpointer: where steps are kept; without one the graph can be drawn, not resumed.
    """
    builder = StateGraph(ChatState, context_schema=ChatContext)
    for node in (understand, spend, design, permit, train, answer):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "understand")
    return builder.compile(checkpointer=checkpointer, name="chat")
