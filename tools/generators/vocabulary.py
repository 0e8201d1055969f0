"""The small choices of a program's author, and how they are written.

Each idea has one or two spellings, the same in every style, because a small language model learns a line
faster than a habit. The weights are the textbook's and the average student's: mostly ReLU and batch
normalisation, often none at all, now and then a sigmoid or plain gradient descent.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

ACTIVATIONS: tuple[tuple[str, float], ...] = (
    ("nn.ReLU()", 0.42),
    ("nn.GELU()", 0.12),
    ("nn.SiLU()", 0.09),
    ("nn.LeakyReLU(0.1)", 0.1),
    ("nn.Tanh()", 0.1),
    ("nn.ELU()", 0.07),
    ("nn.Hardswish()", 0.04),
    ("nn.Sigmoid()", 0.06),
)
NORMS: tuple[tuple[str, float], ...] = (
    ("", 0.4),
    ("nn.BatchNorm2d({})", 0.42),
    ("nn.GroupNorm(4, {})", 0.1),
    ("nn.GroupNorm(1, {})", 0.08),
)
LOSSES: tuple[tuple[str, float], ...] = (
    ("nn.CrossEntropyLoss()", 0.8),
    ("nn.CrossEntropyLoss(label_smoothing=0.1)", 0.2),
)
OPTIMIZERS: tuple[tuple[str, float], ...] = (
    ("torch.optim.SGD(self.parameters(), lr={lr}, momentum=prm['momentum'])", 0.33),
    ("torch.optim.SGD(self.parameters(), lr={lr})", 0.12),
    ("torch.optim.SGD(self.parameters(), lr={lr}, momentum=prm['momentum'], weight_decay=5e-4)", 0.09),
    ("torch.optim.SGD(self.parameters(), lr={lr}, momentum=prm['momentum'], nesterov=True)", 0.1),
    ("torch.optim.Adam(self.parameters(), lr={lr})", 0.17),
    ("torch.optim.AdamW(self.parameters(), lr={lr}, weight_decay=1e-2)", 0.12),
    ("torch.optim.RMSprop(self.parameters(), lr={lr})", 0.07),
)
INITS: tuple[tuple[str, float], ...] = (
    ("", 0.72),
    ("nn.init.kaiming_normal_(m.weight)", 0.11),
    ("nn.init.xavier_uniform_(m.weight)", 0.09),
    ("nn.init.normal_(m.weight, std=0.02)", 0.08),
)
CLIPS: tuple[tuple[str, float], ...] = (("", 0.7), ("1.0", 0.2), ("5.0", 0.1))


def pick(rng: random.Random, table: Sequence[tuple[T, float]]) -> T:
    """One entry of a weighted table."""
    return rng.choices([item for item, _ in table], [weight for _, weight in table])[0]


_WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1536, 2048)
"""Widths that people write: powers of two and a step between."""


def quantise(width: float, quantum: int = 4, largest: int = 768) -> int:
    """The usual width nearest to ``width``, a multiple of ``quantum``, at most ``largest``."""
    usual = [w for w in _WIDTHS if w % quantum == 0 and w <= largest]
    return min(usual, key=lambda w: abs(w - width))


def tuple_text(items: Sequence[object]) -> str:
    """A tuple literal, with the comma that a single item needs."""
    return "(" + ", ".join(str(item) for item in items) + (",)" if len(items) == 1 else ")")


def sequential(name: str, layers: Sequence[str]) -> list[str]:
    """``self.<name> = nn.Sequential(...)``, one layer a line."""
    return [f"self.{name} = nn.Sequential(", *(f"    {layer}," for layer in layers), ")"]


@dataclass(frozen=True)
class Taste:
    """What the author settled on before the first line.

    Attributes:
        act: activation expression.
        norm: pattern of a two-dimensional normalisation with ``{}`` for the channels, or empty.
        kernel: size of the ordinary convolution, odd.
    """

    act: str
    norm: str
    kernel: int

    def norms(self, channels: str) -> list[str]:
        """The normalisation of ``channels`` as a list of none or one."""
        return [self.norm.format(channels)] if self.norm else []

    def conv(self, c: str, k: str, stride: str = "", *, kernel: int | None = None, groups: str = "") -> str:
        """A convolution that keeps the size (divides it by ``stride``, rounded up)."""
        size = self.kernel if kernel is None else kernel
        parts = [c, k, str(size)]
        parts += [f"stride={stride}"] if stride not in ("", "1") else []
        parts += [f"padding={size // 2}"] if size > 1 else []
        parts += [f"groups={groups}"] if groups else []
        return f"nn.Conv2d({', '.join(parts)})"

    def unit(self, c: str, k: str, stride: str = "", *, kernel: int | None = None) -> list[str]:
        """Convolution, normalisation, activation."""
        return [self.conv(c, k, stride, kernel=kernel), *self.norms(k), self.act]


def draw_taste(rng: random.Random) -> Taste:
    """A taste for a convolutional network."""
    return Taste(pick(rng, ACTIVATIONS), pick(rng, NORMS), pick(rng, ((3, 0.82), (5, 0.18))))


def training_lines(rng: random.Random) -> tuple[list[str], list[str]]:
    """Bodies of ``train_setup`` and ``learn``.

    Adaptive optimizers are often given a tenth of the rate, as the textbook says; gradient descent rarely.
    """
    optimizer = pick(rng, OPTIMIZERS)
    scaled = rng.random() < (0.08 if "SGD" in optimizer else 0.5)
    setup = [
        "self.to(self.device)",
        f"self.criterion = {pick(rng, LOSSES)}",
        "self.optimizer = " + optimizer.format(lr="0.1 * prm['lr']" if scaled else "prm['lr']"),
    ]
    clip = pick(rng, CLIPS)
    learn = [
        "self.train()",
        "for inputs, labels in train_data:",
        "    inputs, labels = inputs.to(self.device), labels.to(self.device)",
        "    self.optimizer.zero_grad()",
        "    loss = self.criterion(self(inputs), labels)",
        "    loss.backward()",
        *([f"    nn.utils.clip_grad_norm_(self.parameters(), {clip})"] if clip else []),
        "    self.optimizer.step()",
    ]
    return setup, learn


def init_lines(rng: random.Random) -> list[str]:
    """Weight initialisation at the end of the constructor, or nothing."""
    call = pick(rng, INITS)
    if not call:
        return []
    return [
        "for m in self.modules():",
        "    if isinstance(m, (nn.Conv2d, nn.Linear)):",
        f"        {call}",
    ]
