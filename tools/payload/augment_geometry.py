"""Batched twins that move pixels: crops with a resize, rotations, affine maps, erased boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import grid_sample

if TYPE_CHECKING or __package__:
    from .augment import Drawn, uniform
else:  # In the worker these are top-level modules.
    from augment import Drawn, uniform

_TRIES = 10
"""torchvision draws a box up to ten times until it fits."""


def boxes(
    n: int, side: tuple[int, int], scale: Any, ratio: Any, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and second sides of ten boxes for each of n images, before any of them is refused: two int64 (n, 10).

    Args:
        n: number of images.
        side: (height, width) of the images.
        scale: lowest and highest share of the image's area.
        ratio: lowest and highest ratio of the first side to the second.
        generator: where the draws come from.
    """
    share = uniform(n * _TRIES, scale, generator).double().view(n, _TRIES)
    logs = torch.log(torch.tensor(ratio, dtype=torch.float32)).tolist()
    skew = uniform(n * _TRIES, logs, generator).exp().double().view(n, _TRIES)
    area = side[0] * side[1] * share
    return (area * skew).sqrt().round().long(), (area / skew).sqrt().round().long()


def first(fits: torch.Tensor, sides: torch.Tensor, otherwise: int) -> torch.Tensor:
    """Of each row of (n, 10) the first value that fits, or `otherwise`: int64 (n,)."""
    at = fits.to(torch.uint8).argmax(dim=1, keepdim=True)  # Of equal maxima, the first.
    return torch.where(fits.any(dim=1), sides.gather(1, at).squeeze(1), otherwise)


def offset(room: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """int64 (n,), each uniform among 0 … room inclusive."""
    draw = torch.rand(len(room), dtype=torch.float64, generator=generator, device=generator.device)
    return (draw * (room + 1)).floor().long()


class ResizedCrop:
    """``RandomResizedCrop``, bilinear and antialiased. A resize to below a quarter may differ by one grey level."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform
        self._side = shape[1:]
        height, width = self._side
        low, high = min(transform.ratio), max(transform.ratio)
        # Where no box fits: the largest one in the middle whose ratio is allowed.
        if width / height < low:
            self._largest = (round(width / low), width)
        elif width / height > high:
            self._largest = (height, round(height * high))
        else:
            self._largest = (height, width)

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``top``, ``left``, ``height``, ``width`` of each crop: int64 (n,)."""
        height, width = self._side
        wide, high = boxes(n, self._side, self._transform.scale, self._transform.ratio, generator)
        fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
        some = fits.any(dim=1)
        high, wide = first(fits, high, self._largest[0]), first(fits, wide, self._largest[1])
        top = torch.where(some, offset(height - high, generator), (height - high) // 2)
        left = torch.where(some, offset(width - wide, generator), (width - wide) // 2)
        return {"top": top, "left": left, "height": high, "width": wide}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The crops, resized: across, then down, by matrices of weights, rounded after each, as torch does bytes."""
        device = images.device
        across = triangles(
            drawn["left"].to(device), drawn["width"].to(device), images.shape[3], self._transform.size[1]
        )
        down = triangles(drawn["top"].to(device), drawn["height"].to(device), images.shape[2], self._transform.size[0])
        rows = torch.matmul(images.float(), across.transpose(1, 2)[:, None]).add_(0.5).floor_().clamp_(max=255)
        return torch.matmul(down[:, None], rows).add_(0.5).clamp_(max=255).to(torch.uint8)


def triangles(start: torch.Tensor, length: torch.Tensor, side: int, size: int) -> torch.Tensor:
    """Weights of an antialiased linear resize of ``start … start + length`` of `side` pixels to `size`.

    Returns:
        float32 (n, size, side), rows of sum one.
    """
    scale = length.double().view(-1, 1, 1) / size
    pixels = torch.arange(side, device=start.device, dtype=torch.float64) - start.double().view(-1, 1, 1)
    centres = scale * (torch.arange(size, device=start.device, dtype=torch.float64).view(1, -1, 1) + 0.5)
    weights = (1 - (pixels + 0.5 - centres).abs() / scale.clamp(min=1)).clamp_(min=0)
    weights *= (pixels >= 0) & (pixels < length.view(-1, 1, 1))
    weights /= weights.sum(dim=2, keepdim=True)
    # torch's kernel for bytes has integer weights of 15 bits: as fine as the largest one allows.
    fine = torch.exp2(torch.log2((2**15 - 0.5) / weights.amax(dim=(1, 2), keepdim=True)).ceil() - 1)
    return ((weights * fine + 0.5).floor() / fine).float()


class Affine:
    """``RandomAffine``. Where rounding decides, a pixel may come from the next place or differ by one grey level."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform
        _, self._height, self._width = shape
        given = getattr(transform.interpolation, "value", transform.interpolation)
        self._mode = "nearest" if given in (0, "nearest") else "bilinear"
        fill = transform.fill
        self._fill = (
            None if fill is None else [float(value) for value in (fill if isinstance(fill, tuple) else (fill,))]
        )
        # Where each pixel of the result lies, from the middle: (3, H * W) of x, y, 1.
        x = torch.linspace((1.0 - self._width) * 0.5, (self._width - 1.0) * 0.5, self._width)
        y = torch.linspace((1.0 - self._height) * 0.5, (self._height - 1.0) * 0.5, self._height)
        down, across = torch.meshgrid(y, x, indexing="ij")
        self._places = torch.stack([across, down, torch.ones_like(down)]).view(3, -1)

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``angle`` and ``shear`` (n, 2) in degrees, ``scale``, ``translate`` (n, 2) in pixels: float32."""
        own = self._transform
        none = torch.zeros(n, device=generator.device)
        angle = uniform(n, own.degrees, generator)
        translate = [none, none]
        if own.translate is not None:
            limits = (own.translate[0] * self._width, own.translate[1] * self._height)
            translate = [uniform(n, (-limit, limit), generator).round() for limit in limits]
        scale = none + 1 if own.scale is None else uniform(n, own.scale, generator)
        shear = [none, none]
        if own.shear is not None:
            shear[0] = uniform(n, own.shear[:2], generator)
            if len(own.shear) == 4:
                shear[1] = uniform(n, own.shear[2:], generator)
        return {"angle": angle, "translate": torch.stack(translate, 1), "scale": scale, "shear": torch.stack(shear, 1)}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The images under these maps."""
        device = images.device
        half = torch.tensor([[0.5 * self._width], [0.5 * self._height]], device=device)
        maps = self._maps({name: value.double() for name, value in drawn.items()}).float().to(device)
        grid = (maps / half).view(-1, 3).mm(self._places.to(device))
        grid = grid.view(len(images), 2, self._height, self._width).permute(0, 2, 3, 1)
        # Outside lie zeros, so that nearest pixels with a black fill need no mask.
        plain = self._fill is None or (self._mode == "nearest" and not any(self._fill))
        values = images.float()
        if not plain:
            values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        values = grid_sample(values, grid, mode=self._mode, padding_mode="zeros", align_corners=False)
        return (values if plain else self._filled(values)).round_().to(torch.uint8)

    def _filled(self, values: torch.Tensor) -> torch.Tensor:
        """The image, mixed with the fill by its last channel, the share of each pixel that comes from inside."""
        values, inside = values[:, :-1], values[:, -1:]
        fill = torch.tensor(self._fill, device=values.device).view(1, -1, 1, 1)
        if self._mode == "nearest":
            return torch.where(inside < 0.5, fill, values)
        return (values - fill) * inside + fill

    def _maps(self, drawn: Drawn) -> torch.Tensor:
        """From a place in the result to its place in the image, in pixels: (n, 2, 3)."""
        angle, shear = drawn["angle"].deg2rad(), drawn["shear"].deg2rad()
        x, y = shear.unbind(1)
        # Rotation, scale and shear: the inverse of R(angle) * scale * SHy(y) * SHx(x), whose determinant is scale².
        a = (angle - y).cos() / y.cos()
        b = -(a * x.tan() + angle.sin())
        c = (angle - y).sin() / y.cos()
        d = angle.cos() - c * x.tan()
        linear = torch.stack([d, -b, -c, a], dim=1).view(-1, 2, 2) / drawn["scale"].view(-1, 1, 1)
        given = self._transform.center
        side = (self._width, self._height)
        centre = [0.0, 0.0] if given is None else [given[at] - side[at] * 0.5 for at in (0, 1)]
        middle = torch.tensor(centre, dtype=linear.dtype, device=linear.device)
        moved = middle - (linear @ (middle + drawn["translate"])[:, :, None]).squeeze(2)
        return torch.cat([linear, moved[:, :, None]], dim=2)


class Rotation(Affine):
    """``RandomRotation`` without ``expand``."""

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``angle``: float32 (n,), in degrees, counter-clockwise."""
        return {"angle": uniform(n, self._transform.degrees, generator)}

    def _maps(self, drawn: Drawn) -> torch.Tensor:
        angle = drawn["angle"]
        nothing = torch.zeros(len(angle), 2, dtype=angle.dtype, device=angle.device)
        # An affine map of torchvision's turns the other way round.
        return super()._maps({"angle": -angle, "scale": nothing[:, 0] + 1, "shear": nothing, "translate": nothing})


class Erasing:
    """``RandomErasing`` on bytes: a box is set to ``value``, between 0 and 255."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform
        self._side = shape[1:]
        self._value = torch.tensor(transform.value).to(torch.uint8).view(1, -1, 1, 1)

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``top``, ``left``, ``height``, ``width`` of each box: int64 (n,); all zero where nothing is erased."""
        height, width = self._side
        chosen = torch.rand(n, generator=generator, device=generator.device) < self._transform.p
        high, wide = boxes(n, self._side, self._transform.scale, self._transform.ratio, generator)
        fits = (high < height) & (wide < width)
        some = chosen & fits.any(dim=1)
        high, wide = first(fits, high, 0) * some, first(fits, wide, 0) * some
        return {
            "top": offset(height - high, generator) * some,
            "left": offset(width - wide, generator) * some,
            "height": high,
            "width": wide,
        }

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The images with their boxes."""
        box = {name: value.to(images.device).view(-1, 1, 1, 1) for name, value in drawn.items()}
        rows = torch.arange(images.shape[2], device=images.device).view(1, 1, -1, 1)
        columns = torch.arange(images.shape[3], device=images.device).view(1, 1, 1, -1)
        inside = (rows >= box["top"]) & (rows < box["top"] + box["height"])
        inside = inside & (columns >= box["left"]) & (columns < box["left"] + box["width"])
        return torch.where(inside, self._value.to(images.device), images)
