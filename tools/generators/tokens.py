"""The styles without a convolutional trunk: mixer and attention over patches, and the plain perceptron."""

from __future__ import annotations

import random

from .assembly import Draft
from .convolutional import block_class
from .headers import Shape
from .vocabulary import ACTIVATIONS, pick, quantise, tuple_text


def _patch_size(rng: random.Random, shape: Shape, most: int) -> int:
    """A patch that divides the image into 4 to ``most`` squares."""
    side = min(shape[1], shape[2])
    sizes = [p for p in (1, 2, 4, 7, 8) if side % p == 0 and 4 <= (shape[1] // p) * (shape[2] // p) <= most]
    return rng.choice(sizes)


def _shared_lines(rng: random.Random, patch: int, d: int, block: str, depth: int) -> list[str]:
    return [
        f"p, d = {patch}, {d}",
        "n = (in_shape[2] // p) * (in_shape[3] // p)",
        "self.patch = nn.Conv2d(in_shape[1], d, p, stride=p)",
        f"self.blocks = nn.Sequential(*[{block} for i in range({depth})])",
    ]


def _token_head(rng: random.Random) -> tuple[list[str], list[str]]:
    """Constructor lines and the last forward lines of a head over tokens (batch, n, d)."""
    norm = rng.random() < 0.55
    init = ["self.norm = nn.LayerNorm(d)"] if norm else []
    inner = "self.norm(x)" if norm else "x"
    if rng.random() < 0.25:
        return [*init, "self.head = nn.Linear(n * d, out_shape[0])"], [f"return self.head({inner}.flatten(1))"]
    dropout = pick(rng, ((0.0, 0.75), (0.2, 0.25)))
    linear = "nn.Linear(d, out_shape[0])"
    head = f"nn.Sequential(nn.Dropout({dropout}), {linear})" if dropout else linear
    return [*init, f"self.head = {head}"], [f"return self.head({inner}.mean(1))"]


def mixer(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Perceptrons over tokens and over channels in turn."""
    act = pick(rng, (("nn.GELU()", 0.5), ("nn.ReLU()", 0.25), ("nn.SiLU()", 0.1), ("nn.Tanh()", 0.15)))
    norm = rng.random() < 0.7
    patch = _patch_size(rng, shape, 64)
    d = quantise(width * 1.5)
    depth = pick(rng, ((1, 0.15), (2, 0.35), (3, 0.25), (4, 0.25)))
    ratio = pick(rng, ((1, 0.4), (2, 0.6)))
    hidden = quantise(width * 1.5 * ratio)
    init = [
        *(["self.norm1 = nn.LayerNorm(d)"] if norm else []),
        f"self.tokens = nn.Sequential(nn.Linear(n, h), {act}, nn.Linear(h, n))",
        *(["self.norm2 = nn.LayerNorm(d)"] if norm else []),
        f"self.channels = nn.Sequential(nn.Linear(d, h), {act}, nn.Linear(h, d))",
    ]
    first, second = ("self.norm1(x)", "self.norm2(x)") if norm else ("x", "x")
    forward = [
        f"x = x + self.tokens({first}.transpose(1, 2)).transpose(1, 2)",
        f"return x + self.channels({second})",
    ]
    head, last = _token_head(rng)
    body = _shared_lines(rng, patch, d, f"Block(n, d, {hidden})", depth)
    helper = block_class("Block", "n, d, h", init, forward)
    return Draft(helper, body + head, ["x = self.blocks(self.patch(x).flatten(2).transpose(1, 2))", *last])


def attention(rng: random.Random, shape: Shape, width: float) -> Draft:
    """A small vision transformer."""
    act = pick(rng, (("nn.GELU()", 0.6), ("nn.ReLU()", 0.3), ("nn.SiLU()", 0.1)))
    kind = pick(rng, (("pre", 0.6), ("post", 0.25), ("none", 0.15)))
    patch = _patch_size(rng, shape, 64)
    heads = pick(rng, ((1, 0.2), (2, 0.35), (4, 0.45)))
    d = quantise(width * 1.3, 8)
    ratio = pick(rng, ((1, 0.3), (2, 0.5), (4, 0.2)))
    depth = pick(rng, ((1, 0.3), (2, 0.4), (3, 0.15), (4, 0.15)))
    mlp = f"self.mlp = nn.Sequential(nn.Linear(d, {ratio} * d), {act}, nn.Linear({ratio} * d, d))"
    if ratio == 1:
        mlp = f"self.mlp = nn.Sequential(nn.Linear(d, d), {act}, nn.Linear(d, d))"
    norms = [] if kind == "none" else ["self.norm1 = nn.LayerNorm(d)", "self.norm2 = nn.LayerNorm(d)"]
    init = ["self.attn = nn.MultiheadAttention(d, heads, batch_first=True)", mlp, *norms]
    forward = {
        "pre": [
            "h = self.norm1(x)",
            "x = x + self.attn(h, h, h, need_weights=False)[0]",
            "return x + self.mlp(self.norm2(x))",
        ],
        "post": [
            "x = self.norm1(x + self.attn(x, x, x, need_weights=False)[0])",
            "return self.norm2(x + self.mlp(x))",
        ],
        "none": ["x = x + self.attn(x, x, x, need_weights=False)[0]", "return x + self.mlp(x)"],
    }[kind]
    head, last = _token_head(rng)
    body = _shared_lines(rng, patch, d, f"Block(d, {heads})", depth)
    pos = pick(rng, (("torch.zeros(1, n, d)", 0.4), ("0.02 * torch.randn(1, n, d)", 0.4), ("", 0.2)))
    start = ["x = self.patch(x).flatten(2).transpose(1, 2)"]
    if pos:
        body.append(f"self.pos = nn.Parameter({pos})")
    start.append("x = self.blocks(x + self.pos)" if pos else "x = self.blocks(x)")
    return Draft(block_class("Block", "d, heads", init, forward), body + head, [*start, *last])


def mlp(rng: random.Random, shape: Shape, width: float) -> Draft:
    """Fully connected layers on the flattened image."""
    act = pick(rng, ACTIVATIONS)
    norm = pick(rng, (("", 0.6), ("nn.BatchNorm1d({})", 0.28), ("nn.LayerNorm({})", 0.12)))
    dropout = pick(rng, ((0.0, 0.65), (0.2, 0.2), (0.5, 0.15)))
    depth = pick(rng, ((1, 0.25), (2, 0.35), (3, 0.25), (5, 0.1), (8, 0.05)))
    taper = rng.random() < 0.5
    widths = [quantise(width * (2.0 if not taper else 2.0 ** (1 - i)), largest=2048) for i in range(depth)]

    def layer(k: str) -> str:
        layers = [f"nn.Linear(n, {k})", *([norm.format(k)] if norm else []), act]
        return ", ".join([*layers, *([f"nn.Dropout({dropout})"] if dropout else [])])

    if not taper and depth > 1:
        loop, body = f"for i in range({depth}):", [f"layers += [{layer(str(widths[0]))}]", f"n = {widths[0]}"]
    else:
        loop, body = f"for k in {tuple_text(widths)}:", [f"layers += [{layer('k')}]", "n = k"]
    lines = ["n = in_shape[1] * in_shape[2] * in_shape[3]", "layers = [nn.Flatten()]", loop]
    lines += [*(f"    {line}" for line in body), "layers.append(nn.Linear(n, out_shape[0]))"]
    lines += ["self.net = nn.Sequential(*layers)"]
    return Draft([], lines, ["return self.net(x)"])
