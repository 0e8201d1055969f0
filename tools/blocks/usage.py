"""Which of the blocks that a program's prompt showed does the program use?"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import Final

from ...memory.block_types import Block
from .digest import class_source

ALIKE: Final = 0.6
"""Share of equal lines from which on a class of a block's name is that block, changed a little: many blocks have plain
names (``Block``, ``Mlp``), so that the name alone proves nothing."""


def used_blocks(source: str, blocks: Iterable[Block]) -> tuple[str, ...]:
    """Ids of the blocks that a program uses, in the order in which they were shown.

    A block is used where the program builds or inherits from

    * a class that it defines with the block's own text, up to layout, comments, docstrings and the class's name, or
    * a class of the block's name that is near to the block's text (:data:`ALIKE`), or that it does not define itself.

    A text that is no Python uses none.
    """
    tree = _parsed(source)
    if tree is None:
        return ()
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    named = _built(tree)
    plain = {_plain(node): name for name, node in sorted(classes.items()) if name in named}
    found: list[str] = []
    for block in blocks:
        own = _parsed(class_source(block))
        if own is None or not own.body or not isinstance(own.body[0], ast.ClassDef):
            continue
        text = _plain(own.body[0])
        if text in plain or (block.name in named and _near(text, classes.get(block.name))):
            found.append(block.id)
    return tuple(dict.fromkeys(found))


def _near(text: str, defined: ast.ClassDef | None) -> bool:
    if defined is None:
        return True
    matcher = difflib.SequenceMatcher(None, text.splitlines(), _plain(defined).splitlines(), autojunk=False)
    return matcher.ratio() >= ALIKE


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _built(tree: ast.Module) -> set[str]:
    """Names that are called, inherited from or passed on: everything but where a class is defined or annotates."""
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(part, ast.AST)
        for inner in ast.walk(part)
    }
    names: set[str] = set()
    for top in tree.body:
        inside = {top.name} if isinstance(top, ast.ClassDef) else set()
        for node in ast.walk(top):
            if id(node) in annotations:
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in inside:
                names.add(node.id)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                names.add(node.func.attr)
    return names


def _plain(node: ast.ClassDef) -> str:
    """A class without its name, its docstrings and its layout, one statement per line."""
    copy = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(copy):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(inner):
            inner.body = inner.body[1:] or [ast.Pass()]
    assert isinstance(copy, ast.ClassDef)
    own, copy.name = copy.name, "_"
    for inner in ast.walk(copy):
        if isinstance(inner, ast.Name) and inner.id == own:
            inner.id = "_"
    return ast.unparse(copy)
