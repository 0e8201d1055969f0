"""Random programs: full network files written from textbook priors.

A style's builder draws every choice from its own seeded generator and scales with one number, the width; the
width is then adjusted until the true parameter count lies in the wanted bucket.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from .assembly import Draft
from .convolutional import convnext, dense, depthwise, inception, plain, residual, squeeze_excite
from .headers import Header, Shape, bucket_bounds, bucket_of
from .sizing import measure
from .tokens import attention, mixer, mlp
from .vocabulary import init_lines, training_lines
from .wishes import complete_header

Builder = Callable[[random.Random, Shape, float], Draft]
BUILDERS: dict[str, Builder] = {
    "plain": plain,
    "residual": residual,
    "depthwise": depthwise,
    "inception": inception,
    "dense": dense,
    "se": squeeze_excite,
    "convnext": convnext,
    "mixer": mixer,
    "attention": attention,
    "mlp": mlp,
}


@dataclass(frozen=True)
class Program:
    """One network file.

    Attributes:
        source: Python text, without the header line, ending in a newline.
        header: the header it is shown under; may say ``any``.
        params: true number of parameters.
        style: the style it is written in, also where the header says ``any``.
        macs: multiply-adds of the convolutions, linear and attention layers in a forward pass of one image.
    """

    source: str
    header: Header
    params: int
    style: str
    macs: int

    @property
    def full_header(self) -> Header:
        """The header with the true bucket and style."""
        return Header(self.header.in_shape, self.header.classes, bucket_of(self.params), self.style)

    @property
    def text(self) -> str:
        """Header line and source, as the embedded model reads them."""
        return f"{self.header.render()}\n{self.source}"


def write_source(style: str, seed: int, shape: Shape, width: float) -> str:
    """The file of a style: equal seeds give equal choices, whatever the width."""
    rng = random.Random(seed)
    setup, learn = training_lines(rng)
    weights = init_lines(rng)
    draft = BUILDERS[style](rng, shape, width)
    helpers = [*draft.helpers, "", ""] if draft.helpers else []

    def method(signature: str, body: list[str]) -> list[str]:
        return [f"    def {signature}:", *(f"        {line}" for line in body)]

    lines = [
        "import torch",
        "import torch.nn as nn",
        "",
        "",
        "def supported_hyperparameters():",
        "    return {'lr', 'momentum'}",
        "",
        "",
        *helpers,
        "class Net(nn.Module):",
        *method(
            "__init__(self, in_shape, out_shape, prm, device)",
            ["super().__init__()", "self.device = device", *draft.init, *weights],
        ),
        "",
        *method("forward(self, x)", draft.forward),
        "",
        *method("train_setup(self, prm)", setup),
        "",
        *method("learn(self, train_data)", learn),
    ]
    return "\n".join(lines) + "\n"


def build_network(source: str, shape: Shape, classes: int) -> nn.Module:
    """Run a file of this generator and build its network. Only for our own text: there is no sandbox here."""
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "<generated>", "exec"), names)
    prm = {"lr": 0.01, "momentum": 0.9}
    net: nn.Module = names["Net"]((2, *shape), (classes,), prm, torch.device("cpu"))
    return net


def most_macs(shape: Shape) -> int:
    """The most multiply-adds per image that an author's patience allows; grows with the image's side.

    On the 8×8 digits it keeps an epoch of 1,437 images under about three CPU-seconds.
    """
    return int(3e6 * (shape[1] * shape[2] / 64) ** 0.7)


def _fit(style: str, seed: int, header: Header, bucket: str) -> Program | None:
    """A program of these choices whose parameters lie in ``bucket``, by adjusting the width; or ``None``."""
    low, high = bucket_bounds(bucket)
    target = math.exp(random.Random(seed).uniform(math.log(max(low, 800)), math.log(high)))
    width = min(160.0, max(4.0, 10.0 * math.sqrt(target / 10_000)))
    for _ in range(4):
        source = write_source(style, seed, header.in_shape, width)
        params, macs = measure(compile(source, "<generated>", "exec"), header.in_shape, header.classes)
        if low <= params <= high:
            return Program(source, header, params, style, macs)
        before = width
        width = min(320.0, max(3.0, width * (target / params) ** 0.6))
        if width == before:
            return None
    return None


def random_program(rng: random.Random, wish: Header, tries: int = 60) -> Program:
    """Write one program for a header; what the header leaves as ``any`` is drawn, never a held-out combination.

    Args:
        rng: the only source of chance; equal states give equal programs.
        wish: shapes, and bucket and style or ``any``. A complete held-out header is served as well.
        tries: sets of choices to try before giving up.

    Raises:
        ValueError: if no program of that bucket and style was found for these shapes.
    """
    for _ in range(tries):
        full = complete_header(rng, wish)
        found = _fit(full.style, rng.getrandbits(48), full, full.bucket)
        if found is not None and found.macs <= most_macs(wish.in_shape):
            return replace(found, header=wish)
    raise ValueError(f"no program found for {wish.render()!r} in {tries} tries; choose another bucket or style")
