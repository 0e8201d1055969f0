"""Choosing headers: which combinations of shapes, style and size exist, and how often each is drawn."""

from __future__ import annotations

import functools
import random

from .headers import (
    ANY,
    BUCKET_WEIGHTS,
    BUCKETS,
    INPUT_WEIGHTS,
    INPUTS,
    STYLES,
    Header,
    Shape,
    is_held_out,
)

STYLE_ANY_SHARE = 0.3
PARAMS_ANY_SHARE = 0.2

# First and last bucket that a style reaches within the limits on width, depth and multiply-adds, by style,
# for the inputs in the order of INPUTS.
_REACH: dict[str, str] = {
    "plain": "04 05 04 05 04 05 05",
    "residual": "05 04 05 15 05 05 04",
    "depthwise": "05 05 05 05 05 15 05",
    "inception": "05 05 05 15 05 15 05",
    "dense": "03 03 13 14 03 14 14",
    "se": "05 05 05 05 05 05 05",
    "convnext": "05 05 05 15 05 15 05",
    "mixer": "04 05 05 05 05 05 15",
    "attention": "05 05 05 15 05 05 05",
    "mlp": "05 15 25 25 05 15 35",
}


def feasible_buckets(in_shape: Shape, classes: int, style: str) -> tuple[str, ...]:
    """Buckets that the generator can fill for these shapes in this style, smallest first.

    Shapes outside :data:`INPUTS` take the answer of the known input with the nearest number of pixels.
    """

    def distance(index: int) -> tuple[int, int]:
        (c, h, w), known = INPUTS[index]
        return abs(c * h * w - in_shape[0] * in_shape[1] * in_shape[2]), abs(known - classes)

    nearest = min(range(len(INPUTS)), key=distance)
    first, last = (int(digit) for digit in _REACH[style].split()[nearest])
    return BUCKETS[first : last + 1]


@functools.lru_cache(maxsize=256)
def combinations(in_shape: Shape, classes: int, *, held_out: bool = False) -> tuple[Header, ...]:
    """Complete headers that the generator can fill for these shapes: those of the corpus, or the held-out."""
    headers = (
        Header(in_shape, classes, bucket, style)
        for style in STYLES
        for bucket in feasible_buckets(in_shape, classes, style)
    )
    return tuple(header for header in headers if is_held_out(header) == held_out)


def complete_header(rng: random.Random, wish: Header) -> Header:
    """Fill the ``any`` fields of a wish: style first, evenly, then the bucket by its weight.

    Raises:
        ValueError: if the wish leaves no combination that is both feasible and in the corpus.
    """
    if wish.complete:
        return wish
    options = [
        header
        for header in combinations(wish.in_shape, wish.classes)
        if wish.style in (ANY, header.style) and wish.bucket in (ANY, header.bucket)
    ]
    if not options:
        raise ValueError(f"no program can be written for {wish.render()!r}; ask for params=any or style=any")
    style = rng.choice(sorted({header.style for header in options}))
    options = [header for header in options if header.style == style]
    return rng.choices(options, [BUCKET_WEIGHTS[header.bucket] for header in options])[0]


def sample_header(
    rng: random.Random, *, style_any: float = STYLE_ANY_SHARE, params_any: float = PARAMS_ANY_SHARE
) -> Header:
    """A header as the corpus has them: never a held-out combination.

    Args:
        rng: the only source of chance.
        style_any: share of headers that leave the style to the author.
        params_any: share, independent of the former, that leave the size open.
    """
    in_shape, classes = rng.choices(INPUTS, INPUT_WEIGHTS)[0]
    full = complete_header(rng, Header(in_shape, classes))
    style = ANY if rng.random() < style_any else full.style
    bucket = ANY if rng.random() < params_any else full.bucket
    return Header(in_shape, classes, bucket, style)


def held_out_headers(rng: random.Random, n: int) -> list[Header]:
    """``n`` feasible held-out headers, distinct while there are enough of them."""
    pool = [h for shape, classes in INPUTS for h in combinations(shape, classes, held_out=True)]
    chosen: list[Header] = []
    while len(chosen) < n:
        chosen += rng.sample(pool, min(len(pool), n - len(chosen)))
    return chosen
