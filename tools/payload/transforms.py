"""Image transforms of a protocol, applied to whole batches of resident bytes.

A pipeline matches torchvision's transforms in distribution: every image has its own random draw, all draws come
from one generator, and each step works on the batch at once. A transform without a batched twin is torchvision's
own, applied image by image.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2 import functional

if TYPE_CHECKING or __package__:
    from . import augment, transform_specs, twins
    from .transform_specs import TransformError
else:  # In the worker these are top-level modules.
    import augment
    import transform_specs
    import twins
    from transform_specs import TransformError

__all__ = ["Pipeline", "TransformError", "resize", "resolve"]

_VALUES = 2**19
"""Values of one image batch that a twin gets at once: its float copies stay near the processor, and small."""


def resolve(text: str) -> str:
    """Canonical spec of a named transform or of a spec text; of a canonical spec, itself.

    ``normalise`` is the empty spec. ``native`` stays in the text, since it depends on the data set.

    Raises:
        TransformError: what is wrong, and the known names.
    """
    return " ".join(str(call) for call in transform_specs.parse(text))


def resize(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear, antialiased resize of uint8 (n, C, H, W) to uint8 (n, C, *size), bit for bit torchvision's."""
    resized: torch.Tensor = functional.resize(images, list(size), antialias=True)
    return resized


@dataclass(frozen=True)
class _Step:
    """A run of transforms: one batched twin, or some of torchvision's applied to one image after the other."""

    transforms: tuple[Any, ...]
    twin: augment.Twin | None
    rows: int

    def train(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        if self.twin is not None:
            drawn = self.twin.draw(len(images), generator)
            if len(images) <= self.rows:
                return self.twin.apply(images, drawn)
            starts = range(0, len(images), self.rows)
            parts = [slice(start, start + self.rows) for start in starts]
            return torch.cat(
                [self.twin.apply(images[part], {name: drawn[name][part] for name in drawn}) for part in parts]
            )
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        with _own_randomness(seed):
            return torch.stack([_chain(self.transforms, image) for image in images])


class Pipeline:
    """A transform made ready for images of one shape.

    Args:
        text: a name or a spec text (see :func:`resolve`).
        in_shape: (channels, height, width) of the data set's images.

    Attributes:
        spec: canonical text, with ``native`` replaced.
        cached_size: (height, width) of a leading deterministic resize: the result of :func:`resize` may be kept
            and given in its place. ``None`` if there is none, or if it changes nothing.
        out_shape: (channels, height, width) of what the network sees.
        batched: whether every step has a batched twin.

    Raises:
        TransformError: the text cannot be read, or a step cannot be applied to images of this shape.
    """

    def __init__(self, text: str, in_shape: tuple[int, int, int]) -> None:
        calls = [call.at(in_shape[1:]) for call in transform_specs.parse(text)]
        transforms = [call.build() for call in calls]
        self.spec = " ".join(str(call) for call in calls)
        self.in_shape = in_shape
        self.out_shape = in_shape
        self.cached_size: tuple[int, int] | None = None
        self._steps: list[_Step] = []
        for run in _runs(transforms):
            shape, self.out_shape = self.out_shape, _probe(run, self.out_shape)
            rows = max(1, _VALUES // max(math.prod(shape), math.prod(self.out_shape)))
            self._steps.append(_Step(run, twins.twin(run[0], shape) if len(run) == 1 else None, rows))
        self._tests = [part for transform in transforms for part in twins.for_test(transform)]
        if transforms and twins.is_plain_resize(transforms[0]):
            _, height, width = _probe(transforms[:1], in_shape)
            self.cached_size = (height, width) if (height, width) != in_shape[1:] else None
        self.batched = all(step.twin is not None for step in self._steps)
        tested = _probe(self._tests, in_shape)
        if tested != self.out_shape:
            raise TransformError(
                f"{self.spec}: test images would have shape {tested}, training images {self.out_shape}"
            )

    def train(self, images: torch.Tensor, generator: torch.Generator, resized: bool) -> torch.Tensor:
        """All steps, with random draws from `generator`; the global generators stay as they are.

        Args:
            images: uint8 (n, C, H, W); never changed, and returned as they are if there is nothing to do.
            generator: where all draws come from.
            resized: whether the images come from a copy of size :attr:`cached_size`.

        Returns:
            uint8 (n, *out_shape).
        """
        self._check(images, resized)
        if len(images) == 0:
            return images.new_empty((0, *self.out_shape))
        with _plainly(images):
            for step in self._steps[1:] if resized else self._steps:
                images = step.train(images, generator)
        return images

    def test(self, images: torch.Tensor, resized: bool) -> torch.Tensor:
        """The deterministic steps only; random crops become centre crops or resizes. Shapes as for :meth:`train`."""
        self._check(images, resized)
        if len(images) == 0:
            return images.new_empty((0, *self.out_shape))
        with _plainly(images), _own_randomness(0):
            return _chain(self._tests[1:] if resized else self._tests, images)

    def _check(self, images: torch.Tensor, resized: bool) -> None:
        if resized and self.cached_size is None:
            raise ValueError(f"{self.spec or 'an empty transform'} has no leading resize that a copy could replace")
        height, width = self.cached_size if resized and self.cached_size else self.in_shape[1:]
        expected = (self.in_shape[0], height, width)
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != expected:
            raise ValueError(f"expected uint8 images of shape {expected}, got {images.dtype} {tuple(images.shape)}")


def _runs(transforms: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Each transform alone, but one that makes images of different sizes together with all up to the next that
    makes them one size again: between these there is no batch."""
    run: list[Any] = []
    for transform in transforms:
        run.append(transform)
        if len(run) > 1:
            if twins.evens(transform):
                yield tuple(run)
                run = []
        elif not twins.varies(transform):
            yield tuple(run)
            run = []
    if run:
        name = type(run[0]).__name__
        raise TransformError(f"{name} makes images of different sizes; let a Resize((height, width)) follow")


def _chain(transforms: list[Any] | tuple[Any, ...], images: torch.Tensor) -> torch.Tensor:
    for transform in transforms:
        images = transform(images)
    return images


def _probe(transforms: list[Any] | tuple[Any, ...], shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape after some transforms, found by torchvision itself on a black image."""
    image = torch.zeros(shape, dtype=torch.uint8)
    with _own_randomness(0):
        for transform in transforms:
            before, name = tuple(image.shape), type(transform).__name__
            try:
                image = _always(transform)(image)
            except Exception as error:  # torchvision raises many kinds for images it does not like.
                raise TransformError(f"{name} on images of shape {before}: {type(error).__name__}: {error}") from error
            if (
                image.dtype != torch.uint8
                or image.ndim != 3
                or not 0 < max(image.shape[1:]) <= transform_specs.MAX_SIDE
            ):
                made = f"{image.dtype} {tuple(image.shape)}"
                raise TransformError(
                    f"{name} on images of shape {before} makes {made}; only bytes with sides up to "
                    f"{transform_specs.MAX_SIDE} can go on"
                )
    channels, height, width = image.shape
    return channels, height, width


def _always(transform: Any) -> Any:
    """The transform with probability one, so that an error does not wait for the first image that meets it."""
    if not hasattr(transform, "p"):
        return transform
    certain = copy.copy(transform)
    certain.p = 1.0
    return certain


@contextlib.contextmanager
def _plainly(images: torch.Tensor) -> Iterator[None]:
    """Full precision and no checks: batches are made while a network trains, perhaps under autocast, which would
    blur places; and in deterministic mode torch fills all new memory first, which doubles the time here."""
    deterministic: Any = torch.utils.deterministic
    before = deterministic.fill_uninitialized_memory
    deterministic.fill_uninitialized_memory = False
    try:
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            yield
    finally:
        deterministic.fill_uninitialized_memory = before


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """torchvision draws from the global generator: seed it inside, and put it back afterwards."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
