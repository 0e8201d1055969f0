"""Names and texts of image transforms: what they mean, checked against torchvision's own signatures.

A spec text is a row of calls of ``torchvision.transforms`` classes with literal arguments, such as
``RandomCrop(32, padding=4) RandomHorizontalFlip() Resize((64, 64))``. Nothing in it is ever evaluated. The one
word beside literals is ``native``: (height, width) of the data set's own images.
"""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torchvision.transforms import v2

MAX_SIDE = 1024
"""Largest height or width of an image on its way, and largest number in a spec: bounds time and memory."""
_MAX_CHARACTERS = 2000
_MAX_STEPS = 16
_SIZES = range(8, 513)

_CAPS = {"side_range": 8, "scale_range": 8, "mixture_width": 16, "chain_depth": 16, "num_ops": 64}
"""Largest values of arguments whose cost grows without the image growing much, or with their square."""

_IMPLIED = (
    "Normalize", "ToTensor", "ToImage", "ConvertImageDtype", "ToDtype", "PILToTensor", "ToPILImage", "ToPureTensor",
)  # fmt: skip
_UNFIT = {
    **dict.fromkeys(("Compose", "RandomApply", "RandomChoice", "RandomOrder"), "takes transforms, not literals"),
    **dict.fromkeys(("Lambda", "LinearTransformation"), "takes code or tensors, not literals"),
    **dict.fromkeys(("FiveCrop", "TenCrop"), "makes several images of one"),
    **dict.fromkeys(("CutMix", "MixUp"), "changes the labels"),
    "UniformTemporalSubsample": "is for videos",
    "RandomIoUCrop": "needs bounding boxes",
    **dict.fromkeys(
        (
            "ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "SanitizeBoundingBoxes",
            "SanitizeKeyPoints", "SetClampingMode",
        ),
        "is for bounding boxes and key points",
    ),
}  # fmt: skip

NAMED = {
    # Conversion and normalisation only, which LEMUR calls ``norm``.
    "normalise": "",
    "norm": "",
    "norm_flip": "RandomHorizontalFlip()",
    # An exception among LEMUR's names: its file of this name has no plain resize.
    "norm_160_flip": "RandomResizedCrop(160) RandomHorizontalFlip()",
    # The usual training transform of CIFAR: He et al., "Deep Residual Learning", section 4.2 (pad by 4, crop, flip).
    "crop_flip": "RandomCrop(native, padding=4) RandomHorizontalFlip()",
    # "LEMUR 2", supplement 11, listing 1: the best transform that a language model wrote (57.28 % on CIFAR-10).
    "prompt_best_256": (
        "RandomResizedCrop(256, scale=(0.8, 1.0), ratio=(0.9, 1.1)) "
        "ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1) "
        "RandomHorizontalFlip() GaussianBlur(kernel_size=3, sigma=(0.5, 1.5))"
    ),
    # "LEMUR 2", supplement 11, listing 2: the best of 6,000 enumerated transforms (61.24 % on CIFAR-10).
    "search_best_64": "RandomPosterize(bits=4, p=0.68) Resize((64, 64))",
    # Winners of the same study that are files of the LEMUR data set, under their names there (ab/nn/transform).
    "bf-v1-RandomPosterize_256": "RandomPosterize(bits=4, p=0.83) Resize((256, 256))",
    "bf-v1-RandomAutocontrast_RandomAdjustSharpnes_256": (
        "RandomAutocontrast(p=0.59) RandomAdjustSharpness(sharpness_factor=1.68, p=0.84) Resize((256, 256))"
    ),
    "bf-v1-RandomCrop_RandomRotation_RandomAutocontrast_256": (
        "RandomCrop(size=30) RandomRotation(degrees=0) RandomAutocontrast(p=0.73) Resize((256, 256))"
    ),
}
"""Name -> spec text, beside ``norm_<size>`` and ``norm_<size>_flip``."""


class TransformError(ValueError):
    """A transform's name or spec text cannot be used; the message says which part and what is known."""


class _Native:
    """Stands for the data set's own (height, width) until that is known."""

    def __repr__(self) -> str:
        return "native"


_NATIVE = _Native()


@dataclass(frozen=True)
class Call:
    """One step of a spec: a class of ``torchvision.transforms.v2`` and the arguments that differ from its defaults."""

    name: str
    positional: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        arguments = [repr(value) for value in self.positional] + [f"{key}={value!r}" for key, value in self.keywords]
        return f"{self.name}({', '.join(arguments)})"

    def at(self, native: tuple[int, int]) -> Call:
        """The same call with ``native`` replaced by this (height, width)."""
        return Call(
            self.name,
            tuple(native if value is _NATIVE else value for value in self.positional),
            tuple((key, native if value is _NATIVE else value) for key, value in self.keywords),
        )

    def build(self) -> Any:
        """The torchvision transform. Raises :class:`TransformError` when torchvision refuses the arguments."""
        keywords = dict(self.keywords)
        try:
            if isinstance(keywords.get("policy"), str):  # AutoAugment's policies are an enumeration of strings.
                keywords["policy"] = v2.AutoAugmentPolicy(keywords["policy"])
            return getattr(v2, self.name)(*self.positional, **keywords)
        except Exception as error:  # torchvision raises many kinds for arguments it does not like.
            raise TransformError(f"{self}: {type(error).__name__}: {error}") from error


def text_of(name: str) -> str | None:
    """Spec text of a named transform, ``None`` if there is no such name."""
    if name in NAMED:
        return NAMED[name]
    # LEMUR resizes the shorter side and crops the middle: with square images, which all of ours are, the same.
    sized = re.fullmatch(r"norm_([1-9]\d{0,3})(_flip)?", name)
    if sized is None or int(sized[1]) not in _SIZES:
        return None
    return f"Resize(({sized[1]}, {sized[1]}))" + (" RandomHorizontalFlip()" if sized[2] else "")


def known_names() -> str:
    """All names, for messages."""
    low, high = _SIZES[0], _SIZES[-1]
    return ", ".join([*NAMED, f"norm_<size> and norm_<size>_flip (size {low} to {high})"])


def parse(text: str) -> list[Call]:
    """The steps of a name or spec text, each with arguments that torchvision accepts.

    Raises:
        TransformError: unknown name or class, not a literal, wrong arguments, too long.
    """
    named = text_of(text.strip())
    source = text if named is None else named
    if len(source) > _MAX_CHARACTERS:
        raise TransformError(f"a transform has at most {_MAX_CHARACTERS} characters, this one has {len(source)}")
    calls = [_call(node) for node in _split(source)]
    if len(calls) > _MAX_STEPS:
        raise TransformError(f"a transform has at most {_MAX_STEPS} steps, this one has {len(calls)}")
    for call in calls:
        call.at((32, 32)).build()
    return calls


def _split(source: str) -> Iterator[ast.expr]:
    """The expressions of a row: each ends at the first closing parenthesis at which it is complete Python."""
    rest = source.strip()
    while rest:
        for end in (at.end() for at in re.finditer(r"\)", rest)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    node = ast.parse(rest[:end], mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            yield node
            rest = rest[end:].lstrip(" \t\n,")
            break
        else:
            raise TransformError(
                f"unknown transform {_short(rest)!r}; known names are: {known_names()}; or write a row of calls of "
                "torchvision.transforms classes, such as RandomCrop(32, padding=4) RandomHorizontalFlip()"
            )


def _call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise TransformError(
            f"{_short(ast.unparse(node))!r} is not a call of a torchvision.transforms class by its name"
        )
    kind = _class(node.func.id)
    if any(isinstance(value, ast.Starred) for value in node.args) or any(key.arg is None for key in node.keywords):
        raise TransformError(f"{node.func.id}: arguments with * are not literals")
    positional = [_value(node.func.id, value) for value in node.args]
    keywords = {str(key.arg): _value(node.func.id, key.value) for key in node.keywords}
    try:
        bound = inspect.signature(kind).bind(*positional, **keywords)
    except TypeError as error:
        raise TransformError(
            f"{node.func.id}: {error}; it takes: {', '.join(inspect.signature(kind).parameters)}"
        ) from error
    for name, value in bound.arguments.items():
        if name in _CAPS and any(part > _CAPS[name] for part in _numbers(value)):
            raise TransformError(f"{node.func.id}: {name}={value!r} is out of range; it goes up to {_CAPS[name]}")
    parameters = inspect.signature(kind).parameters
    given = [(name, value, parameters[name].default) for name, value in bound.arguments.items()]
    return Call(
        node.func.id,
        tuple(value for _, value, default in given if default is inspect.Parameter.empty),
        tuple((name, value) for name, value, default in given if not _same(value, default)),
    )


def _same(value: Any, default: Any) -> bool:
    """Whether an argument says nothing: a required one (written by its place), or the default."""
    return default is inspect.Parameter.empty or value == default


def _class(name: str) -> Any:
    if name in _IMPLIED:
        raise TransformError(
            f"{name} is implied: images become tensors before the first step, and are normalised with the data "
            "set's mean and standard deviation after the last; leave it out"
        )
    kind = getattr(v2, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, v2.Transform) and kind is not v2.Transform):
        raise TransformError(f"torchvision.transforms has no transform {name!r}; known names are: {known_names()}")
    if name in _UNFIT:
        raise TransformError(f"{name} cannot be used here: it {_UNFIT[name]}")
    return kind


def _value(where: str, node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id == "native":
        return _NATIVE
    try:
        return _checked(where, ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        if isinstance(error, TransformError):
            raise
        raise TransformError(f"{where}: {_short(ast.unparse(node))!r} is not a literal") from error


def _checked(where: str, value: object) -> object:
    """Literals of the kinds that transforms take; lists become tuples, so that one meaning has one text."""
    if isinstance(value, tuple | list):
        return tuple(_checked(where, part) for part in value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if abs(value) <= MAX_SIDE:
            return value
        raise TransformError(f"{where}: {value} is out of range; numbers go up to {MAX_SIDE}")
    raise TransformError(f"{where}: a {type(value).__name__} is not an argument of a transform")


def _numbers(value: Any) -> list[float]:
    parts = value if isinstance(value, tuple) else (value,)
    return [part for part in parts if isinstance(part, int | float)]


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
