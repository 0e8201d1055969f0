"""Edits for shapes that do not go together: groups and heads, reshapes, sums, maps that are too small."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from . import watch
    from .fault import Fault
    from .splice import Edit, Program, argument, called
else:  # In the worker these are top-level modules.
    import watch
    from fault import Fault
    from splice import Edit, Program, argument, called

# What torch says of a number that must divide others; the arguments that it may be, with their place, and the others.
_DIVISORS: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    (r"num_channels\b.* must be divisible by num_groups", "num_groups", 0, ("num_channels",)),
    (r"embed_dim\b.* must be divisible by num_heads", "num_heads", 1, ("embed_dim",)),
    (r"embed_dim\b.* must be divisible by num_heads", "nhead", 1, ("embed_dim",)),
    (r"_channels\b.* must be divisible by groups", "groups", 6, ("in_channels", "out_channels")),
)
_TOO_SMALL = re.compile(
    r"kernel size can't be greater than actual input size|output size is too small|Output size is too small", re.I
)
_ONE_VALUE = re.compile(r"Expected more than 1 (value per channel|spatial element)")
_DIMENSIONS = re.compile(r"expected (2D or 3D|3D|4D|5D|4D or 5D)[^\n]{0,40}input", re.I)
_NORMS = {"BatchNorm1d": "BatchNorm2d", "BatchNorm2d": "BatchNorm1d"}


def shape_edits(fault: Fault, program: Program) -> Iterator[Edit]:
    """Ways to make shapes fit that are no layer's width."""
    yield from _divisors(fault, program)
    yield from _reshapes(fault, program)
    yield from _parameters(fault, program)
    yield from _layers(fault, program)
    yield from _sums(fault, program)


def _divisors(fault: Fault, program: Program) -> Iterator[Edit]:
    call = _call(fault, program)
    known = watch.innermost(fault.error) if fault.error is not None else {}
    for words, name, place, others in _DIVISORS:
        if call is None or re.search(words, fault.message) is None:
            continue
        given = argument(call, name, place)
        sizes = [known.get(other) for other in others]
        was = known.get(name, known.get("num_heads"))
        if given is None or not isinstance(was, int) or not all(isinstance(size, int) for size in sizes):
            continue
        for cost, now in enumerate(_divisor(was, sizes), 1):
            source = program.replaced([(given, str(now))])
            yield Edit(
                source, "divisor", call.lineno, f"{called(call)} {name}", program.text(given)[:80], str(now), cost
            )


def _divisor(was: int, sizes: list[Any]) -> list[int]:
    """The largest divisor of all sizes that is not above what was given, and one."""
    fitting = (n for n in range(min(was, *sizes), 0, -1) if all(size % n == 0 for size in sizes))
    return sorted({next(fitting, 1), 1}, reverse=True)


def _reshapes(fault: Fault, program: Program) -> Iterator[Edit]:
    call = _call(fault, program)
    if call is None or not isinstance(call.func, ast.Attribute) or called(call) not in ("view", "reshape"):
        return
    owner, was = program.text(call.func.value), program.text(call)
    if "view size is not compatible" in fault.message:
        yield Edit(program.replaced([(call, was.replace(".view(", ".reshape(", 1))]), "reshape", call.lineno,
                   "view", "view", "reshape", 1)  # fmt: skip
    if "is invalid for input of size" not in fault.message:
        return
    for n in range(len(call.args) - 1, -1, -1):
        texts = [program.text(one) for one in call.args]
        texts[n] = "-1"
        now = f"{owner}.reshape({', '.join(texts)})"
        yield Edit(program.replaced([(call, now)]), "reshape", call.lineno, called(call), was[:80], now, 2)
    now = f"{owner}.flatten(1)"
    yield Edit(program.replaced([(call, now)]), "reshape", call.lineno, called(call), was[:80], now, 3)


def _parameters(fault: Fault, program: Program) -> Iterator[Edit]:
    """A parameter of its own, a position embedding for example, that does not fit to what it is added to."""
    sizes = re.search(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", fault.message)
    if sizes is None or not fault.frames or not fault.frames[0].where:
        return
    frame, node = fault.frames[0], program.at(fault.frames[0].where)
    own = frame.scope.get("self")
    for used in ast.walk(node) if node is not None and isinstance(own, nn.Module) else ():
        if not (isinstance(used, ast.Attribute) and isinstance(used.value, ast.Name) and used.value.id == "self"):
            continue
        value = own.__dict__.get("_parameters", {}).get(used.attr)
        made = _assigned(program, program.class_of(used), used.attr)
        if value is None or made is None:
            continue
        numbers = {int(size) for size in sizes.groups()}
        for inner in (one for one in ast.walk(made) if isinstance(one, ast.Call) and len(one.args) == value.dim()):
            for size, given in zip(value.shape, inner.args, strict=True):
                for now in (numbers - {int(size)}) if int(size) in numbers else ():
                    source = program.replaced([(given, str(now))])
                    yield Edit(source, "parameter", given.lineno, used.attr, program.text(given)[:80], str(now), 2)


def _assigned(program: Program, owner: ast.ClassDef | None, name: str) -> ast.expr | None:
    """What ``self.<name>`` is assigned in a class."""
    for node in ast.walk(owner) if owner is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr == name and program.text(target.value) == "self":
                    return node.value
    return None


def _layers(fault: Fault, program: Program) -> Iterator[Edit]:
    """A layer that is left out, padded, or of the wrong number of dimensions."""
    inner = fault.seen.running[-1].module if fault.seen.running else None
    frames = fault.seen.births.get(id(inner), ()) if inner is not None else ()
    call = program.at(frames[0].where, ast.Call) if frames and frames[0].where else None
    if inner is None or not isinstance(call, ast.Call):
        return
    kind, was = type(inner).__name__, program.text(call)
    if _TOO_SMALL.search(fault.message):
        if isinstance(inner, nn.Conv2d):
            padding = ", ".join((was[:-1].rstrip().rstrip(","), f"padding={max(inner.kernel_size) // 2}"))
            if argument(call, "padding", 4) is None:
                yield Edit(program.replaced([(call, f"{padding})")]), "padding", call.lineno, kind, "", "padding", 1)
        elif not isinstance(inner, nn.Sequential):
            yield Edit(program.replaced([(call, "nn.Identity()")]), "identity", call.lineno, kind, was[:80], "", 2)
    if _ONE_VALUE.search(fault.message):
        yield Edit(program.replaced([(call, "nn.Identity()")]), "identity", call.lineno, kind, was[:80], "", 2)
    if _DIMENSIONS.search(fault.message) and kind in _NORMS:
        source = program.replaced([(call.func, program.text(call.func).replace(kind, _NORMS[kind]))])
        yield Edit(source, "dimensions", call.lineno, kind, kind, _NORMS[kind], 1)


def _sums(fault: Fault, program: Program) -> Iterator[Edit]:
    """A sum of two maps of different form: the one that was worked on is kept alone."""
    if "must match the size of tensor" not in fault.message or not fault.frames or not fault.frames[0].where:
        return
    node = program.at(fault.frames[0].where, ast.BinOp)
    if isinstance(node, ast.BinOp):
        for cost, side in enumerate((node.right, node.left), 7):
            if isinstance(side, ast.Call):
                was, now = program.text(node), program.text(side)
                yield Edit(program.replaced([(node, now)]), "sum", node.lineno, "", was[:80], now[:80], cost)


def _call(fault: Fault, program: Program) -> ast.Call | None:
    """The call at which the candidate's own code was."""
    where = fault.frames[0].where if fault.frames else None
    node = program.at(where, ast.Call) if where else None
    return node if isinstance(node, ast.Call) else None
