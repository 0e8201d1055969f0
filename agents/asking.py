"""An instruct model reads a message: its words become the fields of a closed model, or are thrown away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import ConfigDict, Field, ValidationError, field_validator

from ..memory.types import Frozen
from ..tools.generators.headers import STYLES
from ..tools.serving.client import Structured
from ..tools.tasks import known_datasets
from .models.factory import ChatModelHandle
from .plans import Aim, ReadingKind, Talk
from .prompting import prompt_text
from .seeds import derive_seed

TRIES = 2
"""Answers that are looked at: the first, and one after the error was told."""
MOST_SHOWN = 12
"""Networks of the conversation that the model is told of, the newest."""
_MOST_CHARS = 4_000
"""Characters of a message that the model reads; what is longer is hardly a request."""


class Told(Frozen):
    """What a model says that a message means. Nothing else of its answer is used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ReadingKind = "new"
    dataset: str | None = Field(default=None, json_schema_extra={"enum": [*known_datasets(), None]})
    min_params: int | None = Field(default=None, ge=1, le=10**12)
    max_params: int | None = Field(default=None, ge=1, le=10**12)
    style: str | None = Field(default=None, json_schema_extra={"enum": [*STYLES, None]})
    without: str | None = Field(default=None, json_schema_extra={"enum": [*STYLES, None]})
    aims: tuple[Aim, ...] = Field(default=(), max_length=4)
    refers: tuple[int, ...] = Field(default=(), max_length=8)
    train: bool = False
    epochs: int | None = Field(default=None, ge=1, le=1000)
    candidates: int | None = Field(default=None, ge=1, le=256)

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in known_datasets():
            raise ValueError(f"must be one of {', '.join(known_datasets())}")
        return value

    @field_validator("style", "without")
    @classmethod
    def _style(cls, value: str | None) -> str | None:
        if value is not None and value not in STYLES:
            raise ValueError(f"must be one of {', '.join(STYLES)}")
        return value


@dataclass(frozen=True)
class Asked:
    """What came of asking a model: ``told`` is ``None`` where no answer could be used.

    Attributes:
        tokens: that it cost.
    """

    told: Told | None
    tokens: int = 0


def ask_model(model: ChatModelHandle, text: str, talk: Talk, seed: int) -> Asked:
    """Let an instruct model read a message; an answer that does not validate is asked for once more."""
    messages = _messages(text, talk)
    schema = Structured(json=Told.model_json_schema()) if model.structured else None
    tokens = 0
    for attempt in range(TRIES):
        answer = model.ask([messages], seed=derive_seed(seed, "understand", attempt), structured=schema)[0]
        usage = getattr(answer, "usage_metadata", None) or {}
        tokens += usage.get("total_tokens", 0)
        try:
            return Asked(Told.model_validate(_object(answer.text)), tokens)
        except ValueError as error:
            messages = [*messages, AIMessage(answer.text[:_MOST_CHARS]), HumanMessage(_again(error))]
    return Asked(None, tokens)


def _messages(text: str, talk: Talk) -> list[BaseMessage]:
    system = prompt_text("understand_system").format(datasets=", ".join(known_datasets()), styles=", ".join(STYLES))
    message = json.dumps(text[:_MOST_CHARS], ensure_ascii=False)
    user = prompt_text("understand_user").format(context=_context(talk), message=message)
    return [SystemMessage(system.strip()), HumanMessage(user.strip())]


def _context(talk: Talk) -> str:
    """What was said before, in the words of this program alone."""
    if talk.plan is None:
        return "Nothing was designed yet."
    lines = [f"The current request is for {talk.plan.dataset}. Networks that were shown:"]
    for one in talk.shown[-MOST_SHOWN:]:
        metric = f", accuracy {one.metric:.3f}" if one.metric is not None else ""
        lines.append(f"- number {one.n}: {one.params or 0} parameters{metric}, style {one.style}")
    return "\n".join(lines)


def _object(text: str) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        ValueError: there is none.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("there is no JSON object in the answer")
    try:
        held = json.loads(text[start : end + 1])
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    if not isinstance(held, dict):
        raise ValueError("the answer is no JSON object")
    return {key: value for key, value in held.items() if value is not None}


def _again(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        parts = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        said = "; ".join(parts)
    else:
        said = str(error)
    return f"That cannot be used: {said[:1000]}. Answer with the JSON object alone, with no other fields."
