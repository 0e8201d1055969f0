"""Scopes for the checker of undefined names, and what statements bind in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal, Self

ScopeKind = Literal["module", "function", "class", "comprehension", "handler", "types"]


class Scope:
    """One scope: what is bound in it, and the scope around it.

    Beside Python's own there are two: ``handler``, which holds the name of ``except … as name`` and nothing else,
    and ``types``, which holds type parameters.

    Attributes:
        bound: names bound at run time.
        typed: names bound for type checkers alone.
        globals: names that ``global`` sends to the module.
    """

    def __init__(self, kind: ScopeKind, outer: Self | None, bound: set[str] | None = None) -> None:
        self.kind = kind
        self.outer = outer
        self.bound = set() if bound is None else bound
        self.typed: set[str] = set()
        self.globals: set[str] = set()

    def bind(self, name: str, typing: bool) -> None:
        """Bind a name where a statement in this scope binds it."""
        scope = self if name in self.bound else self.without("handler")
        (scope.typed if typing else scope.bound).add(name)

    def without(self, kind: ScopeKind) -> Scope:
        """This scope, or the nearest around it that is not of a kind."""
        scope: Scope = self
        while scope.kind == kind and scope.outer is not None:
            scope = scope.outer
        return scope

    def send_globals(self) -> None:
        """Give the module what ``global`` says is bound there; once all bindings are known."""
        for names, target in ((self.bound, self.module().bound), (self.typed, self.module().typed)):
            target |= names & self.globals
            names -= self.globals

    def lookup(self, name: str, typing: bool) -> Scope | None:
        """The scope in which a use here finds a name."""
        direct = True  # a class shows its names to its own body only
        for scope in self._outwards():
            if name in scope.globals:
                return self.module().lookup(name, typing) if scope.outer is not None else None
            if (scope.kind != "class" or direct) and (name in scope.bound or (typing and name in scope.typed)):
                return scope
            direct = direct and scope.kind in ("handler", "types")
        return None

    def module(self) -> Scope:
        """The outermost scope."""
        return list(self._outwards())[-1]

    def deferred(self) -> bool:
        """Whether code here runs in a function, possibly after the module was read."""
        return any(scope.kind == "function" for scope in self._outwards())

    def in_method(self) -> bool:
        """Whether ``__class__`` is known here: in a function within a class."""
        return self.deferred() and any(scope.kind == "class" for scope in self._outwards())

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def bound_by_import(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Names that an import statement binds; ``*`` for a star import."""
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return [alias.asname or alias.name for alias in node.names]


def bound_by_pattern(node: ast.MatchAs | ast.MatchStar | ast.MatchMapping) -> str | None:
    """The name that a pattern binds itself."""
    return node.rest if isinstance(node, ast.MatchMapping) else node.name


def deleted_at_the_end(tree: ast.Module) -> set[str]:
    """Names that a ``del`` of the module's own level took away and nothing after it brought back."""
    gone: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Delete):
            gone |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        elif gone:
            gone -= _bound_anywhere(statement)
    return gone


def exported(tree: ast.Module) -> list[tuple[str, int]]:
    """The names, with lines, that ``__all__`` lists as text."""
    found: list[tuple[str, int]] = []
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AugAssign):
            targets, value = [statement.target], statement.value
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            lists = [each for each in ast.walk(value) if isinstance(each, ast.List | ast.Tuple)]
            constants = [each for part in lists for each in part.elts if isinstance(each, ast.Constant)]
            found += [(each.value, each.lineno) for each in constants if isinstance(each.value, str)]
    return found


def _bound_anywhere(statement: ast.stmt) -> set[str]:
    """Generous: names that a statement may bind, those of scopes within it too."""
    names: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(bound_by_import(node))
    return names
