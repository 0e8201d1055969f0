"""Batched twins that change values: colour jitter and blur. Equal to torchvision's but for one grey level in a few
of 100,000 pixels, where rounding decides.

torchvision's kernels take one factor for all images; these take one for each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad

if TYPE_CHECKING or __package__:
    from .augment import Drawn, uniform
else:  # In the worker these are top-level modules.
    from augment import Drawn, uniform


class Jitter:
    """``ColorJitter``: up to four changes of colour, in a random order of its own for each image."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        # Saturation and hue of a grey image are left alone by torchvision as well.
        known = (brightness, contrast, saturation, hue) if shape[0] == 3 else (brightness, contrast)
        limits = {change: getattr(transform, change.__name__) for change in known}
        self._changes = {change: tuple(limit) for change, limit in limits.items() if limit is not None}

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """A factor for each kind of change, float32 (n,); ``order``, int64 (n, changes): which one comes when."""
        drawn = {change.__name__: uniform(n, limits, generator) for change, limits in self._changes.items()}
        keys = torch.rand((n, len(self._changes)), generator=generator, device=generator.device)
        return {**drawn, "order": keys.argsort(dim=1)}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The images with their colours changed."""
        images = images.clone()
        for turn in drawn["order"].unbind(1):
            for number, change in enumerate(self._changes):
                rows = (turn == number).nonzero().flatten()
                factor = drawn[change.__name__][rows].to(images.device).view(-1, 1, 1, 1)
                rows = rows.to(images.device)
                images.index_copy_(0, rows, change(images.index_select(0, rows), factor))
        return images


def brightness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """uint8 (n, C, H, W), brighter by float32 (n, 1, 1, 1)."""
    return (images * factor).clamp_(0, 255).to(torch.uint8)


def contrast(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Mixed with the mean of its grey values."""
    return _mixed(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factor)


def saturation(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Mixed with its grey values."""
    return _mixed(images, _grey(images), factor)


def hue(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """RGB turned on the circle of colours by float32 (n, 1, 1, 1), 1 being once around.

    Hue, saturation and value there and back: with value v, chroma c and hue h in sixths, each of red, green and blue
    is v - c * clamp(min(k, 4 - k), 0, 1), where k = (h + 5, 3, 1) mod 6.
    """
    red, green, blue = (images.float() / 255).unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    safe = torch.where(chroma == 0, 1, chroma)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = (sixths + 6 * factor[:, 0])[:, None]
    k = (turned + torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)).remainder(6)
    colours = value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp_(0, 1)
    # torchvision's way from [0, 1] to bytes: 256 equal intervals.
    return colours.mul_(255 + 1 - 1e-3).clamp_(0, 255).to(torch.uint8)


def _grey(images: torch.Tensor) -> torch.Tensor:
    """float32 (n, 1, H, W) of whole numbers."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.unbind(1)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()[:, None]


def _mixed(images: torch.Tensor, others: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return (images * factor).addcmul_(others, 1.0 - factor).clamp_(0, 255).to(torch.uint8)


class Blur:
    """``GaussianBlur`` with a spread of its own for each image."""

    def __init__(self, transform: Any, shape: tuple[int, int, int]) -> None:
        self._transform = transform

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """``sigma``: float32 (n,)."""
        return {"sigma": uniform(n, self._transform.sigma, generator)}

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """The blurred images: first across, then down, which is the same as both at once and cheaper."""
        across, down = self._transform.kernel_size
        values = pad(images.float(), [across // 2, across // 2, down // 2, down // 2], mode="reflect")
        for dim, taps in ((3, across), (2, down)):
            weights = _gaussian(taps, drawn["sigma"].to(images.device))
            size = images.shape[dim]
            total = values.narrow(dim, 0, size) * weights[0]
            for tap in range(1, taps):
                total.addcmul_(values.narrow(dim, tap, size), weights[tap])
            values = total
        return values.round_().to(torch.uint8)


def _gaussian(taps: int, sigma: torch.Tensor) -> torch.Tensor:
    """Weights of each tap for each image: float32 (taps, n, 1, 1, 1), of sum one over the taps."""
    # exp(-x² / (2 sigma²)), with the 2 in the places.
    reach = (taps - 1) / (2.0 * math.sqrt(2.0))
    places = torch.linspace(-reach, reach, taps, device=sigma.device).view(-1, 1)
    return torch.softmax(-((places / sigma) ** 2), dim=0).view(taps, -1, 1, 1, 1)
