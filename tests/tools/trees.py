"""Mutants of syntax trees: programs that Python can read and that mean something else."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable

from hypothesis import strategies as st

from .mutants import KINDS, PROGRAMS, Input

_VALUES = (0, 1, -1, 2, 3, 7, 1000, 10**5, 10**9, 2**63, 10**30, 0.0, 1e300, 1j, True, None, ..., "", "x" * 9, b"x")
_OPERATORS: tuple[ast.operator, ...] = (
    *(ast.Add(), ast.Sub(), ast.Mult(), ast.Div(), ast.FloorDiv(), ast.Mod(), ast.Pow(), ast.LShift(), ast.MatMult()),
)
_LAYERS = ("Conv2d", "Linear", "BatchNorm2d", "LayerNorm", "MaxPool2d", "LSTM", "Transformer", "LazyLinear", "Upsample")
_WRAPPERS: tuple[Callable[[ast.expr], ast.expr], ...] = (
    lambda inner: ast.Call(inner, [], []),
    lambda inner: ast.Subscript(inner, ast.Constant(0)),
    lambda inner: ast.Tuple([inner, copy.deepcopy(inner)]),
    lambda inner: ast.List([ast.Starred(inner)]),
    lambda inner: ast.Lambda(ast.arguments([], [], None, [], [], None, []), inner),
    lambda inner: ast.Yield(inner),
    lambda inner: ast.Await(inner),
    lambda inner: ast.UnaryOp(ast.USub(), inner),
    lambda inner: ast.Attribute(inner, "data"),
    lambda inner: ast.Compare(inner, [ast.Lt()], [copy.deepcopy(inner)]),
    lambda inner: ast.NamedExpr(ast.Name("x"), inner),
    lambda inner: ast.JoinedStr([ast.FormattedValue(inner, -1)]),
)
_ENDLESS = ast.While(ast.Constant(True), [ast.Pass()], [])
_Place = tuple[ast.AST, str, int | None]


def _places(tree: ast.AST, kind: type[ast.AST]) -> list[_Place]:
    """Where nodes of a kind hang: parent, field and, in a list, position."""
    found: list[_Place] = []
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, kind):
                found.append((parent, name, None))
            elif isinstance(value, list):
                found += [(parent, name, i) for i, item in enumerate(value) if isinstance(item, kind)]
    return found


def _get(place: _Place) -> ast.AST:
    parent, name, at = place
    value = getattr(parent, name)
    node = value if at is None else value[at]
    assert isinstance(node, ast.AST)
    return node


def _put(place: _Place, node: ast.AST) -> None:
    parent, name, at = place
    if at is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[at] = node


def _statement(tree: ast.Module, what: int, first: int, second: int) -> None:
    """Delete, double, move or replace a statement."""
    places = _places(tree, ast.stmt)
    if not places:
        return
    here, there = places[first % len(places)], places[second % len(places)]
    node = copy.deepcopy(_get(there))
    if what % 4 == 0:
        _put(here, ast.Pass())
    elif what % 4 == 1:
        _put(here, node)
    elif what % 4 == 2:
        parent, name, at = here
        getattr(parent, name).insert(at, node)
    else:
        _put(here, ast.Return(None) if second % 16 else copy.deepcopy(_ENDLESS))


def _expression(tree: ast.Module, what: int, first: int, second: int) -> None:
    """Replace an expression by another one of the program, or wrap it."""
    places = _places(tree, ast.expr)
    if not places:
        return
    here = places[first % len(places)]
    node = copy.deepcopy(_get(places[second % len(places)]))
    if what % 2 and isinstance(node, ast.expr):
        node = _WRAPPERS[second % len(_WRAPPERS)](copy.deepcopy(node))
    _put(here, node)


def _value(tree: ast.Module, what: int, first: int, second: int) -> None:
    """Replace a constant, an operator or the name of a layer."""
    if what % 3 == 0:
        places, node = _places(tree, ast.Constant), ast.Constant(_VALUES[second % len(_VALUES)])
    elif what % 3 == 1:
        places, node = _places(tree, ast.operator), _OPERATORS[second % len(_OPERATORS)]  # type: ignore[assignment]
    else:
        places = _places(tree, ast.Attribute)
        node = ast.Attribute(ast.Name("nn"), _LAYERS[second % len(_LAYERS)])  # type: ignore[assignment]
    if places:
        _put(places[first % len(places)], node)


def _arguments(tree: ast.Module, what: int, first: int, second: int) -> None:
    """Take an argument away from a call, give it twice, or change the order."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    if not calls:
        return
    arguments = calls[first % len(calls)].args
    at = second % len(arguments)
    if what % 3 == 0:
        del arguments[at]
    elif what % 3 == 1:
        arguments.insert(at, copy.deepcopy(arguments[at]))
    else:
        arguments.reverse()


CHANGES = (_statement, _expression, _value, _arguments)


def change(program: str, recipe: list[tuple[int, int, int]]) -> str:
    """A program after some changes of its tree, written out again."""
    tree = ast.parse(program)
    for what, first, second in recipe:
        CHANGES[what % len(CHANGES)](tree, what // len(CHANGES), first, second)
    return ast.unparse(tree)


_NUMBERS = st.integers(0, 1 << 16)
changed = st.builds(
    change, st.sampled_from(PROGRAMS), st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), min_size=1, max_size=4)
)


def inputs() -> st.SearchStrategy[Input]:
    """Inputs of all kinds in their shares."""
    kinds = {**KINDS, "tree": (100 - sum(share for share, _ in KINDS.values()), changed)}
    names = [name for name, (share, _) in kinds.items() for _ in range(share)]

    def of_kind(name: str) -> st.SearchStrategy[Input]:
        return st.builds(Input, st.just(name), kinds[name][1])

    return st.sampled_from(names).flatmap(of_kind)
