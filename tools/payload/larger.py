"""Would a network that failed on its images work on larger ones? Then its message can name the remedy."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from . import contract
else:  # In the worker this is a top-level module.
    import contract

# Sizes of the usual data sets and of ImageNet networks, each the least that a family of networks wants.
SIZES = (28, 32, 64, 128, 224, 299)
# Only a failed validation pays this; what is left over is for its verdict.
_BUDGET_S = 1.5
# What torch and torchvision say when an image is too small for a network, or has not the size that it was made for.
_SIGNS = re.compile(
    r"kernel size can't be greater than actual input size"
    r"|output size is too small"
    r"|shapes cannot be multiplied"
    r"|must match the size of tensor"
    r"|is invalid for input of size"
    r"|(non-empty|optional 0 dim|Expected a non-empty)"
    r"|Expected more than 1 (value per channel|spatial element)"
    r"|expected input with shape"
    r"|Given normalized_shape"
    r"|Padding size should be less than the corresponding input dimension"
    r"|(wrong|input)( image)? (height|width|size)"
    r"|negative dimension"
    r"|size mismatch",
    re.IGNORECASE,
)


def hint(
    error: BaseException, made: contract.Contract, prm: dict[str, Any], batch: int, shape: tuple[int, ...], classes: int
) -> str | None:
    """The remedy, if ``error`` looks like one of size and a larger image is really a remedy; else None.

    Args:
        batch: the batch size that the network is told.
        shape: (channels, height, width) on which it failed.
    """
    try:
        if isinstance(error, contract.ContractError) or not _SIGNS.search(str(error)[:4000]):
            return None
        size = _works_at(made, prm, batch, shape, classes)
    # The candidate's code again, which may raise anything; it has its verdict already.
    except BaseException:
        return None
    if size is None:
        return None
    given = "x".join(map(str, shape))
    return f"the network needs larger images than {given}: it works on {size}x{size}, so use --transform norm_{size}"


def _works_at(
    made: contract.Contract, prm: dict[str, Any], batch: int, shape: tuple[int, ...], classes: int
) -> int | None:
    until = time.thread_time() + _BUDGET_S
    channels, least = shape[0], max(shape[1:])
    for size in SIZES:
        if size <= least or time.thread_time() > until:
            continue
        try:
            net = made.build((batch, channels, size, size), (classes,), prm.copy(), torch.device("cpu")).eval()
            with torch.no_grad():
                contract.check_output(net(torch.zeros(2, channels, size, size)), 2, classes)
            return size
        except Exception:  # this size does not mend it either: that is what was asked
            continue
    return None
