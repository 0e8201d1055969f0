"""Batched twins of torchvision's transforms: the same distribution, one draw per image, no loop over images.

A twin reads its settings from the torchvision transform that it stands for, so that both are always built from
the same arguments. ``draw`` makes the random parameters of n images, ``apply`` uses them: with the same parameters
the pixels are those of ``torchvision.transforms.v2.functional``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torchvision.transforms.v2 import functional

Drawn = dict[str, torch.Tensor]
"""Random parameters by name; the first dimension of each is the image."""


class Twin(Protocol):
    """A transform of whole batches."""

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """Random parameters of `n` images."""

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """uint8 (n, C, H, W) -> uint8 (n, C', h, w), with these parameters. The images given stay as they are."""


def uniform(n: int, limits: Sequence[float], generator: torch.Generator) -> torch.Tensor:
    """float32 (n,) from the first of two limits up to the second, made as torchvision makes one."""
    values = torch.empty(n, dtype=torch.float32, device=generator.device)
    return values.uniform_(limits[0], limits[1], generator=generator)


class Whole:
    """A transform without randomness: torchvision's own, which takes batches as they are."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """Nothing."""
        return {}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The transform of the whole batch."""
        with torch.random.fork_rng(devices=[]):  # torchvision draws even where it cannot matter.
            transformed: torch.Tensor = self._transform(images)
        return transformed


class Chance:
    """A transform that happens to an image or not: torchvision's own, on those images to which it happens."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform
        self._parameters = transform.make_params([torch.zeros(shape, dtype=torch.uint8)])

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``chosen``: bool (n,)."""
        return {"chosen": torch.rand(n, generator=generator, device=generator.device) < self._transform.p}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The transform of the chosen images."""
        rows = drawn["chosen"].to(images.device).nonzero().flatten()
        changed = self._transform.transform(images.index_select(0, rows), self._parameters)
        return images.index_copy(0, rows, changed)


class Crop:
    """``RandomCrop``, with its padding."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform
        self._padding = crop_padding(transform, shape)
        left, top, right, bottom = self._padding
        self._height, self._width = transform.size
        self._rows = shape[1] + top + bottom - self._height + 1
        self._columns = shape[2] + left + right - self._width + 1

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``top`` and ``left`` of each crop in the padded image: int64 (n,)."""
        return {
            "top": torch.randint(self._rows, (n,), generator=generator, device=generator.device),
            "left": torch.randint(self._columns, (n,), generator=generator, device=generator.device),
        }

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The crops."""
        padded = pad(images, self._padding, self._transform)
        windows = padded.unfold(2, self._height, 1).unfold(3, self._width, 1)
        at = torch.arange(len(images), device=images.device)
        return windows[at, :, drawn["top"].to(at.device), drawn["left"].to(at.device)]


class CentredCrop:
    """What ``RandomCrop`` becomes for test images: the same padding, the crop in the middle."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (..., C, H, W) -> uint8 (..., C, h, w)."""
        padded = pad(images, crop_padding(self._transform, images.shape[-3:]), self._transform)
        cropped: torch.Tensor = functional.center_crop(padded, list(self._transform.size))
        return cropped


def crop_padding(transform: Any, shape: tuple[int, ...]) -> list[int]:
    """(left, top, right, bottom) that a ``RandomCrop`` adds to images of (C, H, W), ``pad_if_needed`` included."""
    with torch.random.fork_rng(devices=[]):
        padding: list[int] = transform.make_params([torch.empty(shape, dtype=torch.uint8)])["padding"]
    return padding


def pad(images: torch.Tensor, padding: list[int], transform: Any) -> torch.Tensor:
    """Padded with the fill and in the mode of this transform."""
    if not any(padding):
        return images
    padded: torch.Tensor = functional.pad(images, padding, fill=transform.fill, padding_mode=transform.padding_mode)
    return padded
