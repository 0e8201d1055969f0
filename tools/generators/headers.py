"""The one-line header that a program is written under: task, shapes, parameter bucket and style.

The embedded model is conditioned on this line, so its form is fixed to the character. A share of the full
combinations is held out of the corpus by a stable hash; whether the model serves them is a fair test of
whether it reads the line or recites.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

ANY = "any"
EACH = "each"  # of the styles in turn; a choice of the designer's, never in a header
STYLES: tuple[str, ...] = (
    "plain",
    "residual",
    "depthwise",
    "inception",
    "dense",
    "se",
    "convnext",
    "mixer",
    "attention",
    "mlp",
)
BUCKETS: tuple[str, ...] = ("<3k", "3k-10k", "10k-30k", "30k-100k", "100k-300k", "300k-1M")
_UPPER: tuple[int, ...] = (3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)

Shape = tuple[int, int, int]

INPUTS: tuple[tuple[Shape, int], ...] = (
    ((1, 8, 8), 10),  # handwritten digits of scikit-learn
    ((1, 28, 28), 10),  # MNIST, Fashion-MNIST
    ((3, 32, 32), 10),  # CIFAR-10, SVHN
    ((3, 32, 32), 100),  # CIFAR-100
    ((1, 16, 16), 10),  # USPS
    ((1, 28, 28), 47),  # EMNIST, balanced
    ((3, 64, 64), 10),  # larger colour images
)
INPUT_WEIGHTS: tuple[float, ...] = (0.34, 0.22, 0.18, 0.07, 0.07, 0.05, 0.07)
BUCKET_WEIGHTS: dict[str, float] = {
    "<3k": 0.8,
    "3k-10k": 1.2,
    "10k-30k": 1.4,
    "30k-100k": 1.3,
    "100k-300k": 1.0,
    "300k-1M": 0.7,
}
HELD_OUT_PERCENT = 12

_LINE = re.compile(r"# task=img-classification in=(\d+)x(\d+)x(\d+) out=(\d+) params=(\S+) style=([a-z]+)\Z", re.ASCII)


@dataclass(frozen=True)
class Header:
    """What a program is for.

    Attributes:
        in_shape: channels, height and width of one image.
        classes: number of outputs.
        bucket: one of :data:`BUCKETS`, or ``any``.
        style: one of :data:`STYLES`, or ``any``.

    Raises:
        ValueError: for an unknown bucket or style, or for a size below one.
    """

    in_shape: Shape
    classes: int
    bucket: str = ANY
    style: str = ANY

    def __post_init__(self) -> None:
        if self.bucket != ANY and self.bucket not in BUCKETS:
            raise ValueError(f"unknown parameter bucket {self.bucket!r}; choose from {(*BUCKETS, ANY)}")
        if self.style != ANY and self.style not in STYLES:
            raise ValueError(f"unknown style {self.style!r}; choose from {(*STYLES, ANY)}")
        if len(self.in_shape) != 3 or min(self.in_shape) < 1 or self.classes < 1:
            raise ValueError(f"sizes must be positive, got in={self.in_shape} out={self.classes}")

    def render(self) -> str:
        """The header as one line without a newline."""
        c, h, w = self.in_shape
        shapes = f"in={c}x{h}x{w} out={self.classes}"
        return f"# task=img-classification {shapes} params={self.bucket} style={self.style}"

    @classmethod
    def parse(cls, line: str) -> Header:
        """Read a line that :meth:`render` wrote; white space around it is ignored.

        Raises:
            ValueError: if the line is not such a header.
        """
        match = _LINE.match(line.strip())
        if match is None:
            raise ValueError(f"not a program header: {line[:120]!r}; expected e.g. {_EXAMPLE.render()!r}")
        c, h, w, classes = (int(match[i]) for i in range(1, 5))
        return cls((c, h, w), classes, match[5], match[6])

    @property
    def complete(self) -> bool:
        """Whether both bucket and style are given."""
        return ANY not in (self.bucket, self.style)


_EXAMPLE = Header((1, 8, 8), 10, "10k-30k", "residual")


def bucket_of(params: int) -> str:
    """The bucket that holds ``params``: lower bound included, upper bound not; ``any`` from a million on."""
    for bucket, upper in zip(BUCKETS, _UPPER, strict=True):
        if params < upper:
            return bucket
    return ANY


def bucket_bounds(bucket: str) -> tuple[int, int]:
    """Smallest and largest parameter count of a bucket, both included."""
    index = BUCKETS.index(bucket)
    return (_UPPER[index - 1] if index else 1), _UPPER[index] - 1


def buckets_under(max_params: int) -> tuple[str, ...]:
    """Buckets in which every network has at most ``max_params`` parameters, smallest first.

    The smallest bucket is always returned, since there is nothing smaller to ask for.
    """
    fitting = tuple(b for b in BUCKETS if bucket_bounds(b)[1] <= max_params)
    return fitting or BUCKETS[:1]


def is_held_out(header: Header) -> bool:
    """Whether this combination of shapes, bucket and style never occurs in the corpus.

    Decided by a hash, so it needs no list and no seed. A header with ``any`` is never held out.
    """
    if not header.complete:
        return False
    digest = hashlib.sha256(header.render().encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT
