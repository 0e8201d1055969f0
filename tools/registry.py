"""One registry of tools that agents call: each is registered once and appears in LangChain, over MCP and over HTTP.

A tool is a function of one pydantic model (its arguments) and a :class:`Context`, which answers with another model.
Its name, its docstring and the two models are all that any of the ways in needs to know of it.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

A = TypeVar("A", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)

Kind = Literal["call", "job"]
"""``call``: answers within seconds, in the process that was asked. ``job``: may take minutes, so it can be submitted,
watched and cancelled, and runs in a process of its own."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,47}")


class ToolError(RuntimeError):
    """A tool cannot do what was asked; the message is for the model or person that asked, and says what to do."""


class Cancelled(ToolError):
    """Whoever asked for it has taken it back."""


class Arguments(BaseModel):
    """Base of a tool's arguments: unknown ones are errors, so that a misspelt argument is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Result(BaseModel):
    """Base of a tool's result."""

    model_config = ConfigDict(frozen=True)


Report = Callable[[float, float | None, str], None]
"""Progress: done so far, the whole if it is known, and what is being done."""


def no_report(done: float, total: float | None, message: str) -> None:
    """Tells nobody."""


@dataclass
class Context:
    """What a tool gets beside its arguments.

    Attributes:
        report: tells how far the work is.
        cancelled: set when the caller has taken the request back; long tools look at it at safe points.
        shared: what is opened once per process and kept (records, a warm sandbox), by whoever runs the tools.
    """

    shared: Any
    report: Report = no_report
    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """A safe point.

        Raises:
            Cancelled: the request was taken back.
        """
        if self.cancelled.is_set():
            raise Cancelled("cancelled by the caller")


@dataclass(frozen=True)
class Tool(Generic[A, R]):
    """A registered tool.

    Attributes:
        description: the function's docstring, written for a model that has to choose and call it.
        writes: it changes records or starts work; others only look.
        waits: it may wait for something else to happen and costs nothing meanwhile, so that it may not hold up others.
    """

    name: str
    title: str
    description: str
    arguments: type[A]
    result: type[R]
    function: Callable[[A, Context], R]
    kind: Kind
    writes: bool
    waits: bool = False

    def parse(self, given: dict[str, Any]) -> A:
        """Check arguments.

        Raises:
            ToolError: what is wrong with which argument, in one line.
        """
        try:
            return self.arguments.model_validate(given)
        except ValidationError as error:
            raise ToolError(f"{self.name}: {explain_invalid(error)}") from error

    def run(self, given: dict[str, Any], context: Context) -> R:
        """Check arguments and call the function.

        Raises:
            ToolError: invalid arguments, or the tool cannot do it.
        """
        return self.function(self.parse(given), context)


def explain_invalid(error: ValidationError) -> str:
    """One line for a model or a person: each wrong argument and why; values are not repeated, they may be long."""
    parts = (
        f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_input=False)
    )
    return "; ".join(parts)


def _is_model(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


class Registry:
    """Tools by name, in the order of their registration."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool[Any, Any]] = {}

    def tool(
        self, *, title: str, kind: Kind = "call", writes: bool = False, waits: bool = False, name: str | None = None
    ) -> Callable[[Callable[[A, Context], R]], Callable[[A, Context], R]]:
        """Register a function ``(arguments: A, context: Context) -> R`` under its own name.

        Raises:
            ValueError: the name is taken, or the function has no docstring or does not have this form.
        """

        def register(function: Callable[[A, Context], R]) -> Callable[[A, Context], R]:
            chosen = name or function.__name__
            hints, description = get_type_hints(function), inspect.getdoc(function)
            first = next(iter(inspect.signature(function).parameters), "")
            models: list[Any] = [m for m in (hints.get(first), hints.get("return")) if _is_model(m)]
            if not _NAME.fullmatch(chosen) or chosen in self._tools:
                raise ValueError(f"{chosen!r} cannot name a tool: it is taken, or no lower-case identifier")
            if not description or len(models) != 2:
                raise ValueError(f"{chosen}: a tool needs a docstring, a model of arguments and a model of results")
            arguments, result = models
            self._tools[chosen] = Tool(chosen, title, description, arguments, result, function, kind, writes, waits)
            return function

        return register

    def include(self, other: Registry) -> None:
        """Take over the tools of another registry.

        Raises:
            ValueError: a name is taken.
        """
        for tool in other:
            if tool.name in self._tools:
                raise ValueError(f"{tool.name!r} is in both registries")
            self._tools[tool.name] = tool

    def __getitem__(self, name: str) -> Tool[Any, Any]:
        """A tool by name.

        Raises:
            ToolError: there is none of that name.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise ToolError(f"no tool is called {name!r}; there are: {', '.join(self._tools)}") from None

    def __iter__(self) -> Iterator[Tool[Any, Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)
