"""How a candidate is run where its protocol leaves that open: device, precision, memory layout.

The choice follows from the machine and the network alone, never from a clock, so that the same candidate gives
the same score twice. bf16 and channels_last together halve the CPU time of a convolutional network on
processors with bf16 instructions, at equal accuracy (``benchmarks/evaluator.py``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
MOST_DEPTHWISE = 0.25
"""Share of depthwise convolutions above which a network gains nothing by bf16 on a CPU."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library


@dataclass(frozen=True)
class Setting:
    """One way to run a network.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: of the forward pass: ``fp32``, or ``bf16`` by autocast. Weights, loss and optimiser are fp32.
        layout: memory order of images and of what convolutions make of them: ``contiguous`` or ``channels_last``.
    """

    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "contiguous"

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format


def bf16_pays(device: str) -> bool:
    """Has the machine instructions for bf16? Elsewhere it is emulated, and slower than fp32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def settings(precision: str, device: str, net: nn.Module) -> list[Setting]:
    """Settings to try for a network, the fastest first; a later one is for networks that fail under an earlier.

    Args:
        precision: the protocol's: ``fp32``, ``bf16`` or ``auto``.
    """
    if precision == "fp32":
        return [Setting(device)]
    convolutions = [layer for layer in net.modules() if isinstance(layer, CONVOLUTIONS)]
    layout = "channels_last" if convolutions else "contiguous"
    depthwise = sum(1 for layer in convolutions if layer.groups > 1 and layer.groups == layer.in_channels)
    # Without convolutions the products are small, and casting their weights costs more than it saves; depthwise
    # ones are slower in bf16 than in fp32 on CPUs (0.7 of the speed).
    dense = bool(convolutions) and depthwise <= MOST_DEPTHWISE * len(convolutions)
    half = precision == "bf16" or ((dense or device == "cuda") and bf16_pays(device))
    tried = [Setting(device, "bf16" if half else "fp32", layout)]
    if precision == "auto" and tried[0] != Setting(device):
        tried.append(Setting(device))
    return tried


def apply(setting: Setting, net: nn.Module) -> nn.Module:
    """Bring a built network to a setting, before its optimiser is made. The same object comes back."""
    if setting.layout == "channels_last":
        net.to(memory_format=torch.channels_last)
        _let_views_copy()
    if setting.precision == "bf16":
        # Around forward() alone: weights that autocast keeps in bf16 would be stale after the optimiser's step.
        net.forward = _autocast(net.forward, setting.device)
    return net


def keep_memory() -> None:
    """Let the allocator keep what it has: else each step asks the kernel for its activations anew, page by page.

    Worth 5 to 20 % of the CPU time of a small network. Other C libraries have no such switch and go without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most that it takes
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def _autocast(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device, dtype=torch.bfloat16):
            out = forward(*args, **kwargs)
        return _to_fp32(out)

    return inner


def _to_fp32(out: Any) -> Any:
    """Outputs as the network's loss expects them."""
    if isinstance(out, torch.Tensor):
        return out.float() if out.dtype == torch.bfloat16 else out
    if isinstance(out, tuple | list) and type(out) in (tuple, list):
        return type(out)(_to_fp32(item) for item in out)
    return out


def _let_views_copy() -> None:
    """``x.view(n, -1)`` of a channels_last tensor is an error, and networks are full of it: copy there.

    The values are those of ``view`` in the contiguous layout. This holds for the process of one candidate.
    """
    plain = torch.Tensor.view
    if getattr(plain, "copies", False):
        return

    def view(self: torch.Tensor, *shape: Any, **named: Any) -> torch.Tensor:
        try:
            return plain(self, *shape, **named)
        except RuntimeError:
            return plain(self if self.is_contiguous() else self.contiguous(), *shape, **named)

    view.copies = True  # type: ignore[attr-defined]
    torch.Tensor.view = view  # type: ignore[method-assign, assignment]
