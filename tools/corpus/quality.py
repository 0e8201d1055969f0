"""LEMUR's quality of a program's code: one number from how branched its functions are."""

from __future__ import annotations

import ast
from typing import Final

# LEMUR (ab/nn/util/CodeEval.py) starts from 100, takes 5 for a text that does not parse and 1 for each function whose
# cyclomatic complexity is above 10, and divides by 100.
_START: Final = 100
_UNPARSABLE: Final = 5
_MAX_COMPLEXITY: Final = 10
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def code_quality(source: str) -> float:
    """LEMUR's score of a source text, 0 to 1."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (_START - _UNPARSABLE) / 100
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    return max(0, _START - sum(complexity(one) > _MAX_COMPLEXITY for one in functions)) / 100


def complexity(function: _Function) -> int:
    """McCabe's number of a function: one and its decisions, without those of functions inside it."""
    count, left = 1, list(ast.iter_child_nodes(function))
    while left:
        node = left.pop()
        if isinstance(node, _Function | ast.ClassDef):
            continue
        if isinstance(node, _BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        left += ast.iter_child_nodes(node)
    return count
