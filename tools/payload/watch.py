"""Watches a network while it is built and run: where each module was made, which one is running, how many have run."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from . import candidate
    from .splice import Position
else:  # In the worker this is a top-level module.
    import candidate

MAX_FRAMES = 12
MAX_NAMES = 24
MAX_SIZE = 10**7
"""Largest whole number that is taken for a width."""


@dataclass(frozen=True)
class Frame:
    """One of the candidate's own functions at work.

    Attributes:
        function: its name.
        where: the expression that it is at; ``None`` where Python does not tell.
        line: its line.
        names: whole numbers by the names that they have there.
        scope: everything by the names that it has there.
    """

    function: str
    where: Position | None
    line: int
    names: dict[str, int]
    scope: dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A module that was called with a tensor of this shape."""

    module: nn.Module
    shape: tuple[int, ...]


@dataclass
class Watch:
    """Entered while a candidate is built and run in this process; what it saw stays afterwards.

    Attributes:
        births: by module id, the candidate's frames that were at work when it was made, innermost first.
        running: modules whose call has not come to its end, outermost first.
        last: the last module with weights that came to its end.
        done: module calls that came to their end.
    """

    births: dict[int, tuple[Frame, ...]] = field(default_factory=dict)
    running: list[Call] = field(default_factory=list)
    last: Call | None = None
    done: int = 0
    _kept: list[nn.Module] = field(default_factory=list)  # an id stays a module's own while the module lives
    _handles: list[RemovableHandle] = field(default_factory=list)
    _init: Any = None

    def __enter__(self) -> Self:
        self._init = original = nn.Module.__init__

        def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if id(module) not in self.births:
                self._kept.append(module)
                self.births[id(module)] = tuple(_outside(module, sys._getframe(1)))
            original(module, *args, **kwargs)

        setattr(nn.Module, "__init__", init)  # noqa: B010, an assignment is none that mypy lets through
        self._handles = [register_module_forward_pre_hook(self._begin), register_module_forward_hook(self._end)]
        return self

    def __exit__(self, *error: object) -> None:
        setattr(nn.Module, "__init__", self._init)  # noqa: B010
        for handle in self._handles:
            handle.remove()

    def path(self, net: nn.Module | None, module: nn.Module) -> str:
        """A module's qualified name in a network; empty where it has none."""
        named = net.named_modules() if net is not None and hasattr(net, "_modules") else ()
        return next((path for path, one in named if one is module), "")

    def _begin(self, module: nn.Module, args: Any) -> None:
        # Begun again: the call before it ended by an error that was caught, and so did those within it.
        again = next((place for place, call in enumerate(self.running) if call.module is module), None)
        if again is not None:
            del self.running[again:]
        first = args[0] if isinstance(args, tuple) and args else None
        self.running.append(Call(module, tuple(first.shape) if isinstance(first, torch.Tensor) else ()))

    def _end(self, module: nn.Module, args: Any, output: Any) -> None:
        while self.running:
            call = self.running.pop()
            if call.module is module:
                self.done += 1
                if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                    self.last = call
                return


def raised(error: BaseException) -> list[Frame]:
    """The candidate's frames through which an error came, innermost first."""
    frames: list[Frame] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == candidate.FILENAME:
            frames.append(_frame(trace.tb_frame, trace.tb_lasti, trace.tb_lineno))
        trace = trace.tb_next
    return frames[::-1][:MAX_FRAMES]


def innermost(error: BaseException) -> dict[str, Any]:
    """What the function knew that raised an error: of a layer of torch, the arguments it was made with."""
    trace, known = error.__traceback__, dict[str, Any]()
    while trace is not None:
        known = trace.tb_frame.f_locals
        trace = trace.tb_next
    return dict(known)


def _outside(module: nn.Module, frame: types.FrameType | None) -> Iterator[Frame]:
    """The candidate's frames around the making of a module, without its own ``__init__``."""
    count = 0
    while frame is not None and count < MAX_FRAMES:
        own = frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is module
        if frame.f_code.co_filename == candidate.FILENAME and not own:
            yield _frame(frame, frame.f_lasti, frame.f_lineno)
            count += 1
        frame = frame.f_back


def _frame(frame: types.FrameType, last: int, line: int | None) -> Frame:
    scope = dict(frame.f_locals)
    names = {
        name: value
        for name, value in scope.items()
        if type(value) is int and 0 < value <= MAX_SIZE and name.isidentifier()
    }
    return Frame(
        frame.f_code.co_name, _position(frame.f_code, last), line or 0, dict(list(names.items())[:MAX_NAMES]), scope
    )


def _position(code: types.CodeType, last: int) -> Position | None:
    places = list(code.co_positions())
    if not 0 <= last // 2 < len(places):
        return None
    first, end, begin, stop = places[last // 2]
    if first is None or end is None or begin is None or stop is None:
        return None
    return first, begin, end, stop
