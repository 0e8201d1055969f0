"""Which networks can be shown to a language model as targets: those with every part of the contract, in their text.

Read as text, never run. *From Memorization to Creativity*, appendix B: records were dropped for missing interface
components: absent ``forward``, constructors that cannot be called, malformed metadata.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

MAX_CHARS: Final = 256 * 1024
_METHODS: Final = ("__init__", "forward", "train_setup", "learn")
_MODULES: Final = frozenset({"nn.Module", "torch.nn.Module", "Module"})
_SHAPES_AND_PRM, _WITH_DEVICE = 3, 4  # Net(in_shape, out_shape, prm[, device])


def code_fault(code: str) -> str | None:
    """Why a program is no target, in words that many programs share; ``None`` if it is one."""
    if not code.strip():
        return "no code"
    if len(code) > MAX_CHARS:
        return f"code longer than {MAX_CHARS:,} characters"
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "code that does not parse"
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    if "Net" not in classes:
        return "no class Net"
    lineage = list(_lineage(classes["Net"], classes))
    if not any(_is_module(one) for one in lineage):
        return "a class Net that is no nn.Module of this file"
    methods = {node.name: node for one in reversed(lineage) for node in one.body if isinstance(node, ast.FunctionDef)}
    missing = next((name for name in _METHODS if name not in methods), None)
    if missing is not None:
        return f"no {missing}"
    if not _takes(methods["__init__"], _SHAPES_AND_PRM, _WITH_DEVICE):
        return "a constructor that does not take (in_shape, out_shape, prm, device)"
    if not _takes(methods["forward"], 1, 1):
        return "a forward that does not take one input"
    if not any(isinstance(node, ast.FunctionDef) and node.name == "supported_hyperparameters" for node in body):
        return "no supported_hyperparameters"
    return None


def record_fault(accuracy: object, prm: object) -> str | None:
    """Why what is recorded of a network is malformed; ``None`` if it is not."""
    if not isinstance(accuracy, int | float) or isinstance(accuracy, bool) or not 0.0 <= accuracy <= 1.0:
        return "an accuracy that is no share"
    if not isinstance(prm, Mapping) or not prm:
        return "no hyperparameters"
    bad = any(isinstance(value, float) and not math.isfinite(value) for value in prm.values())
    return "a hyperparameter that is not finite" if bad else None


def _lineage(net: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """The class and its bases as far as they are in the file, nearest first."""
    seen: set[str] = set()
    pending = [net]
    while pending:
        one = pending.pop(0)
        if one.name not in seen:
            seen.add(one.name)
            yield one
            pending += [classes[base.id] for base in one.bases if isinstance(base, ast.Name) and base.id in classes]


def _is_module(one: ast.ClassDef) -> bool:
    return any(_dotted(base) in _MODULES for base in one.bases)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _takes(method: ast.FunctionDef, least: int, most: int) -> bool:
    """Whether a method can be called with ``least`` up to ``most`` arguments, of which it uses ``least``."""
    a: Any = method.args
    placed = len(a.posonlyargs) + len(a.args) - 1  # without self
    needed = placed - len(a.defaults)
    keywords = any(default is None for default in a.kw_defaults)
    return needed <= most and (placed >= least or a.vararg is not None) and not keywords
