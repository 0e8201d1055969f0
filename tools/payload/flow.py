"""What a forward pass does: which functions are called, and which ways lead from one tensor to another.

Every tensor that depends on the input gets a trail. A trail names its ancestors as bits of integers, one set for
each kind of way from an ancestor to the tensor, so that joining two trails is a few bitwise operations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

MAX_CALLS = 4_000
"""Calls that are followed; a longer forward pass is followed no further."""
_MAX_JOINED = 16


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_WEIGHTED = _set(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bilinear addmm "
    "multi_head_attention_forward _native_multi_head_attention _transformer_encoder_layer_fwd"
)
_RECURRENT = _set("gru lstm rnn_tanh rnn_relu gru_cell lstm_cell rnn_tanh_cell rnn_relu_cell")
_ACTIVATIONS = _set(
    "relu leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh hardsigmoid relu6 sigmoid tanh "
    "softplus softsign logsigmoid log_sigmoid glu threshold hardshrink softshrink tanhshrink"
)
_SOFT = frozenset(("softmax", "scaled_dot_product_attention"))
_ATTENTION = _set(
    "scaled_dot_product_attention multi_head_attention_forward _native_multi_head_attention "
    "_transformer_encoder_layer_fwd"
)
_PARTS = _set("chunk split split_with_sizes tensor_split unbind narrow select __getitem__ index_select")
_PRODUCTS = _set("matmul bmm __matmul__ __rmatmul__ einsum baddbmm")
_SUMS = _set("add add_ __add__ __radd__ __iadd__ sub __sub__ lerp")
_JOINS = _set("cat concat concatenate")
_GATES = _set("mul mul_ __mul__ __rmul__ __imul__ multiply")
_UPSAMPLING = _set("interpolate upsample conv_transpose2d pixel_shuffle")
_ALIASES = {"log_sigmoid": "logsigmoid", "tanh_": "tanh", "sigmoid_": "sigmoid", "relu_": "relu"}


@dataclass
class Trail:
    """Ancestors of a tensor, itself among them, by the kind of a way that leads from there to here.

    Attributes:
        whole: nothing on the way but what keeps all values' meaning: views, pools, dropout, sums.
        plain: as ``whole``, or through a part of a tensor (a chunk, a slice).
        linear: as ``whole``, or through weights, but through no activation.
        worked: through weights or an activation.
        bent: through an activation.
        soft: does the tensor hold attention weights (a softmax)?
        gate: does it hold a gate (a sigmoid)?
        enlarged: is there an upsampling on a way to it?
        depth: weighted calls on the longest way from the input.
    """

    whole: int = 0
    plain: int = 0
    linear: int = 0
    worked: int = 0
    bent: int = 0
    soft: bool = False
    gate: bool = False
    enlarged: bool = False
    depth: int = 0


class Flow(TorchFunctionMode):
    """Follows the calls of one forward pass while it is entered.

    Attributes:
        calls: activation functions by name, and how often each was called.
        residuals: sums of a tensor and of what was made from it.
        dense: concatenations of a whole tensor and of what was made from it.
        branches: the most tensors that one concatenation joined, none of which was passed through whole.
        gates: products of a tensor and of a gate that was made from it.
        skips: concatenations of an enlarged tensor and of an earlier one.
        attentions: calls of attention, or products with a softmax.
        depth: weighted calls on the longest way from the input to any tensor.
    """

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.residuals = self.dense = self.branches = self.gates = self.skips = self.attentions = self.depth = 0
        self._count = 0
        self._put(start, Trail())

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        trails: list[Trail] = []
        if self._count < MAX_CALLS:
            trails = _trails((*args, *kwargs.values()))
        result = func(*args, **kwargs)
        if trails:
            self._follow(getattr(func, "__name__", ""), trails, result)
        return result

    def _follow(self, name: str, trails: list[Trail], result: Any) -> None:
        name = _ALIASES.get(name, name)
        if name in _ACTIVATIONS:
            self.calls[name] += 1
        if name in _ATTENTION or (name in _PRODUCTS and len(trails) > 1 and any(t.soft for t in trails)):
            self.attentions += 1
        if len(trails) > 1:
            self._joined(name, trails)
        made = _made(name, trails)
        self.depth = max(self.depth, made.depth)
        if isinstance(result, torch.Tensor):
            self._put(result, made)
        elif isinstance(result, tuple | list):
            for tensor in _tensors(result):
                self._put(tensor, Trail(**vars(made)))

    def _joined(self, name: str, trails: list[Trail]) -> None:
        few = trails[:_MAX_JOINED]
        pairs = [(a, b) for a in few for b in few if a is not b]
        if name in _SUMS:
            self.residuals += any(a.plain & b.worked or a.linear & b.bent for a, b in pairs)
        elif name in _GATES:
            self.gates += any(b.gate and a.whole & b.worked for a, b in pairs)
        elif name in _JOINS:
            dense = any(a.whole & b.worked for a, b in pairs)
            self.dense += dense
            self.skips += any(a.enlarged and not b.enlarged for a, b in pairs)
            if not dense and all(t.worked for t in trails):
                self.branches = max(self.branches, len(trails))

    def _put(self, tensor: torch.Tensor, trail: Trail) -> None:
        bit = 1 << self._count
        self._count += 1
        trail.whole |= bit
        trail.plain |= bit
        trail.linear |= bit
        tensor._netwright_trail = trail  # type: ignore[attr-defined]


def _made(name: str, trails: list[Trail]) -> Trail:
    """The trail of what a call makes of tensors with these trails."""
    made = Trail()
    for t in trails:
        made.whole |= t.whole
        made.plain |= t.plain
        made.linear |= t.linear
        made.worked |= t.worked
        made.bent |= t.bent
        made.soft |= t.soft
        made.gate |= t.gate
        made.enlarged |= t.enlarged
        made.depth = max(made.depth, t.depth)
    weighted = name in _WEIGHTED or name in _RECURRENT
    bends = any(name in kind for kind in (_ACTIVATIONS, _SOFT, _PRODUCTS, _ATTENTION, _RECURRENT))
    if weighted or bends:
        made.worked |= made.plain | made.linear
        made.whole = made.plain = 0
        made.gate = name in ("sigmoid", "hardsigmoid")
        made.soft = name == "softmax"
    if bends:
        made.bent |= made.worked
        made.linear = 0
    if name in _PARTS:
        made.whole = made.linear = 0
    if name in _UPSAMPLING:
        made.enlarged = True
    made.depth += weighted
    return made


def _trails(values: Any) -> list[Trail]:
    found = (getattr(tensor, "_netwright_trail", None) for tensor in _tensors(values))
    return [trail for trail in found if trail is not None]


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
