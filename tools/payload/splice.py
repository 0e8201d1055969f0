"""A program's text with its syntax tree: finds the expression that an instruction came from, and replaces text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Position = tuple[int, int, int, int]
"""First line, first byte, last line, byte after the end: as ``ast`` and ``co_positions`` tell them."""


@dataclass(frozen=True)
class Edit:
    """A changed text and what was changed, for the words that are made of it.

    Attributes:
        source: the whole changed text.
        rule: name of the rule that made it.
        line: where it changes, from 1.
        what: what is changed: a layer's class, a name.
        was, now: the snippet before and after.
        cost: how far it departs from what was written; the less, the earlier it is tried.
    """

    source: str
    rule: str
    line: int
    what: str = ""
    was: str = ""
    now: str = ""
    cost: int = 0


@dataclass
class Program:
    """A text and its tree.

    Args:
        source: text that parses.
    """

    source: str
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False, default_factory=dict)
    _lines: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)
        # Lines as Python's parser counts them: form feeds and the like end none.
        self._lines = self.source.encode().replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node

    def text(self, node: ast.AST) -> str:
        """The node's text as it stands."""
        first, begin, last, end = position(node)
        lines = self._lines[first - 1 : last]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][begin:]
        return b"\n".join(lines).decode()

    def at(self, where: Position, kind: type[ast.AST] | tuple[type[ast.AST], ...] = ast.AST) -> ast.AST | None:
        """The node of a kind with exactly this position; the innermost, if several have it."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, kind) and position(node) == where]
        return found[-1] if found else None

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the nearest."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: ast.AST) -> ast.FunctionDef | None:
        """The function that a node is in."""
        return next((one for one in self.above(node) if isinstance(one, ast.FunctionDef)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class that a node is in."""
        return next((one for one in self.above(node) if isinstance(one, ast.ClassDef)), None)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The statement that a node is part of, or is."""
        return next((one for one in (node, *self.above(node)) if isinstance(one, ast.stmt)), None)

    def class_named(self, name: str) -> ast.ClassDef | None:
        """A class at the top of the file."""
        return next((one for one in self.tree.body if isinstance(one, ast.ClassDef) and one.name == name), None)

    def method(self, owner: ast.ClassDef | None, name: str) -> ast.FunctionDef | None:
        """A method that a class defines itself."""
        body = owner.body if owner is not None else []
        return next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == name), None)

    def replaced(self, changes: Iterable[tuple[ast.AST | Position, str]]) -> str:
        """The text with nodes or positions, which do not overlap, replaced."""
        lines = list(self._lines)
        placed = [(node if isinstance(node, tuple) else position(node), new) for node, new in changes]
        for (first, begin, last, end), new in sorted(placed, reverse=True):
            head, tail = lines[first - 1][:begin], lines[last - 1][end:]
            lines[first - 1 : last] = (head + new.encode() + tail).split(b"\n")
        return b"\n".join(lines).decode()

    def without(self, statement: ast.stmt) -> str:
        """The text without a statement; ``pass`` in its place where a block would be empty."""
        return self.replaced([(statement, "pass" if self._alone(statement) else self._nothing(statement))])

    def after(self, statement: ast.stmt, new: str) -> str:
        """The text with lines after a statement, indented as it is."""
        last, end = statement.end_lineno or statement.lineno, statement.end_col_offset or 0
        return self.replaced([((last, end, last, end), self._lined(new, statement.col_offset, leading=True))])

    def before(self, statement: ast.stmt, new: str) -> str:
        """The text with lines before a statement, indented as it is."""
        first, begin = statement.lineno, statement.col_offset
        decorated = getattr(statement, "decorator_list", [])
        if decorated:
            first = decorated[0].lineno
        return self.replaced([((first, begin, first, begin), self._lined(new, begin, leading=False))])

    def _alone(self, statement: ast.stmt) -> bool:
        parent = self.parents[statement]
        return any(len(getattr(parent, name, [])) == 1 and statement in getattr(parent, name) for name in _BLOCKS)

    def _nothing(self, statement: ast.stmt) -> str:
        """An expression without effect, where a statement shares its line with another."""
        line = self._lines[statement.lineno - 1]
        return "pass" if b";" in line else ""

    @staticmethod
    def _lined(new: str, indent: int, *, leading: bool) -> str:
        blank = "\n" + " " * indent
        return blank + new.replace("\n", blank) if leading else new.replace("\n", blank) + blank


_BLOCKS = ("body", "orelse", "finalbody")


def position(node: ast.AST) -> Position:
    """Where a node stands."""
    first, begin = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return first, begin, getattr(node, "end_lineno", None) or first, getattr(node, "end_col_offset", None) or begin


def argument(call: ast.Call, name: str, place: int) -> ast.expr | None:
    """The argument of a call by its name or place; ``None`` where it is not given in so many words."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    before = call.args[: place + 1]
    if len(before) <= place or any(isinstance(one, ast.Starred) for one in before):
        return None
    return before[place]


def called(call: ast.Call) -> str:
    """The last part of the name of what is called: ``Conv2d`` of ``nn.Conv2d(…)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
