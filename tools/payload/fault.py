"""One attempt to build and run a candidate under watch, and what its failure looks like from inside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from . import candidate, contract, validate, watch
    from .splice import Program
else:  # In the worker these are top-level modules.
    import candidate
    import contract
    import validate
    import watch
    from splice import Program

STAGES = ("parse", "contract", "build", "forward", "backward")


@dataclass(frozen=True)
class Mismatch:
    """A layer that was called with another width than it was made for.

    Attributes:
        module: the layer; ``kind`` is its class.
        argument, place: of the layer's constructor, by which its width is given.
        expected, found: the width that it was made for, and that of its input.
        shape: of its input.
    """

    module: nn.Module
    kind: str
    argument: str
    place: int
    expected: int
    found: int
    shape: tuple[int, ...]


@dataclass
class Fault:
    """How an attempt ended; without an error when it passed.

    Attributes:
        stage: the one that was running.
        frames: the candidate's frames through which the error came, innermost first.
    """

    source: str
    stage: str
    error: BaseException | None
    seen: watch.Watch
    net: nn.Module | None
    in_shape: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        self.frames = watch.raised(self.error) if self.error is not None else []
        self.message = candidate.describe(self.error)["message"] if self.error is not None else ""
        self.kind = candidate.describe(self.error)["error_class"] if self.error is not None else ""
        self.line: int | None = candidate.describe(self.error)["line"] if self.error is not None else None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def progress(self) -> tuple[int, int, int, int]:
        """The further, the larger: stage, modules made, calls done, line of the training code."""
        place = STAGES.index(self.stage) + self.ok
        line = (self.line or 0) if self.stage in ("parse", "backward") else 0
        return place, len(self.seen.births) if self.stage == "build" else 0, self.seen.done, line

    def program(self) -> Program | None:
        """The text with its tree, unless it does not parse."""
        return None if self.stage == "parse" else Program(self.source)

    def mismatch(self) -> Mismatch | None:
        """The innermost running layer whose input has another width than it was made for."""
        if self.ok:
            return None
        for call in reversed(self.seen.running):
            found = _mismatch(call)
            if found is not None:
                return found
        return None


class Attempt(validate.Validation):
    """A validation without figures, budgets and graphs: does it build, run and learn?"""

    def __init__(self, source: str, payload: dict[str, Any]) -> None:
        super().__init__({**payload, "source": source, "min_params": None}, lambda note: None)
        self.net: nn.Module | None = None

    def run(self) -> None:
        """Raises what the candidate raises; ``stage`` then says where."""
        made, _ = self._load(self._payload["source"])
        self._enter("build")
        self.net = net = self._build(made)
        self._enter("forward")
        logits = self._logits(made, net, torch.randn(validate.FORWARD_BATCH, *self._in_shape))
        contract.check_output(logits, validate.FORWARD_BATCH, self._classes)
        self._enter("backward")
        self._backward(made, net)


def attempt(source: str, payload: dict[str, Any]) -> Fault:
    """Build and run a text, and look at how it fails. Never raises for what the candidate does."""
    seen, error = watch.Watch(), None
    trying = Attempt(source, payload)
    with seen:
        try:
            trying.run()
        # A candidate may raise anything, SystemExit and KeyboardInterrupt too.
        except BaseException as raised:
            error = raised
    return Fault(source, trying.stage, error, seen, trying.net, tuple(payload["in_shape"]), int(payload["classes"]))


# Class, attribute, argument of its constructor and the argument's place, dimension of the input that must equal it.
_WIDTHS: tuple[tuple[type[nn.Module], str, str, int, int], ...] = (
    (nn.Linear, "in_features", "in_features", 0, -1),
    (nn.Bilinear, "in1_features", "in1_features", 0, -1),
    (nn.Conv1d, "in_channels", "in_channels", 0, -2),
    (nn.Conv2d, "in_channels", "in_channels", 0, -3),
    (nn.Conv3d, "in_channels", "in_channels", 0, -4),
    (nn.ConvTranspose1d, "in_channels", "in_channels", 0, -2),
    (nn.ConvTranspose2d, "in_channels", "in_channels", 0, -3),
    (nn.modules.batchnorm._NormBase, "num_features", "num_features", 0, 1),
    (nn.GroupNorm, "num_channels", "num_channels", 1, 1),
    (nn.MultiheadAttention, "embed_dim", "embed_dim", 0, -1),
    (nn.RNNBase, "input_size", "input_size", 0, -1),
)


def _mismatch(call: watch.Call) -> Mismatch | None:
    module, shape = call.module, call.shape
    if isinstance(module, nn.LayerNorm):
        width = math.prod(module.normalized_shape[:1])
        at = ("normalized_shape", 0, -len(module.normalized_shape))
    elif isinstance(module, nn.TransformerEncoderLayer):
        width, at = module.self_attn.embed_dim, ("d_model", 0, -1)
    else:
        known = next((one for one in _WIDTHS if isinstance(module, one[0])), None)
        if known is None:
            return None
        width, at = getattr(module, known[1], 0), known[2:]
    argument, place, dimension = at
    if not -len(shape) <= dimension < len(shape) or not isinstance(width, int) or shape[dimension] == width:
        return None
    return Mismatch(module, type(module).__name__, argument, place, width, shape[dimension], shape)
