"""The computation graph of one forward pass: torch's operators, what they are given, and which reads what.

Recorded below Python's own calls, where ``F.relu``, ``nn.ReLU`` and ``x.relu_()`` are one operator and names of
modules, variables and files do not exist. Views, copies and casts that change nothing are no nodes.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.utils._python_dispatch import TorchDispatchMode

MAX_NODES = 20_000
"""Of one graph; a longer forward pass has none."""
MAX_SECONDS = 10.0
_MAX_VALUES = 256
_SAME = frozenset(("alias", "lift_fresh", "clone", "contiguous", "_to_copy", "positive"))
_VIEWS = frozenset(("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "_reshape_alias", "flatten"))
_COMMUTATIVE = frozenset(("add", "mul", "maximum", "minimum", "eq", "ne", "logical_and", "logical_or"))
# Where and how values lie, not what they are.
_LAYOUT = frozenset(("device", "layout", "pin_memory", "memory_format", "generator", "non_blocking", "implicit"))


_TRACES = itertools.count()
_DTYPES: dict[torch.dtype, str] = {}
_OPERATORS: dict[Any, tuple[str, bool]] = {}


class NoGraph(Exception):
    """There is no graph of this forward pass; the message says why."""


class Edge(NamedTuple):
    """Reads output ``output`` of node ``node``."""

    node: int
    output: int


class Node(NamedTuple):
    """An operator with all it is given but tensors, or a value that comes from outside."""

    label: str
    inputs: tuple[Edge, ...]


def leaves(net: nn.Module) -> dict[int, str]:
    """What parameters and buffers are before any training: kind, shape, and the value where it is one for all.

    Values that all equal one another tell how a tensor is initialised, whatever was drawn before it.
    """
    found: dict[int, str] = {}
    for module in net.modules():
        for tensor in module._parameters.values():
            if tensor is not None and id(tensor) not in found and not isinstance(tensor, UninitializedParameter):
                found[id(tensor)] = f"parameter {_form(tensor)} {tensor.requires_grad} {_value(tensor)}"
        found |= {id(buffer): f"buffer {_form(buffer)}" for buffer in module._buffers.values() if buffer is not None}
    return found


def _value(tensor: torch.Tensor) -> str:
    flat = tensor.detach().reshape(-1)
    few = flat[:4].tolist()
    same = len(set(few)) == 1 and (len(flat) <= len(few) or bool((flat == few[0]).all()))
    return repr(few[0]) if same else "drawn"


class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operators that run while it is entered.

    Args:
        start: the input.
        known: of :func:`leaves`.
    """

    def __init__(self, start: torch.Tensor, known: dict[int, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self._known = known
        self._until = time.monotonic() + MAX_SECONDS
        self._writer: dict[int, int] = {}  # storage -> the node that wrote to it last, through whatever view
        self._mark = f"_netwright_node_{next(_TRACES)}"
        self._put(start, Edge(self._add(f"input {_form(start)}", ()), 0))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if len(self.nodes) >= MAX_NODES:
            raise NoGraph(f"more than {MAX_NODES} operators")
        if time.monotonic() > self._until:
            raise NoGraph(f"tracing took more than {MAX_SECONDS:g} seconds")
        edges: list[Edge] = []
        given = [self._told(value, edges) for value in args]
        given += [f"{key}={self._told(kwargs[key], edges)}" for key in sorted(kwargs) if key not in _LAYOUT]
        result = func(*args, **kwargs)
        self._record(func, edges, given, args, result)
        return result

    def edge(self, tensor: torch.Tensor) -> Edge:
        """What a tensor is an output of; a tensor from outside becomes a node."""
        edge: Edge | None = getattr(tensor, self._mark, None)
        if edge is None:
            edge = Edge(self._add(self._known.get(id(tensor)) or _constant(tensor), ()), 0)
            self._put(tensor, edge)
        last = self._writer.get(_storage(tensor), -1) if self._writer else -1
        if last > edge.node:  # somebody wrote to it through a view
            edge = Edge(self._add("written", (edge, Edge(last, 0))), 0)
            self._put(tensor, edge)
        return edge

    def _record(self, func: Any, edges: list[Edge], given: list[str], args: tuple[Any, ...], result: Any) -> None:
        name, mutable = _OPERATORS.get(func) or _operator(func)
        outputs = [result] if isinstance(result, torch.Tensor) else _results(result)
        first = args[0] if args and isinstance(args[0], torch.Tensor) else None
        alone = len(outputs) == 1 and len(edges) == 1
        if alone and first is not None and _form(outputs[0]) == _form(first) and (name in _SAME or name in _VIEWS):
            self._put(outputs[0], edges[0])
            return
        if name in _VIEWS:
            name, given = "view", []
        if "pool" in name and given[2:3] in ([], ["[]"]):
            given[2:3] = given[1:2]  # no stride is the size of the window
        if name in _COMMUTATIVE and len(edges) == 2:
            name, given = f"{name} of", [text for text in given if text != "*"]
        forms = " ".join(map(_form, outputs))
        node = self._add(f"{name}({', '.join(given)}) {forms}", tuple(edges))
        for at, tensor in enumerate(outputs):
            self._put(tensor, Edge(node, at))
        if mutable and first is not None:
            self._put(first, Edge(node, 0))
            self._writer[_storage(first)] = node

    def _told(self, value: Any, edges: list[Edge]) -> str:
        """An argument as text; tensors become edges and stand as a star."""
        if isinstance(value, torch.Tensor):
            edges.append(self.edge(value))
            return "*"
        if isinstance(value, list | tuple):
            return "[" + ",".join(self._told(one, edges) for one in value) + "]"
        if isinstance(value, bool | int | float | str | torch.dtype | None):
            return repr(value)
        return type(value).__name__

    def _add(self, label: str, inputs: tuple[Edge, ...]) -> int:
        self.nodes.append(Node(label, inputs))
        return len(self.nodes) - 1

    def _put(self, tensor: torch.Tensor, edge: Edge) -> None:
        setattr(tensor, self._mark, edge)


def _operator(func: Any) -> tuple[str, bool]:
    """The name of an operator, the same in place or not, and whether it writes to what it is given."""
    schema = func._schema
    name = schema.name.removeprefix("aten::")
    if name.endswith("_") and not name.startswith("_"):
        name = name[:-1]
    return _OPERATORS.setdefault(func, (name, schema.is_mutable))


def _results(result: Any) -> list[torch.Tensor]:
    return [tensor for tensor in _tensors((result,)) if isinstance(tensor, torch.Tensor)]


def is_commutative(label: str) -> bool:
    """Whether the order of a node's two inputs means nothing."""
    return label.partition("(")[0].endswith(" of")


def _constant(tensor: torch.Tensor) -> str:
    """A tensor that the forward pass made from Python's numbers, or kept outside parameters and buffers."""
    if tensor.numel() > _MAX_VALUES or tensor.is_sparse:
        return f"constant {_form(tensor)}"
    with torch.utils._python_dispatch._disable_current_modes():
        values = repr(tensor.detach().reshape(-1).tolist())
    return f"constant {_form(tensor)} {hashlib.blake2b(values.encode(), digest_size=8).hexdigest()}"


def _form(tensor: torch.Tensor) -> str:
    dtype = _DTYPES.get(tensor.dtype) or _DTYPES.setdefault(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    return f"{dtype}{[*tensor.shape]}"


def _storage(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):  # sparse and the like have none
        return 0


def _tensors(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _tensors(value)
        else:
            yield value
