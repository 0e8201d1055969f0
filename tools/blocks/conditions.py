"""What is known before anything runs: which branch of a module-level ``if`` or ``try`` a stand-alone file takes."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Final

PRESENT: Final = frozenset({"torch", "torchvision", "timm", "vision", "numpy", "scipy", "torch_fx", "torch_available"})
"""What ``is_<name>_available()`` at module level counts as there: torch, the sources themselves, and what is imported
with a fallback where it is missing."""
SOURCES: Final = ("timm", "torchvision", "transformers")
"""Packages whose code goes into the emitted files instead of being imported."""
_AVAILABLE: Final = re.compile(r"_?is_(\w+?)_(?:available|installed)$")


def known(test: ast.expr) -> bool | None:
    """The value of a condition, ``None`` where it is not known."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        value = known(test.operand)
        return None if value is None else not value
    if isinstance(test, ast.BoolOp):
        return _all_known(test)
    if isinstance(test, ast.Name | ast.Attribute):
        return False if (test.id if isinstance(test, ast.Name) else test.attr) == "TYPE_CHECKING" else None
    if isinstance(test, ast.Call):
        return _available(test)
    if isinstance(test, ast.Compare):
        return _compared(test)
    return None


def _all_known(test: ast.BoolOp) -> bool | None:
    values = [known(value) for value in test.values]
    decisive = isinstance(test.op, ast.Or)
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _available(test: ast.Call) -> bool | None:
    name = test.func.id if isinstance(test.func, ast.Name) else getattr(test.func, "attr", "")
    if name.startswith("is_torch_greater_or_equal"):
        return True
    if name.startswith("is_torch_less"):
        return False
    found = _AVAILABLE.match(name)
    if found is None:
        return None
    return found[1] in PRESENT


def _compared(test: ast.Compare) -> bool | None:
    """``sys.version_info >= (3, 11)`` and ``__name__ == "__main__"``."""
    left = ast.unparse(test.left)
    if len(test.ops) != 1:
        return None
    if left == "__name__":
        return isinstance(test.ops[0], ast.NotEq)
    if left != "sys.version_info":
        return None
    try:
        wanted = ast.literal_eval(test.comparators[0])
    except ValueError:
        return None
    if not isinstance(wanted, tuple):
        return None
    have = sys.version_info[: len(wanted)]
    operators = {ast.GtE: have >= wanted, ast.Gt: have > wanted, ast.Lt: have < wanted, ast.LtE: have <= wanted}
    return operators.get(type(test.ops[0]))


def imports_source(statements: list[ast.stmt]) -> bool:
    """Whether statements import, outside functions, from their own package or another source."""
    for statement in statements:
        for node in _outside_functions(statement):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in SOURCES):
                return True
            if isinstance(node, ast.Import) and any(alias.name.split(".")[0] in SOURCES for alias in node.names):
                return True
    return False


def imports_optional(statements: list[ast.stmt]) -> bool:
    """Whether statements import something that may not be there: neither torch nor of the standard library."""
    tops: list[str] = []
    for node in (inner for statement in statements for inner in _outside_functions(statement)):
        if isinstance(node, ast.ImportFrom):
            tops.append((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            tops.extend(alias.name.split(".")[0] for alias in node.names)
    return any(top not in ("torch", "numpy") and top not in sys.stdlib_module_names for top in tops)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _outside_functions(child)


def flattened(body: list[ast.stmt], rank: int = 0) -> Iterator[tuple[ast.stmt, int]]:
    """Statements at module level with their ranks: 0 where they run, 1 where only type checkers come or nobody.

    An ``if`` or ``try`` that cannot be decided is kept whole, unless it imports from a source: then its first branch
    counts, and the others stand in for what that does not find.
    """
    for statement in body:
        if isinstance(statement, ast.If):
            value = known(statement.test)
            if value is None and not imports_source([statement]):
                yield statement, rank
                continue
            first, second = (
                (statement.body, statement.orelse) if value is not False else (statement.orelse, statement.body)
            )
            yield from flattened(first, rank)
            yield from flattened(second, 1)
        elif isinstance(statement, ast.Try) and imports_source([statement]):
            handled = [inner for handler in statement.handlers for inner in handler.body]
            tried = [*statement.body, *statement.orelse]
            taken = imports_source(statement.body) or not imports_optional(statement.body)
            yield from flattened([*tried, *statement.finalbody], rank if taken else 1)
            yield from flattened(handled, 1 if taken else rank)
        else:
            yield statement, rank
