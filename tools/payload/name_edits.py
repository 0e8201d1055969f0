"""Edits for names, attributes and arguments that are not there, and for parts of the contract that are missing."""

from __future__ import annotations

import ast
import builtins
import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from .fault import Fault
    from .splice import Edit, Program, called, position
else:  # In the worker these are top-level modules.
    from fault import Fault
    from splice import Edit, Program, called, position

IMPORTS = {
    "math": "import math",
    "random": "import random",
    "torch": "import torch",
    "nn": "import torch.nn as nn",
    "F": "import torch.nn.functional as F",
    "optim": "import torch.optim as optim",
    "np": "import numpy as np",
    "functools": "import functools",
    "itertools": "import itertools",
    "partial": "from functools import partial",
    "OrderedDict": "from collections import OrderedDict",
    "Tensor": "from torch import Tensor",
}
"""Names that a program may use without their import, and how they are imported."""
HYPERPARAMETERS = "def supported_hyperparameters():\n    return {'lr', 'momentum'}\n\n"
TRAIN_SETUP = (
    "def train_setup(self, prm):\n    self.to(self.device)\n    self.criterion = nn.CrossEntropyLoss()\n"
    "    self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])"
)
LEARN = (
    "def learn(self, train_data):\n    self.train()\n    for inputs, labels in train_data:\n"
    "        inputs, labels = inputs.to(self.device), labels.to(self.device)\n        self.optimizer.zero_grad()\n"
    "        loss = self.criterion(self(inputs), labels)\n        loss.backward()\n        self.optimizer.step()"
)
_CANONICAL = {"train_setup": TRAIN_SETUP, "learn": LEARN}
_NEAR = 0.5  # difflib's ratio: half of the letters; what is tried and does not run is dropped again
_MOST = 4


def name_edits(fault: Fault, program: Program) -> Iterator[Edit]:
    """Ways to mend what Python could not find, or what it was given too much of."""
    yield from _missing_super(fault, program)
    yield from _names(fault, program)
    yield from _attributes(fault, program)
    yield from _arguments(fault, program)
    yield from _unpacking(fault, program)
    yield from _contract(fault, program)
    yield from _as_elsewhere(fault, program)


def _missing_super(fault: Fault, program: Program) -> Iterator[Edit]:
    if "before Module.__init__() call" not in fault.message or not fault.frames or not fault.frames[0].where:
        return
    node = program.at(fault.frames[0].where)
    function = program.function(node) if node is not None else None
    if function is None or function.name != "__init__":
        return
    first = function.body[0]
    yield Edit(program.before(first, "super().__init__()"), "super", first.lineno, "", "", "super().__init__()", 1)


def _names(fault: Fault, program: Program) -> Iterator[Edit]:
    if not isinstance(fault.error, NameError) or not fault.frames:
        return
    missing = getattr(fault.error, "name", None)
    if not isinstance(missing, str):
        return
    if missing in IMPORTS:
        yield Edit(f"{IMPORTS[missing]}\n{fault.source}", "import", 1, missing, "", IMPORTS[missing], 1)
    frame = fault.frames[0]
    node = program.at(frame.where, ast.Name) if frame.where else None
    if node is None:
        return
    outer = [name for name, value in vars(builtins).items() if callable(value) and name.islower()]
    # A single letter is near to nothing: then the names in whose place it can stand are the parameters.
    near = difflib.get_close_matches(missing, {*frame.scope, *_top(program), *outer}, _MOST, _NEAR)
    words = list(dict.fromkeys([*near, *(list(frame.names)[:_MOST] if len(missing) < 3 else [])]))
    digits = re.search(r"[1-9]\d{0,4}\Z", missing)
    words += [digits.group()] if digits else []
    for cost, word in enumerate(words, 2):
        yield Edit(program.replaced([(node, word)]), "name", frame.line, missing, missing, word, cost)
    yield from _dropped(program, node, missing)


def _attributes(fault: Fault, program: Program) -> Iterator[Edit]:
    found = re.search(r"has no attribute '(\w{1,80})'", fault.message)
    if found is None or not isinstance(fault.error, AttributeError) or not fault.frames:
        return
    missing, frame = found.group(1), fault.frames[0]
    inside = [n for n in ast.walk(program.tree) if isinstance(n, ast.Attribute) and n.attr == missing]
    node = next((n for n in inside if n.lineno <= frame.line <= (n.end_lineno or 0)), None)
    if node is None:
        return
    owner = getattr(fault.error, "obj", None)
    if isinstance(node.value, ast.Name):
        owner = frame.scope.get(node.value.id, owner)
    for cost, word in enumerate(difflib.get_close_matches(missing, _attributes_of(owner), _MOST, _NEAR), 2):
        source = program.replaced([(node, f"{program.text(node.value)}.{word}")])
        yield Edit(source, "attribute", frame.line, missing, missing, word, cost)
    use = program.parents[node]
    if isinstance(use, ast.Call) and use.func is node and len(use.args) == 1 and not use.keywords:
        text = program.text(use.args[0])
        yield Edit(program.replaced([(use, text)]), "dropped", frame.line, missing, missing, text[:80], 6)
    yield from _dropped(program, node, missing)


def _attributes_of(owner: Any) -> list[str]:
    if isinstance(owner, nn.Module):
        own = [*owner.__dict__.get("_modules", ()), *owner.__dict__.get("_parameters", ()), *owner.__dict__]
        return [name for name in own if not name.startswith("_")] + [n for n in dir(type(owner)) if n[0] != "_"]
    return [name for name in dir(owner) if not name.startswith("_")] if owner is not None else []


def _arguments(fault: Fault, program: Program) -> Iterator[Edit]:
    """A call of the candidate's own function or of a layer with arguments that it does not take."""
    if not isinstance(fault.error, TypeError) or not fault.frames or not fault.frames[0].where:
        return
    call, frame = program.at(fault.frames[0].where, ast.Call), fault.frames[0]
    if not isinstance(call, ast.Call):
        return
    what, given = called(call), [*call.args, *call.keywords]
    texts = [program.text(one) for one in given]

    def written(kept: Iterable[str], cost: int) -> Edit:
        now = f"{program.text(call.func)}({', '.join(kept)})"
        return Edit(program.replaced([(call, now)]), "arguments", call.lineno, what, program.text(call)[:80], now, cost)

    wanted = re.search(r"missing \d+ required (?:positional|keyword-only) arguments?: (.{1,300})", fault.message)
    if wanted is not None:
        names = re.findall(r"'(\w{1,40})'", wanted.group(1))
        strides = {"s": "1", "stride": "1", "groups": "1", "heads": "1", "p": "0.1", "dropout": "0.1"}
        ready = [name if name in frame.names else strides.get(name, "") for name in names]
        last = [texts[-1]] if texts else []
        for cost, filler in enumerate(["1", *last, *list(frame.names)[:2]], 2):
            yield written([*texts, *(f"{n}={one or filler}" for n, one in zip(names, ready, strict=True))], cost)
        return
    odd = re.search(r"unexpected keyword argument '(\w{1,80})'", fault.message)
    if odd is not None:
        yield written([t for t, one in zip(texts, given, strict=True) if getattr(one, "arg", None) != odd.group(1)], 2)
    counted = re.search(r"takes (?:from \d+ to )?(\d+) positional arguments? but (\d+)", fault.message)
    if counted is not None and 0 < int(counted.group(2)) - int(counted.group(1)) <= len(call.args):
        more = int(counted.group(2)) - int(counted.group(1))
        rest = texts[len(call.args) :]
        yield written([*texts[: len(call.args) - more], *rest], 2)
        yield written([*texts[more : len(call.args)], *rest], 3)
    for skipped in range(min(len(texts), _MOST)) if odd is None and counted is None else ():
        yield written([t for n, t in enumerate(texts) if n != len(texts) - 1 - skipped], 4 + skipped)


def _unpacking(fault: Fault, program: Program) -> Iterator[Edit]:
    """``c, h, w = in_shape``, which has the batch before them."""
    counted = re.search(r"too many values to unpack \(expected (\d{1,2})", fault.message)
    if counted is None or not fault.frames:
        return
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Assign) and node.lineno <= fault.frames[0].line <= (node.end_lineno or 0):
            target = node.targets[0]
            if isinstance(target, ast.Tuple) and len(target.elts) == int(counted.group(1)):
                text = program.text(target)
                for cost, now in enumerate((f"_, {text}", f"{text}, *_"), 1):
                    yield Edit(program.replaced([(target, now)]), "unpacking", node.lineno, "", text[:80], now, cost)


def _contract(fault: Fault, program: Program) -> Iterator[Edit]:
    """Parts of the contract, or of the training code, in the form that most networks have."""
    net = program.class_named("Net")
    if "no function supported_hyperparameters" in fault.message and program.tree.body:
        plain = [one for one in program.tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef)]
        if plain:
            source = program.before(plain[0], HYPERPARAMETERS)
            yield Edit(source, "contract", plain[0].lineno, "supported_hyperparameters", "", "the usual one", 1)
    if net is None:
        return
    for name, text in _CANONICAL.items():
        method = program.method(net, name)
        if f"no {name}()" in fault.message:
            source = program.after(net.body[-1], f"\n{text}")
            yield Edit(source, "contract", net.body[-1].lineno, name, "", "the usual one", 1)
        at_work = any(frame.function == name for frame in fault.frames)
        # A failing forward comes through learn as well, and is none of its own.
        inside = any(frame.function == "forward" for frame in fault.frames)
        if method is not None and ((at_work and not inside) or fault.kind == "NoLearning"):
            yield Edit(program.replaced([(method, _indented(text, method.col_offset))]), "contract",
                       method.lineno, name, "", "the usual one", 8)  # fmt: skip


def _as_elsewhere(fault: Fault, program: Program) -> Iterator[Edit]:
    """While the network is built: a call written as the same class is called elsewhere, or left out."""
    if fault.stage != "build":
        return
    for frame in fault.frames:
        node = program.at(frame.where) if frame.where else None
        call = next((one for one in (node, *program.above(node)) if isinstance(one, ast.Call)), None) if node else None
        if call is None or program.function(call) is None:
            continue
        was, what = program.text(call), called(call)
        others = [one for one in ast.walk(program.tree) if isinstance(one, ast.Call) and called(one) == what]
        for now in list(dict.fromkeys(program.text(one) for one in others))[:3] if what not in _SEVERAL else ():
            if now != was and program.text(call.func) == now.partition("(")[0]:
                yield Edit(program.replaced([(call, now)]), "elsewhere", call.lineno, what, was[:80], now[:80], 6)
        yield from _dropped(program, call, what)


_SEVERAL = ("Sequential", "ModuleList", "append")  # what holds layers is called otherwise each time


def _dropped(program: Program, node: ast.AST, what: str) -> Iterator[Edit]:
    """Without the argument, or the element of a list, that cannot be."""
    part: ast.AST = node
    while isinstance(program.parents.get(part), ast.Attribute | ast.Call | ast.keyword | ast.Starred):
        parent = program.parents[part]
        if isinstance(parent, ast.Call) and part is not parent.func:
            break
        part = parent
    around = program.parents.get(part)
    listed = around.elts if isinstance(around, ast.List | ast.Tuple) else []
    if isinstance(around, ast.Call):
        listed = [*around.args, *(one.value for one in around.keywords)]
    if part in listed and len(listed) > 1:
        n = listed.index(part)
        spans = [position(one) for one in (*getattr(around, "args", listed), *getattr(around, "keywords", ()))]
        begin = spans[n][:2] if n == 0 else spans[n - 1][2:]
        end = spans[n + 1][:2] if n == 0 else spans[n][2:]
        yield Edit(program.replaced([((*begin, *end), "")]), "dropped", spans[n][0], what, what, "", 7)
    statement, function = program.statement(node), program.function(node)
    # Training code without one of its statements may run, and no longer learn.
    training = function is not None and function.name in _CANONICAL
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr) and not training:
        yield Edit(program.without(statement), "dropped", statement.lineno, what, program.text(statement)[:80], "", 9)


def _top(program: Program) -> set[str]:
    return {one.name for one in program.tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef)} | {"torch", "nn"}


def _indented(text: str, indent: int) -> str:
    return text.replace("\n", "\n" + " " * indent)
