"""The structure of a network: its computation graph and how it trains itself, in one key.

Two networks of one graph that train in another way are two candidates, since a trial measures both together. The
graph comes from the sandbox; the set-up is read from the text: ``train_setup``, ``learn``,
``supported_hyperparameters`` and whatever functions of the file these name, without comments, docstrings and layout.
"""

from __future__ import annotations

import ast
import hashlib
import re
from functools import lru_cache
from typing import Any, Final

from ...memory.types import Verdict

_GRAPH: Final = re.compile(r"[0-9a-f]{32}")
_ROOTS: Final[tuple[str, ...]] = ("train_setup", "learn", "supported_hyperparameters")
# What every network has; the graph holds what they do.
_ELSEWHERE: Final = frozenset(("forward", "__init__"))


def structure_of(verdict: Verdict | None, source: str) -> str | None:
    """The structure of a validated network, ``None`` where its graph is not known."""
    return None if verdict is None or not verdict.ok else structure_key(verdict.figures.get("graph"), source)


def structure_key(graph: Any, source: str) -> str | None:
    """32 hex digits over a graph's fingerprint and the training set-up; ``None`` where either is missing.

    Args:
        graph: 32 hex digits, else there is no structure. It comes from a process that the candidate shares.
    """
    if not isinstance(graph, str) or not _GRAPH.fullmatch(graph):
        return None
    setup = training_text(source)
    return None if setup is None else hashlib.sha256(f"{graph}\n{setup}".encode("utf-8", "replace")).hexdigest()[:32]


@lru_cache(maxsize=4096)
def training_text(source: str) -> str | None:
    """The code by which a network trains itself, in one normal form; ``None`` for text that Python cannot parse."""
    try:
        tree = ast.parse(source)
        functions = _functions(tree)
        told = {name: ast.dump(_bare(functions[name])) for name in _reached(functions)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return "\n".join(told[name] for name in sorted(told))


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions of the file and methods of its classes, by name; of several the last, with ``Net``'s before all."""
    found: dict[str, ast.FunctionDef] = {}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for body in (
        *(c.body for c in classes if c.name != "Net"),
        tree.body,
        *(c.body for c in classes if c.name == "Net"),
    ):
        found |= {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    return {name: node for name, node in found.items() if name not in _ELSEWHERE}


def _reached(functions: dict[str, ast.FunctionDef]) -> set[str]:
    reached: set[str] = set()
    pending: list[str] = [name for name in _ROOTS if name in functions]
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        for node in ast.walk(functions[name]):
            called = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
            if called in functions:
                pending.append(called)
    return reached


def _bare(function: ast.FunctionDef) -> ast.FunctionDef:
    """Without docstring and annotations, which do nothing."""
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            first = node.body[0]
            if len(node.body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
        elif isinstance(node, ast.arg):
            node.annotation = None
    return function
