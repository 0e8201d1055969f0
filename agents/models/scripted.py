"""A chat model that answers from a script: for tests, demonstrations and replays of recorded answers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from .batched import BatchedChatModel, Finish, Reply, Style, message_text


class ScriptExhausted(RuntimeError):
    """More answers were asked for than the script holds."""


class Answer(BaseModel):
    """One scripted answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish: Finish = "stop"


class Script(BaseModel):
    """Answers and how they are handed out.

    Attributes:
        order: ``sequence`` gives them one after the other, each once; ``seed`` picks each by the call's seed and
            the place in the batch, again and again, whatever was asked before (so a resumed run gets the same).
        style: what the model says of itself, see :class:`~netwright.agents.models.local.LocalChatModel`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: tuple[Answer, ...] = Field(min_length=1)
    order: Literal["sequence", "seed"] = "sequence"
    style: Style = "chat"


@dataclass(frozen=True)
class Call:
    """One conversation that a scripted model was asked to answer."""

    messages: tuple[BaseMessage, ...]
    seed: int | None
    position: int
    options: dict[str, Any]


AnswerFunction = Callable[[Sequence[BaseMessage], int | None, int], str]
"""``(messages, seed, position in the batch) -> answer``."""


class ScriptedChatModel(BatchedChatModel):
    """Answers from a :class:`Script` or a function. Tokens are counted as words between white space.

    Build it with :meth:`of`, :meth:`from_function` or :meth:`from_file`. ``calls`` lists what was asked.
    """

    script: Script | None = None
    function: AnswerFunction | None = Field(default=None, exclude=True)
    name: str | None = "scripted"
    seed: int | None = None

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _calls: list[Call] = PrivateAttr(default_factory=list)
    _used: int = PrivateAttr(default=0)

    @classmethod
    def of(
        cls,
        answers: Sequence[str | Answer],
        *,
        order: Literal["sequence", "seed"] = "sequence",
        style: Style = "chat",
    ) -> Self:
        """A model with these answers."""
        items = tuple(Answer(text=item) if isinstance(item, str) else item for item in answers)
        return cls(script=Script(answers=items, order=order, style=style))

    @classmethod
    def from_function(cls, function: AnswerFunction) -> Self:
        """A model that answers ``function(messages, seed, position in the batch)``."""
        return cls(function=function)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """A model with the answers of a YAML or JSON file.

        The file holds a list of answers, or a mapping with ``answers`` and optionally ``order`` and ``style``;
        an answer is a text or a mapping with ``text`` and ``finish``.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file holds something else.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no script at {path}; name a YAML or JSON file with a list of answers")
        try:
            held = yaml.safe_load(path.read_text(encoding="utf-8"))
            fields = dict(held) if isinstance(held, dict) else {"answers": held}
            if isinstance(fields.get("answers"), list):
                fields["answers"] = [{"text": a} if isinstance(a, str) else a for a in fields["answers"]]
            return cls(script=Script(**fields))
        except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not a script of answers: {error}") from error

    @property
    def _llm_type(self) -> str:
        return "netwright-scripted"

    @property
    def model_name(self) -> str:
        return self.name or "scripted"

    @property
    def style(self) -> Style:
        """The style the script names; ``chat`` for a function."""
        return self.script.style if self.script else "chat"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every conversation asked so far, in order."""
        return tuple(self._calls)

    def reply(self, conversations: list[list[BaseMessage]], **options: Any) -> list[Reply]:
        seed = options.get("seed", self.seed)
        with self._lock:
            asked = [
                Call(tuple(messages), seed, position, dict(options)) for position, messages in enumerate(conversations)
            ]
            self._calls.extend(asked)
            answers = [self._answer(call, len(asked)) for call in asked]
        return [
            Reply(
                text=answer.text,
                prompt_tokens=sum(len(message_text(message).split()) for message in call.messages),
                tokens=len(answer.text.split()),
                finish=answer.finish,
            )
            for call, answer in zip(asked, answers, strict=True)
        ]

    def _answer(self, call: Call, batch: int) -> Answer:
        if self.function is not None:
            return Answer(text=self.function(call.messages, call.seed, call.position))
        if self.script is None:
            raise ValueError("a scripted model needs a script or a function; build it with of() or from_file()")
        answers = self.script.answers
        if self.script.order == "seed":
            digest = hashlib.sha256(f"{call.seed or 0}/{call.position}".encode()).digest()
            return answers[int.from_bytes(digest[:7], "big") % len(answers)]
        if self._used == len(answers):
            raise ScriptExhausted(
                f"the script's {len(answers)} answers are used up, but answer {self._used + 1} was asked for "
                f"(conversation {call.position + 1} of {batch}); add answers or use order: seed"
            )
        self._used += 1
        return answers[self._used - 1]
