"""How a convolutional program is put together: stem, stages that shrink the image, head.

Every shrinking layer is padded, as in the stem of a ResNet, so that an image never shrinks to nothing, and a
flattening head asks the features for their size.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .headers import Shape
from .vocabulary import Taste, pick, quantise, sequential, tuple_text

Unit = Callable[[str, str, str], list[str]]
POOLS = ("nn.MaxPool2d(3, stride=2, padding=1)", "nn.AvgPool2d(3, stride=2, padding=1)")
"""Poolings that halve, rounding up."""


@dataclass
class Draft:
    """The parts of a program that differ by style: helper classes, constructor and forward bodies."""

    helpers: list[str] = field(default_factory=list)
    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)


@dataclass
class Trunk:
    """Feature extractor so far.

    Attributes:
        lines: text of the constructor that ends by setting ``self.features``.
        channels: how the text names the output channels: ``c`` or a number.
    """

    lines: list[str]
    channels: str


def halvings(shape: Shape) -> int:
    """How often the image can be halved, rounding down, before nothing is left."""
    return min(shape[1], shape[2]).bit_length() - 1


@dataclass(frozen=True)
class Plan:
    """The author's plan of the stages.

    Attributes:
        form: ``table`` (loop over widths), ``double`` (loop that multiplies the width), ``unrolled``.
        widths: channels after each stage; strides: 1 or 2 for each stage.
        pool: pooling layer that shrinks, or empty when the blocks do it by their stride.
        repeats: units in a stage.
        stem: channels of the stem, 0 for none.
    """

    form: str
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    pool: str
    repeats: int
    stem: int
    factor: int


def draw_plan(rng: random.Random, shape: Shape, width: float, *, quantum: int = 4, blocks: bool, stem: bool) -> Plan:
    """A plan whose strides fit the image; ``width`` scales the channels and changes nothing else.

    Args:
        blocks: the stages are helper modules, which shrink by their stride and stand in loops.
    """
    most = halvings(shape)
    form = pick(rng, (("table", 0.55), ("double", 0.45 if blocks else 0.3), ("unrolled", 0.0 if blocks else 0.15)))
    pool = "" if blocks else pick(rng, (("", 0.45), (POOLS[0], 0.4), (POOLS[1], 0.15)))
    least = 1 if most <= 4 else 2
    downs = rng.randint(least, min(most, 4))
    repeats = pick(rng, ((1, 0.62), (2, 0.28), (3, 0.1)))
    growth = pick(rng, ((2.0, 0.5), (1.5, 0.2), (1.0, 0.3)))
    before = rng.random() < 0.4
    base = quantise(width, quantum)
    if form == "double":
        factor = 1 if growth == 1.0 else 2
        steps = downs
        widths = tuple(min(768, base * factor ** (i + 1)) for i in range(steps))
        return Plan(form, widths, (2,) * steps, pool, repeats, base, factor)
    plain_steps = int(before) if pool == "" or form == "unrolled" else 0
    strides = (1,) * plain_steps + (2,) * downs
    widths = tuple(quantise(width * growth**i, quantum) for i in range(len(strides)))
    return Plan(form, widths, strides, pool, repeats, base if stem else 0, 1)


def _stem(taste: Taste, channels: str) -> list[str]:
    return taste.unit("in_shape[1]", channels, kernel=3)


def _loop_stage(plan: Plan, unit: Unit, c: str, k: str, stride: str) -> list[str]:
    """Text of one stage inside a loop."""
    if plan.pool:
        parts = unit(c, k, "")
        parts += [layer for _ in range(plan.repeats - 1) for layer in unit(k, k, "")]
        return [f"layers += [{', '.join([*parts, plan.pool])}]"]
    lines = [f"layers += [{', '.join(unit(c, k, stride))}]"]
    if plan.repeats > 1:
        lines += [f"layers += [{', '.join(unit(k, k, '1'))}]"] * (plan.repeats - 1)
    return lines


def _table(plan: Plan, taste: Taste, unit: Unit) -> list[str]:
    start = [f"c = {plan.stem}", f"layers = [{', '.join(_stem(taste, 'c'))}]"]
    if not plan.stem:
        start = ["c = in_shape[1]", "layers = []"]
    if plan.pool:
        loop = f"for k in {tuple_text(plan.widths)}:"
    else:
        pairs = [f"({k}, {s})" for k, s in zip(plan.widths, plan.strides, strict=True)]
        loop = f"for k, s in {tuple_text(pairs)}:"
    body = [*_loop_stage(plan, unit, "c", "k", "s"), "c = k"]
    return [*start, loop, *(f"    {line}" for line in body), "self.features = nn.Sequential(*layers)"]


def _double(plan: Plan, taste: Taste, unit: Unit) -> list[str]:
    k = "c" if plan.factor == 1 else f"{plan.factor} * c"
    body = _loop_stage(plan, unit, "c", k, "2")
    body += [f"c = {k}"] if plan.factor > 1 else []
    return [
        f"c = {plan.stem}",
        f"layers = [{', '.join(_stem(taste, 'c'))}]",
        f"for i in range({len(plan.widths)}):",
        *(f"    {line}" for line in body),
        "self.features = nn.Sequential(*layers)",
    ]


def _unrolled(plan: Plan, taste: Taste, unit: Unit) -> list[str]:
    c = str(plan.stem) if plan.stem else "in_shape[1]"
    layers = _stem(taste, c) if plan.stem else []
    for width, stride in zip(plan.widths, plan.strides, strict=True):
        k = str(width)
        layers += unit(c, k, "" if plan.pool else str(stride))
        layers += [layer for _ in range(plan.repeats - 1) for layer in unit(k, k, "" if plan.pool else "1")]
        layers += [plan.pool] if plan.pool and stride == 2 else []
        c = k
    return sequential("features", layers)


def assemble(plan: Plan, taste: Taste, unit: Unit) -> Trunk:
    """Write the feature extractor of a plan; ``unit(c, k, s)`` gives the layers of one block as text."""
    writer = {"table": _table, "double": _double, "unrolled": _unrolled}[plan.form]
    channels = str(plan.widths[-1]) if plan.form == "unrolled" else "c"
    return Trunk(writer(plan, taste, unit), channels)


def draw_head(rng: random.Random, trunk: Trunk, act: str, width: float) -> list[str]:
    """Text of ``self.head`` over the trunk's output, with what must be computed before it."""
    kind = pick(rng, (("mean", 0.52), ("max", 0.05), ("quarter", 0.1), ("flatten", 0.33)))
    hidden = pick(rng, ((0, 0.64), (1, 0.36)))
    dropout = pick(rng, ((0.0, 0.66), (0.2, 0.14), (0.3, 0.08), (0.5, 0.12)))
    c = trunk.channels
    before: list[str] = []
    pool = {"mean": "nn.AdaptiveAvgPool2d(1)", "max": "nn.AdaptiveMaxPool2d(1)"}.get(kind, "")
    if kind == "quarter":
        pool, c = "nn.AdaptiveAvgPool2d(2)", f"4 * {c}"
    elif kind == "flatten":
        before = ["n = self.features(torch.zeros(2, *in_shape[1:])).flatten(1).shape[1]"]
        c = "n"
    layers = [*([pool] if pool else []), "nn.Flatten()"]
    if hidden:
        middle = quantise(width * 2, 16)
        layers += [f"nn.Linear({c}, {middle})", act]
        c = str(middle)
    layers += [f"nn.Dropout({dropout})"] if dropout else []
    layers += [f"nn.Linear({c}, out_shape[0])"]
    return [*before, *sequential("head", layers)]
