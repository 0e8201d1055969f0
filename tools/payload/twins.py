"""Which torchvision transforms have a batched twin, which are the same each time, and what test images get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchvision.transforms import v2

if TYPE_CHECKING or __package__:
    from . import augment, augment_colour, augment_geometry
else:  # In the worker these are top-level modules.
    import augment
    import augment_colour
    import augment_geometry

_FIXED = (v2.Resize, v2.CenterCrop, v2.Pad, v2.Grayscale, v2.RGB, v2.Identity)
_CHANCES = (
    v2.RandomHorizontalFlip, v2.RandomVerticalFlip, v2.RandomGrayscale, v2.RandomInvert, v2.RandomSolarize,
    v2.RandomPosterize, v2.RandomEqualize, v2.RandomAutocontrast, v2.RandomAdjustSharpness,
)  # fmt: skip
"""Applied or not, with probability p and with nothing else at random."""
_TWINS: dict[Any, Any] = {
    **dict.fromkeys(_CHANCES, augment.Chance),
    v2.RandomCrop: augment.Crop,
    v2.RandomResizedCrop: augment_geometry.ResizedCrop,
    v2.RandomRotation: augment_geometry.Rotation,
    v2.RandomAffine: augment_geometry.Affine,
    v2.RandomErasing: augment_geometry.Erasing,
    v2.ColorJitter: augment_colour.Jitter,
    v2.GaussianBlur: augment_colour.Blur,
}
_INTERPOLATION = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, which torchvision takes too."""


def twin(transform: Any, shape: tuple[int, int, int]) -> augment.Twin | None:
    """The batched twin of a torchvision transform for images of (C, H, W), ``None`` if it has none."""
    if is_fixed(transform):
        return augment.Whole(transform)
    kind = type(transform)
    if kind is v2.RandomResizedCrop and not (interpolation(transform) == "bilinear" and transform.antialias):
        return None
    if kind in (v2.RandomRotation, v2.RandomAffine) and interpolation(transform) not in ("nearest", "bilinear"):
        return None
    if kind is v2.RandomErasing and transform.value is None:
        return None  # Normal noise, cast to bytes: of no use, but torchvision does it.
    made: augment.Twin | None = _TWINS[kind](transform, shape) if kind in _TWINS else None
    return made


def is_fixed(transform: Any) -> bool:
    """Whether a transform does the same to every image at every time."""
    if type(transform) in _CHANCES:
        return bool(transform.p >= 1)
    if type(transform) is v2.RandomRotation:
        return bool(transform.degrees[0] == transform.degrees[1])
    if type(transform) is v2.GaussianBlur:
        return bool(transform.sigma[0] == transform.sigma[1])
    return type(transform) in _FIXED


def varies(transform: Any) -> bool:
    """Whether the images it makes differ in size from one draw to the next."""
    if type(transform) is v2.RandomRotation:
        return bool(transform.expand) and not is_fixed(transform)
    return type(transform) in (v2.RandomResize, v2.RandomShortestSize, v2.ScaleJitter, v2.RandomZoomOut)


def evens(transform: Any) -> bool:
    """Whether images of any sizes have one size after it."""
    if type(transform) is v2.Resize:
        return len(transform.size or ()) == 2
    return type(transform) in (v2.CenterCrop, v2.RandomCrop, v2.RandomResizedCrop)


def for_test(transform: Any) -> list[Any]:
    """What is done to a test image in this transform's place: nothing random."""
    if is_fixed(transform):
        return [transform]
    if type(transform) is v2.RandomCrop:
        return [augment.CentredCrop(transform)]
    if type(transform) is v2.RandomResizedCrop:
        return [v2.Resize(transform.size, interpolation=transform.interpolation, antialias=transform.antialias)]
    return []


def is_plain_resize(transform: Any) -> bool:
    """Whether it is a bilinear, antialiased resize."""
    return type(transform) is v2.Resize and interpolation(transform) == "bilinear" and bool(transform.antialias)


def interpolation(transform: Any) -> str:
    """The transform's interpolation by name, however it was given."""
    given = getattr(transform.interpolation, "value", transform.interpolation)
    return _INTERPOLATION.get(given, str(given))
