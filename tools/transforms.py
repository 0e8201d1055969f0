"""Image transforms of protocols, seen from the host: names, specs and shapes.

The transforms themselves live in ``payload.transforms``, which imports torchvision; here that happens on first use
only, since most commands never need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .payload.transforms import Pipeline


def known_transforms() -> dict[str, str]:
    """Name -> spec text of every named transform; ``<size>`` stands for a side of 8 to 512 pixels."""
    from .payload.transform_specs import NAMED

    sized = {"norm_<size>": "Resize((<size>, <size>))", "norm_<size>_flip": "Resize((<size>, <size>)) "}
    sized["norm_<size>_flip"] += NAMED["norm_flip"]
    return {**NAMED, **sized}


def shape_after(text: str, in_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(channels, height, width) that a network sees of images of `in_shape` under a named transform or spec text.

    Raises:
        TransformError: the text cannot be read, or does not fit images of this shape.
    """
    return _pipeline(text, in_shape).out_shape


def cached_size(text: str, in_shape: tuple[int, int, int]) -> tuple[int, int] | None:
    """(height, width) of the resized copy of a data set from which this transform may start, ``None`` without one.

    Raises:
        TransformError: the text cannot be read, or does not fit images of this shape.
    """
    return _pipeline(text, in_shape).cached_size


def _pipeline(text: str, in_shape: tuple[int, int, int]) -> Pipeline:
    from .payload.transforms import Pipeline

    return Pipeline(text, in_shape)
