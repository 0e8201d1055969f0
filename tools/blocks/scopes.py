"""Which names lead out of a statement? Python's scopes (local, enclosing, global, builtin) over the ``ast``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Scope:
    """A function, class or comprehension.

    Attributes:
        bound: names bound anywhere in it (of a class: so far, because its body runs from top to bottom).
        outside: names declared ``global``.
        imports: numbers of the imports that alone bind a name here.
    """

    kind: Literal["function", "class", "comprehension"]
    parent: Scope | None
    bound: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    enclosing: set[str] = field(default_factory=set)
    imports: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> Scope | Literal["module"]:
        """The scope that a name read here belongs to."""
        scope: Scope | None = self
        while scope is not None:
            if scope.kind != "class" or scope is self:
                if name in scope.outside:
                    return "module"
                if name in scope.bound and name not in scope.enclosing:
                    return scope
            scope = scope.parent
        return "module"


def within(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of one scope: nested scopes are yielded, and of them only what runs outside."""
    pending = list(body)
    pending.reverse()
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, _COMPREHENSIONS):
            pending.extend(inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(node.decorator_list)
            pending.extend(default for default in (*node.args.defaults, *node.args.kw_defaults) if default)
        elif isinstance(node, ast.ClassDef):
            pending.extend((*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)))
        elif isinstance(node, ast.Lambda):
            pending.extend(default for default in (*node.args.defaults, *node.args.kw_defaults) if default)
        else:
            pending.extend(ast.iter_child_nodes(node))


def names_bound(node: ast.AST) -> list[str]:
    """What one node binds by itself, imports left out."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    if isinstance(node, ast.MatchMapping):
        return [node.rest] if node.rest else []
    return []


def import_names(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str, int, str]]:
    """``(bound name, module, level, attribute)`` of each alias; no attribute: the module itself, or its root."""
    found = []
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            found.append((alias.asname or alias.name, node.module or "", node.level, alias.name))
        elif alias.asname:
            found.append((alias.asname, alias.name, 0, ""))
        else:
            found.append((alias.name.partition(".")[0], alias.name, 0, "."))
    return found


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters of a function."""
    extra = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]
