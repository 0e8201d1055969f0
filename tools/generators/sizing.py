"""Parameters and multiply-adds of generated files, by running them over shapes instead of tensors.

Building a network in torch, even on the meta device, takes tens of milliseconds; fitting a corpus of
thousands of programs to their buckets takes tens of thousands of builds. The few modules of the generator's
vocabulary are therefore stood in for by classes that know sizes only. The tests hold them against torch.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator, Sequence
from types import CodeType, SimpleNamespace
from typing import Any

Dims = tuple[int, ...]


class Sized:
    """A tensor that is only its shape."""

    def __init__(self, *shape: int) -> None:
        if min(shape, default=1) < 1:
            raise ValueError(f"a tensor of the program shrank to nothing: {shape}")
        self.shape: Dims = shape

    def _broadcast(self, other: Sized | float) -> Sized:
        if isinstance(other, Sized) and len(other.shape) > len(self.shape):
            return other
        if isinstance(other, Sized) and len(other.shape) == len(self.shape):
            return Sized(*(max(a, b) for a, b in zip(self.shape, other.shape, strict=True)))
        return self

    __add__ = __radd__ = __mul__ = __rmul__ = _broadcast

    def flatten(self, start: int) -> Sized:
        return Sized(*self.shape[:start], math.prod(self.shape[start:]))

    def transpose(self, first: int, second: int) -> Sized:
        dims = list(self.shape)
        dims[first], dims[second] = dims[second], dims[first]
        return Sized(*dims)

    def mean(self, dim: int) -> Sized:
        return Sized(*(size for i, size in enumerate(self.shape) if i != dim))


class Module:
    """Stand-in of ``nn.Module``: ``own`` is its parameters without those of its parts."""

    own = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        self.macs = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.forward(*args, **options)

    def forward(self, x: Any) -> Any:
        return x

    def modules(self) -> Iterator[Module]:
        """This module and all its parts."""
        yield self
        for value in vars(self).values():
            if isinstance(value, Module):
                yield from value.modules()

    @property
    def params(self) -> int:
        """Parameters of the module and its parts."""
        direct = sum(
            math.prod(value.shape)
            for module in self.modules()
            for value in vars(module).values()
            if isinstance(value, Sized)
        )
        return direct + sum(module.own for module in self.modules())


class Chain(Module):
    """``nn.Sequential`` of modules, or ``nn.ModuleList`` of one list."""

    def __init__(self, *parts: Any) -> None:
        super().__init__()
        self.parts: Sequence[Module] = parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts

    def __iter__(self) -> Iterator[Module]:
        return iter(self.parts)

    def modules(self) -> Iterator[Module]:
        yield self
        for part in self.parts:
            yield from part.modules()

    def forward(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x


class Conv2d(Module):
    weight = None

    def __init__(self, c: int, k: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> None:
        super().__init__()
        if c % groups or k % groups or min(c, k) < 1:
            raise ValueError(f"no convolution from {c} to {k} channels in {groups} groups")
        self.c, self.k, self.geometry = c, k, (kernel, stride, padding)
        self.weight_size = c // groups * k * kernel * kernel
        self.own = self.weight_size + k

    def forward(self, x: Sized) -> Sized:
        kernel, stride, padding = self.geometry
        n, c, h, w = x.shape
        if c != self.c:
            raise ValueError(f"a convolution of {self.c} channels got {c}")
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (h, w))
        self.macs += height * width * self.weight_size
        return Sized(n, self.k, height, width)


class Linear(Module):
    weight = None

    def __init__(self, c: int, k: int) -> None:
        super().__init__()
        self.c, self.k = c, k
        self.own = c * k + k

    def forward(self, x: Sized) -> Sized:
        if x.shape[-1] != self.c:
            raise ValueError(f"a linear layer of {self.c} features got {x.shape[-1]}")
        self.macs += math.prod(x.shape[1:-1]) * self.c * self.k
        return Sized(*x.shape[:-1], self.k)


class Norm(Module):
    """Normalisation with a scale and a shift per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = 2 * channels


class GroupNorm(Norm):
    def __init__(self, groups: int, channels: int) -> None:
        super().__init__(channels)
        if channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")


class Pool2d(Module):
    def __init__(self, kernel: int, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.geometry = kernel, stride or kernel, padding

    def forward(self, x: Sized) -> Sized:
        kernel, stride, padding = self.geometry
        n, c, h, w = x.shape
        return Sized(n, c, *((side + 2 * padding - kernel) // stride + 1 for side in (h, w)))


class AdaptivePool2d(Module):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Sized) -> Sized:
        return Sized(*x.shape[:2], self.side, self.side)


class Flatten(Module):
    def forward(self, x: Sized) -> Sized:
        return x.flatten(1)


class MultiheadAttention(Module):
    def __init__(self, d: int, heads: int, batch_first: bool) -> None:
        super().__init__()
        if d % heads:
            raise ValueError(f"{d} features do not divide into {heads} heads")
        self.d, self.own = d, 4 * d * (d + 1)

    def __call__(self, q: Sized, k: Sized, v: Sized, need_weights: bool) -> tuple[Sized, None]:
        n = q.shape[1]
        self.macs += n * 4 * self.d * self.d + 2 * n * n * self.d
        return q, None


def _cat(parts: Sequence[Sized], dim: int) -> Sized:
    n, _, *rest = parts[0].shape
    if dim != 1 or any((part.shape[0], *part.shape[2:]) != (n, *rest) for part in parts):
        raise ValueError(f"cannot concatenate {[part.shape for part in parts]}")
    return Sized(n, sum(part.shape[1] for part in parts), *rest)


_MODULES: dict[str, Any] = {
    "Module": Module,
    "Sequential": Chain,
    "ModuleList": Chain,
    "Conv2d": Conv2d,
    "Linear": Linear,
    "BatchNorm1d": Norm,
    "BatchNorm2d": Norm,
    "LayerNorm": Norm,
    "GroupNorm": GroupNorm,
    "MaxPool2d": Pool2d,
    "AvgPool2d": Pool2d,
    "AdaptiveAvgPool2d": AdaptivePool2d,
    "AdaptiveMaxPool2d": AdaptivePool2d,
    "Flatten": Flatten,
    "MultiheadAttention": MultiheadAttention,
    "Parameter": lambda data: data,
    "init": SimpleNamespace(kaiming_normal_=lambda w: w, xavier_uniform_=lambda w: w, normal_=lambda w, std: w),
}
_POINTWISE = [
    "Identity",
    "Dropout",
    "ReLU",
    "GELU",
    "SiLU",
    "LeakyReLU",
    "Tanh",
    "ELU",
    "Hardswish",
    "Sigmoid",
    "Hardsigmoid",
]
_NN = SimpleNamespace(**_MODULES, **dict.fromkeys(_POINTWISE, Module))
_TORCH = SimpleNamespace(nn=_NN, zeros=Sized, ones=Sized, randn=Sized, cat=_cat)


def _import(name: str, *rest: Any) -> SimpleNamespace:
    if name not in ("torch", "torch.nn"):
        raise ImportError(f"the generator's programs import torch alone, not {name}")
    return _TORCH


_BUILTINS = {**vars(builtins), "__import__": _import}


def measure(code: CodeType, in_shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    """Parameters, and multiply-adds of one image's forward pass, of a generated file.

    Args:
        code: the compiled file; only what this package's generator writes is understood.
        in_shape: channels, height, width.
        classes: number of outputs.

    Raises:
        ValueError: if the network does not fit together on this input.
    """
    names: dict[str, Any] = {"__name__": "generated", "__builtins__": _BUILTINS}
    exec(code, names)
    net = names["Net"]((2, *in_shape), (classes,), {"lr": 0.01, "momentum": 0.9}, "cpu")
    for module in net.modules():
        module.macs = 0
    output = net(Sized(2, *in_shape))
    if output.shape != (2, classes):
        raise ValueError(f"the network gives {output.shape} for a batch of 2 and {classes} classes")
    return net.params, sum(module.macs for module in net.modules())
