"""The layers of a network as its text defines them, read without running anything."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Final

_MOST_PARTS: Final = 200
_MOST_CHARS: Final = 200_000
_CONTAINERS: Final = frozenset({"Sequential", "ModuleList", "ModuleDict"})
_NO_LAYERS: Final = frozenset({"Parameter", "Sequential", "Size", "Tensor"})


@dataclass
class Part:
    """One box of the drawing.

    Attributes:
        kind: ``layer``; ``group``: parts one after another; ``repeat`` and ``either``: those of a loop or a condition.
        label: as the text has it.
        name: class of a layer.
    """

    kind: str
    label: str
    name: str = ""
    parts: list[Part] = field(default_factory=list)


@dataclass
class Drawn:
    """One class: its layers in the order of its text, and what its ``forward`` returns."""

    name: str
    parts: list[Part]
    forward: tuple[str, ...] = ()


def read_layers(source: str) -> list[Drawn]:
    """``Net`` and the classes of the same text that it uses; empty where the text cannot be read."""
    if len(source) > _MOST_CHARS:
        return []
    try:
        tree = ast.parse(source)
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        return [_class(classes[name], set(classes)) for name in _used(classes, "Net")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _used(classes: dict[str, ast.ClassDef], root: str) -> list[str]:
    """The classes that a class uses, itself first."""
    order = [root] if root in classes else []
    for name in order:  # grows while it is walked
        for node in ast.walk(classes[name]):
            if isinstance(node, ast.Name) and node.id in classes and node.id not in order:
                order.append(node.id)
    return order


def _class(node: ast.ClassDef, local: set[str]) -> Drawn:
    functions = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
    reader = _Reader(local)
    init, forward = functions.get("__init__"), functions.get("forward")
    parts = reader.statements(init.body) if init else []
    return Drawn(node.name, parts, _forward(forward) if forward else ())


def _forward(function: ast.FunctionDef) -> tuple[str, ...]:
    """The statements of ``forward``, one line each, shortened."""
    lines = [line for node in function.body for line in ast.unparse(node).splitlines()]
    shown = [line if len(line) <= 64 else f"{line[:63]}…" for line in lines if not line.strip().startswith(('"', "'"))]
    return tuple(shown[:14] + ([f"… {len(shown) - 14} more lines"] if len(shown) > 14 else []))


class _Reader:
    """Collects the layers of statements, as many as can be drawn."""

    def __init__(self, local: set[str]) -> None:
        self._local = local
        self._left = _MOST_PARTS

    def statements(self, body: list[ast.stmt]) -> list[Part]:
        return [part for node in body for part in self._statement(node)]

    def _statement(self, node: ast.stmt) -> list[Part]:
        if isinstance(node, ast.For | ast.While):
            head = ast.unparse(node.iter) if isinstance(node, ast.For) else ast.unparse(node.test)
            return self._around(
                "repeat", f"for each of {head}" if isinstance(node, ast.For) else f"while {head}", node.body
            )
        if isinstance(node, ast.If):
            condition = ast.unparse(node.test)
            return [
                *self._around("either", f"if {condition}", node.body),
                *self._around("either", f"unless {condition}", node.orelse),
            ]
        if isinstance(node, ast.With):
            return self.statements(node.body)
        value = getattr(node, "value", None)
        if not isinstance(value, ast.expr):
            return []
        found = self._expression(value)
        targets = node.targets if isinstance(node, ast.Assign) else []
        name = next((one.attr for one in targets if isinstance(one, ast.Attribute)), None)
        if not name or not found:
            return found
        if len(found) > 1:
            return [Part("group", name, parts=found)]
        found[0].label = f"{name}: {found[0].label}"
        return found

    def _around(self, kind: str, label: str, body: list[ast.stmt]) -> list[Part]:
        inside = self.statements(body)
        return [Part(kind, label, parts=inside)] if inside else []

    def _expression(self, node: ast.expr) -> list[Part]:
        """The layers in an expression, outermost first; what a layer gets as arguments is part of its label."""
        if self._left <= 0:
            return []
        if isinstance(node, ast.Call):
            name = _called(node)
            if name in _CONTAINERS:
                inside = [part for one in _arguments(node) for part in self._expression(one)]
                return [Part("group", name, name, inside)] if inside else []
            if name in self._local or (name[:1].isupper() and name not in _NO_LAYERS and not name.endswith("Loss")):
                self._left -= 1
                return [Part("layer", _short(node, name), name)]
        if isinstance(node, ast.IfExp):
            condition = ast.unparse(node.test)
            sides = ((f"if {condition}", node.body), (f"unless {condition}", node.orelse))
            found = [Part("either", label, parts=self._expression(side)) for label, side in sides]
            return [part for part in found if part.parts]
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.comprehension)]
        parts = [part for child in inner for part in self._expression(_value(child))]
        if isinstance(node, ast.ListComp | ast.GeneratorExp) and parts:
            return [Part("repeat", f"for each of {ast.unparse(node.generators[0].iter)}", parts=parts)]
        return parts


def _value(node: ast.expr | ast.comprehension) -> ast.expr:
    return node.iter if isinstance(node, ast.comprehension) else node


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(one.value for one in call.keywords)]


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _short(call: ast.Call, name: str) -> str:
    inside = ", ".join(ast.unparse(one) for one in [*call.args, *call.keywords])
    label = f"{name}({inside})"
    return label if len(label) <= 56 else f"{label[:55]}…"
