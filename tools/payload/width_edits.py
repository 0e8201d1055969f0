"""Edits for a layer whose input has another width than it was made for."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from .fault import Fault, Mismatch
    from .splice import Edit, Program, argument, called, position
    from .watch import Frame
else:  # In the worker these are top-level modules.
    from fault import Fault, Mismatch
    from splice import Edit, Program, argument, called, position
    from watch import Frame

_SNIPPET = 80


def width_edits(fault: Fault, program: Program) -> Iterator[Edit]:
    """Ways to make the failing layer, the one that is given its width, or the output fit."""
    wrong = fault.mismatch()
    if wrong is not None:
        yield from _flattened(fault, program, wrong)
        frames = fault.seen.births.get(id(wrong.module), ())
        yield from _sized(program, frames, wrong.kind, wrong.argument, wrong.place, wrong.found)
    yield from _outputs(fault, program)


def _sized(
    program: Program, frames: tuple[Frame, ...], kind: str, name: str, place: int, wanted: int
) -> Iterator[Edit]:
    """The layer made with the wanted width: in its own call, by the variable, or in the call of its block."""
    at = next((n for n, frame in enumerate(frames) if isinstance(_call(program, frame), ast.Call)), None)
    call = _call(program, frames[at]) if at is not None else None
    if at is None or call is None:
        return
    frame, given = frames[at], argument(call, name, place)
    label = f"{kind} {name}"
    if given is None or called(call) != kind:
        return
    for word, cost in _words(frames[at:], wanted):
        yield _edit(program, call, given, word, label, "width", cost)
    if isinstance(given, ast.Name):
        yield from _variable(program, frames, at, call, given, label, wanted)
    if frame.function == "__init__" and isinstance(given, ast.Name):
        yield from _parameter(program, frames[at + 1 :], call, given.id, wanted)
    same = [one for one in (*call.args, *(k.value for k in call.keywords)) if _same(one, given)]
    if len(same) > 1:
        for word, cost in _words(frames[at:], wanted):
            source = program.replaced((one, word) for one in same)
            yield Edit(source, "widths", call.lineno, label, _short(program, given), word, cost + 3)


def _words(frames: tuple[Frame, ...], wanted: int) -> Iterator[tuple[str, int]]:
    """How the wanted width can be written: by a name that has this value there, or as a number."""
    names = [name for name, value in frames[0].names.items() if value == wanted] if frames else []
    yield from ((name, 1) for name in names[:2])
    yield str(wanted), 2


def _variable(
    program: Program, frames: tuple[Frame, ...], at: int, call: ast.Call, given: ast.Name, label: str, wanted: int
) -> Iterator[Edit]:
    """The variable that tells the width: given another value, or carried on from one round of a loop to the next."""
    function, statement = program.function(call), program.statement(call)
    if function is None or statement is None:
        return
    assigned = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AugAssign) and any(_same(t, given) for t in _targets(node))
    ]
    for node in sorted(assigned, key=lambda one: abs(one.lineno - call.lineno)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            continue
        around = next((one for one in program.above(node) if isinstance(one, ast.For)), None)
        own = ast.walk(around.target) if around is not None else ()
        words = [one.id for one in own if isinstance(one, ast.Name) and one.id != given.id]
        for cost, word in enumerate([*words, str(wanted)], 4 - len(words[:1])):
            changed = (node, f"{given.id} = {word}") if isinstance(node, ast.AugAssign) else (node.value, word)
            was = _short(program, node.value)
            yield Edit(program.replaced([changed]), "variable", node.lineno, given.id, was, word, cost)
    loop = next((one for one in program.above(call) if isinstance(one, ast.For)), None)
    inside = [one for one in assigned if loop is not None and loop in program.above(one)]
    if loop is None or inside or loop not in program.above(statement):
        return
    others = [one for one in (*call.args, *(k.value for k in call.keywords)) if not isinstance(one, ast.Starred)]
    told = {program.text(one) for one in others if not _same(one, given) and not isinstance(one, ast.Constant)}
    for word in sorted(told, key=len)[:3]:
        yield Edit(program.after(loop.body[-1], f"{given.id} = {word}"), "carry", loop.lineno, given.id, "", word, 3)


def _parameter(program: Program, outer: tuple[Frame, ...], call: ast.Call, name: str, wanted: int) -> Iterator[Edit]:
    """The call of the block whose parameter tells the width."""
    function, block = program.function(call), program.class_of(call)
    if function is None or block is None:
        return
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)][1:]
    if name in names:
        yield from _sized(program, outer, block.name, name, names.index(name), wanted)


def _flattened(fault: Fault, program: Program, wrong: Mismatch) -> Iterator[Edit]:
    """A layer for vectors that was given maps of the right size in all."""
    if len(wrong.shape) < 3 or math.prod(wrong.shape[1:]) != wrong.expected:
        return
    frames = fault.seen.births.get(id(wrong.module), ())
    call = _call(program, frames[0]) if frames else None
    if call is not None and isinstance(program.parents.get(call), ast.Call | ast.List | ast.Starred):
        yield Edit(
            program.replaced([(call, f"nn.Flatten(), {program.text(call)}")]),
            "flatten", call.lineno, wrong.kind, "", "nn.Flatten()", 1,
        )  # fmt: skip
    here = fault.frames[0] if fault.frames else None
    used = program.at(here.where, ast.Call) if here and here.where else None
    if isinstance(used, ast.Call) and len(used.args) == 1:
        text = program.text(used.args[0])
        yield _edit(program, used, used.args[0], f"({text}).flatten(1)", wrong.kind, "flatten", 1)


def _outputs(fault: Fault, program: Program) -> Iterator[Edit]:
    """The last layer made with as many outputs as there are classes, where the output has another form."""
    if fault.kind != "ContractError" or "forward() returned" not in fault.message:
        return
    last = fault.seen.last.module if fault.seen.last is not None else None
    width = getattr(last, "out_features", getattr(last, "out_channels", None))
    if last is not None and width != fault.classes:
        frames = fault.seen.births.get(id(last), ())
        name = "out_features" if isinstance(last, nn.Linear) else "out_channels"
        at = next((frame for frame in frames if isinstance(_call(program, frame), ast.Call)), None)
        call = _call(program, at) if at is not None else None
        given = argument(call, name, 1) if call is not None else None
        if at is not None and call is not None and given is not None and "out_shape" in at.scope:
            yield _edit(program, call, given, "out_shape[0]", f"{type(last).__name__} {name}", "outputs", 1)
        yield from _sized(program, frames, type(last).__name__, name, 1, fault.classes)
    forward = program.method(program.class_named("Net"), "forward")
    for node in ast.walk(forward) if forward is not None else ():
        if isinstance(node, ast.Return) and node.value is not None:
            text = program.text(node.value)
            for cost, after in enumerate((".flatten(1)", ".flatten(2).mean(2)", ".mean(1)", "[0]"), 2):
                yield _edit(program, node, node.value, f"({text}){after}", "forward", "returned", cost)
    if forward is not None and "returned NoneType" in fault.message:
        end = forward.body[-1]
        value = getattr(end, "value", None) if isinstance(end, ast.Assign | ast.Expr) else None
        if isinstance(value, ast.expr):
            yield _edit(program, end, end, f"return {program.text(value)}", "forward", "returned", 1)


def _call(program: Program, frame: Frame) -> ast.Call | None:
    node = program.at(frame.where, ast.Call) if frame.where is not None else None
    return node if isinstance(node, ast.Call) else None


def _targets(node: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _same(one: ast.AST, other: ast.AST) -> bool:
    """Is it the same expression, wherever it stands?"""
    plain = ast.unparse(one) if isinstance(one, ast.expr) else ""
    return bool(plain) and plain == (ast.unparse(other) if isinstance(other, ast.expr) else "")


def _edit(program: Program, near: ast.AST, node: ast.AST, now: str, what: str, rule: str, cost: int) -> Edit:
    return Edit(program.replaced([(node, now)]), rule, position(near)[0], what, _short(program, node), now, cost)


def _short(program: Program, node: ast.AST) -> str:
    return " ".join(program.text(node)[:_SNIPPET].split())
