"""What goes into and comes out of each submodule of a candidate: the places where a stage can be replaced.

Handler ``module_shapes.run``. Payload: ``source``, ``in_shape`` (channels, height, width), ``classes``, ``prm``,
``batch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from . import batches, candidate, contract, graph
else:  # In the worker these are top-level modules.
    import batches
    import candidate
    import contract
    import graph

BATCH = 2
MOST = 256  # submodules that are told; a network with more has them in the order of their names


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """The submodules that one forward pass calls once, with one tensor in and one out. Never raises for what the
    candidate does.

    Returns:
        ``modules``: for each its ``path``, ``kind`` (class name), ``leaf``, ``inputs`` and ``outputs`` (shapes, batch
        first) and ``params``; ``error_class``, ``message`` and ``line`` where the network does not run.
    """
    try:
        net = graph.built(payload, note)
        note("shapes")
        batches.seed_all(0)
        modules = _seen(net, torch.randn(BATCH, *payload["in_shape"]), int(payload["classes"]))
    # A candidate may raise anything, SystemExit and KeyboardInterrupt too.
    except BaseException as error:
        return {"modules": [], **candidate.describe(error)}
    return {"modules": modules, "error_class": None, "message": None, "line": None}


def _seen(net: nn.Module, images: torch.Tensor, classes: int) -> list[dict[str, Any]]:
    calls: dict[str, list[tuple[list[int] | None, list[int] | None]]] = {}

    def hook(path: str) -> Callable[..., None]:
        def remember(module: nn.Module, inputs: Any, output: Any) -> None:
            before = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else None
            calls.setdefault(path, []).append((_shape(before), _shape(output)))

        return remember

    named = [(path, module) for path, module in net.named_modules() if path]
    handles = [module.register_forward_hook(hook(path)) for path, module in named]
    net.eval()
    with torch.no_grad():
        contract.check_output(net(images), BATCH, classes)
    for handle in handles:
        handle.remove()
    told = []
    for path, module in named:
        seen = calls.get(path, [])
        if len(seen) == 1 and seen[0][0] is not None and seen[0][1] is not None:
            told.append(
                {
                    "path": path[:200],
                    "kind": type(module).__name__[:80],
                    "leaf": not any(True for _ in module.children()),
                    "inputs": seen[0][0],
                    "outputs": seen[0][1],
                    "params": sum(p.numel() for p in module.parameters()),
                }
            )
    return told[:MOST]


def _shape(value: object) -> list[int] | None:
    return [int(size) for size in value.shape] if isinstance(value, torch.Tensor) else None
