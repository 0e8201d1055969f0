"""The part of OpenAI's chat completions that a design conversation needs, as types.

What clients send beside it (temperature, tools, stop …) is accepted and has no effect.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ...graphs.turns import ReplyKind
from .errors import HttpError

MODEL = "netwright"
"""The one model that is served: the design conversation, whatever language model writes the networks."""


def _storable(text: str) -> str:
    """JSON can write halves of characters, which no file and no other program can."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("it has half a character (a lone surrogate)")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class Part(BaseModel):
    """A part of a message's content."""

    model_config = ConfigDict(extra="allow")

    type: Text = Field(description="`text`; others cannot be read")
    text: Text | None = None


class ChatMessage(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None

    def words(self) -> str:
        """Its text; parts of other kinds left out."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text" and part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream has beside the answer."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = Field(default=None, description="tokens at the end of the stream")


class ChatRequest(BaseModel):
    """A turn of a conversation: the last message, which must be the user's, after all those before."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(default=MODEL, description=f"`{MODEL}`")
    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, description="1: there is one answer")
    user: str | None = Field(
        default=None, max_length=512, description="keeps conversations of several people apart; `thread:ID` names one"
    )

    def turn(self) -> str:
        """What the person says.

        Raises:
            HttpError: the last message is not the user's, is empty, or has parts that cannot be read.
        """
        last = self.messages[-1]
        if last.role != "user":
            raise HttpError(400, "invalid_request_error", "the last message must be the user's", param="messages")
        parts = last.content if isinstance(last.content, list) else []
        others = sorted({part.type for part in parts if part.type != "text"})
        if others:
            raise HttpError(
                400,
                "unsupported_content",
                f"content of type {', '.join(others)[:100]} cannot be read: say in words what to design",
                param="messages",
            )
        if not last.words().strip():
            raise HttpError(400, "invalid_request_error", "the last message is empty", param="messages")
        return last.words()


class Usage(BaseModel):
    """Tokens of the language model that the turn spent, as the records have them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Answer(BaseModel):
    """What is said."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


FinishReason = Literal["stop", "length"]


class Choice(BaseModel):
    """The one choice."""

    index: int = 0
    message: Answer
    logprobs: None = None
    finish_reason: FinishReason = Field(description="`length`: the work was stopped before its end")


class Told(BaseModel):
    """What OpenAI's form has no place for."""

    thread: str = Field(description="names the conversation in `X-Netwright-Thread`")
    kind: ReplyKind = Field(description="an answer, a question, a request for approval …")
    run: str | None = Field(default=None, description="the design on record")
    candidates: list[str] = Field(default_factory=list, description="ids of the networks shown")
    offers: list[str] = Field(default_factory=list, description="follow-ups that can be said word for word")
    approval: dict[str, Any] | None = None


class ChatCompletion(BaseModel):
    """An answer in OpenAI's form."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: None = None
    netwright: Told


class Model(BaseModel):
    """A model as OpenAI lists it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "netwright"


class ModelList(BaseModel):
    """The models."""

    object: Literal["list"] = "list"
    data: list[Model]
