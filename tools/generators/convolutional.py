"""The convolutional styles: plain, residual, depthwise, inception, squeeze-excite, dense, convnext."""

from __future__ import annotations

import random

from .assembly import POOLS, Draft, Trunk, assemble, draw_head, draw_plan, halvings
from .headers import Shape
from .vocabulary import Taste, draw_taste, pick, quantise, sequential

_FORWARD = ["return self.head(self.features(x))"]


def block_class(name: str, arguments: str, init: list[str], forward: list[str]) -> list[str]:
    """Text of a helper module."""
    return [
        f"class {name}(nn.Module):",
        f"    def __init__(self, {arguments}):",
        "        super().__init__()",
        *(f"        {line}" for line in init),
        "",
        "    def forward(self, x):",
        *(f"        {line}" for line in forward),
    ]


def plain(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Convolutions in a row, no helper class."""
    taste = draw_taste(rng)
    plan = draw_plan(rng, shape, width, blocks=False, stem=rng.random() < 0.25)
    trunk = assemble(plan, taste, taste.unit)
    return Draft([], trunk.lines + draw_head(rng, trunk, taste.act, width), _FORWARD)


def _finish(
    rng: random.Random, shape: Shape, width: float, taste: Taste, block: tuple[str, list[str], list[str]]
) -> Draft:
    """A trunk of ``Block(c, k, s)`` modules with stem and head."""
    arguments, init, forward = block
    quantum = 8 if taste.norm.startswith("nn.GroupNorm(4") else 4
    plan = draw_plan(rng, shape, width, quantum=quantum, blocks=True, stem=True)
    trunk = assemble(plan, taste, lambda c, k, s: [f"Block({c}, {k}, {s})"])
    helper = block_class("Block", arguments, init, forward)
    return Draft(helper, trunk.lines + draw_head(rng, trunk, taste.act, width), _FORWARD)


_SKIP = "self.skip = nn.Identity() if c == k and s == 1 else nn.Conv2d(c, k, 1, stride=s)"


def residual(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Two convolutions (or a bottleneck of three) beside a shortcut."""
    taste = draw_taste(rng)
    kind = pick(rng, (("basic", 0.45), ("preact", 0.2), ("bottleneck", 0.2), ("single", 0.15)))
    if kind == "basic":
        body = [*taste.unit("c", "k", "s"), taste.conv("k", "k"), *taste.norms("k")]
    elif kind == "preact":
        body = [*taste.norms("c"), taste.act, taste.conv("c", "k", "s")]
        body += [*taste.norms("k"), taste.act, taste.conv("k", "k")]
    elif kind == "bottleneck":
        body = [*taste.unit("c", "k // 2", kernel=1), *taste.unit("k // 2", "k // 2", "s")]
        body += [taste.conv("k // 2", "k", kernel=1), *taste.norms("k")]
    else:
        body = [taste.conv("c", "k", "s"), *taste.norms("k")]
    init = [*sequential("body", body), _SKIP]
    if kind == "preact":
        return _finish(rng, shape, width, taste, ("c, k, s", init, ["return self.skip(x) + self.body(x)"]))
    init.append(f"self.act = {taste.act}")
    return _finish(rng, shape, width, taste, ("c, k, s", init, ["return self.act(self.skip(x) + self.body(x))"]))


def depthwise(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Depthwise separable convolutions, or inverted residuals that expand first."""
    taste = draw_taste(rng)
    expand = pick(rng, ((1, 0.55), (2, 0.25), (4, 0.2)))
    shortcut = rng.random() < (0.25 if expand == 1 else 0.6)
    middle = "c" if expand == 1 else f"{expand} * c"
    body = taste.unit("c", middle, kernel=1) if expand > 1 else []
    body += [taste.conv(middle, middle, "s", groups=middle)]
    if expand > 1 or rng.random() < 0.5:
        body += [*taste.norms(middle), taste.act]
    body += [taste.conv(middle, "k", kernel=1), *taste.norms("k")]
    body += [taste.act] if expand == 1 else []
    init = sequential("body", body)
    forward = ["return self.body(x)"]
    if shortcut:
        init += [_SKIP]
        forward = ["return self.skip(x) + self.body(x)"]
    return _finish(rng, shape, width, taste, ("c, k, s", init, forward))


def inception(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Parallel branches of several kernel sizes, concatenated."""
    taste = draw_taste(rng)
    kind = pick(rng, (("three", 0.4), ("pool", 0.3), ("list", 0.3)))
    cat = "torch.cat([self.b1(x), self.b2(x), self.b3(x)], 1)"
    if kind == "list":
        kernels = pick(rng, (("(1, 3, 5, 7)", 0.4), ("(1, 3, 3, 5)", 0.4), ("(3, 5)", 0.2)))
        share = "k // 2" if kernels == "(3, 5)" else "k // 4"
        convs = f"[nn.Conv2d(c, {share}, i, stride=s, padding=i // 2) for i in {kernels}]"
        init = [f"self.branches = nn.ModuleList({convs})"]
        cat = "torch.cat([b(x) for b in self.branches], 1)"
    else:
        third = "nn.Conv2d(c, k // 4, 5, stride=s, padding=2)"
        if kind == "pool":
            third = "nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(c, k // 4, 1, stride=s))"
        init = [
            "self.b1 = nn.Conv2d(c, k // 4, 1, stride=s)",
            "self.b2 = nn.Conv2d(c, k // 2, 3, stride=s, padding=1)",
            f"self.b3 = {third}",
        ]
    tail = [*taste.norms("k"), taste.act]
    init += [f"self.tail = nn.Sequential({', '.join(tail)})"]
    return _finish(rng, shape, width, taste, ("c, k, s", init, [f"return self.tail({cat})"]))


def squeeze_excite(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Blocks whose channels are weighed by a gate over the whole image."""
    taste = draw_taste(rng)
    body = taste.unit("c", "k", "s")
    if rng.random() < 0.3:
        body += taste.unit("k", "k")
    ratio = pick(rng, ((4, 0.7), (2, 0.3)))
    gate = [
        "nn.AdaptiveAvgPool2d(1)",
        f"nn.Conv2d(k, k // {ratio}, 1)",
        pick(rng, (("nn.ReLU()", 0.8), (taste.act, 0.2))),
        f"nn.Conv2d(k // {ratio}, k, 1)",
        pick(rng, (("nn.Sigmoid()", 0.85), ("nn.Hardsigmoid()", 0.15))),
    ]
    init = [*sequential("body", body), *sequential("gate", gate)]
    forward = ["h = self.body(x)", "return h * self.gate(h)"]
    if rng.random() < 0.45:
        init += [_SKIP]
        forward[1] = "return self.skip(x) + h * self.gate(h)"
    return _finish(rng, shape, width, taste, ("c, k, s", init, forward))


def dense(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Layers that append their features to all earlier ones, with transitions that halve."""
    taste = draw_taste(rng)
    if taste.norm.startswith("nn.GroupNorm(4"):
        taste = Taste(taste.act, "nn.GroupNorm(1, {})", taste.kernel)
    bottleneck = rng.random() < 0.25
    layer = [*taste.norms("c"), taste.act]
    if bottleneck:
        layer += [taste.conv("c", "2 * g", kernel=1), *taste.norms("2 * g"), taste.act]
    layer += [taste.conv("2 * g" if bottleneck else "c", "g")]
    growth = quantise(width / 2)
    stages = rng.randint(1 if halvings(shape) <= 4 else 2, min(3, halvings(shape)))
    depth = pick(rng, ((2, 0.35), (3, 0.35), (4, 0.3)))
    start = pick(rng, ((2, 0.6), (1, 0.2), (4, 0.2)))
    pool = pick(rng, ((POOLS[1], 0.7), (POOLS[0], 0.3)))
    halve = rng.random() < 0.6
    between = ["layers += [nn.Conv2d(c, c // 2, 1), " + pool + "]", "c = c // 2"] if halve else []
    lines = [
        f"c, g = {start * growth}, {growth}",
        f"layers = [{', '.join(taste.unit('in_shape[1]', 'c', kernel=3)[:1])}]",
        f"for i in range({stages}):",
        f"    for j in range({depth}):",
        "        layers.append(Layer(c, g))",
        "        c += g",
        *(f"    {line}" for line in between or [f"layers.append({pool})"]),
        "self.features = nn.Sequential(*layers)",
    ]
    trunk = Trunk(lines, "c")
    helper = block_class("Layer", "c, g", sequential("body", layer), ["return torch.cat([x, self.body(x)], 1)"])
    return Draft(helper, trunk.lines + draw_head(rng, trunk, taste.act, width), _FORWARD)


def convnext(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Large depthwise kernels and a pointwise expansion beside a shortcut, on a patchified image."""
    act = pick(rng, (("nn.GELU()", 0.6), ("nn.ReLU()", 0.2), ("nn.SiLU()", 0.1), ("nn.Tanh()", 0.1)))
    norm = pick(rng, (("nn.GroupNorm(1, c)", 0.4), ("nn.BatchNorm2d(c)", 0.3), ("", 0.3)))
    kernel = pick(rng, ((7, 0.3), (5, 0.35), (3, 0.35)))
    ratio = pick(rng, ((4, 0.5), (2, 0.35), (3, 0.15)))
    body = [f"nn.Conv2d(c, c, {kernel}, padding={kernel // 2}, groups=c)", *([norm] if norm else [])]
    body += [f"nn.Conv2d(c, {ratio} * c, 1)", act, f"nn.Conv2d({ratio} * c, c, 1)"]
    scaled = rng.random() < 0.25
    init = sequential("body", body)
    init += ["self.scale = nn.Parameter(0.1 * torch.ones(c, 1, 1))"] if scaled else []
    forward = ["return x + self.scale * self.body(x)" if scaled else "return x + self.body(x)"]
    small = min(shape[1], shape[2]) < 16
    patch = pick(rng, ((1, 0.35), (2, 0.65)) if small else ((2, 0.55), (4, 0.45)))
    left = (shape[1] // patch, shape[2] // patch)
    stages = rng.randint(1, min(3, (min(left)).bit_length() - 1))
    depth = pick(rng, ((1, 0.45), (2, 0.4), (3, 0.15)))
    factor = pick(rng, ((2, 0.7), (1, 0.3)))
    base = quantise(width)
    k = "c" if factor == 1 else "2 * c"
    last = rng.random() < 0.6
    lines = [
        f"c = {base}",
        f"layers = [nn.Conv2d(in_shape[1], c, {patch}, stride={patch})]",
        f"for i in range({stages}):",
        f"    layers += [{', '.join(['Block(c)'] * depth)}, nn.Conv2d(c, {k}, 3, stride=2, padding=1)]",
        *(["    c = 2 * c"] if factor == 2 else []),
        *(["layers.append(Block(c))"] if last else []),
        "self.features = nn.Sequential(*layers)",
    ]
    trunk = Trunk(lines, "c")
    helper = block_class("Block", "c", init, forward)
    return Draft(helper, trunk.lines + draw_head(rng, trunk, act, width), _FORWARD)
