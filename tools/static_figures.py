"""Static figures of a network as a sandbox tells them: only known names, and values of the right kind and size.

The names are those of LEMUR's ``nn_*`` columns without the prefix, and a few more. What they mean is in
``docs/evaluation.md``.
"""

from __future__ import annotations

import re
from typing import Any

from . import outcomes

COUNTS = frozenset(
    {
        "total_params",
        "trainable_params",
        "frozen_params",
        "flops",
        "total_layers",
        "leaf_layers",
        "max_depth",
        "depth",
        "conv_count",
        "linear_count",
        "norm_count",
        "activation_count",
        "pooling_count",
        "dropout_count",
        "attention_count",
        "recurrent_count",
        "code_length",
        "num_classes",
        "num_functions",
    }
)
"""Whole numbers."""
SIZES = frozenset({"model_size_mb", "buffer_size_mb", "total_memory_mb"})
"""MiB."""
FLAGS = frozenset(
    {
        "has_attention",
        "has_residual",
        "is_resnet_like",
        "is_vgg_like",
        "is_inception_like",
        "is_densenet_like",
        "is_unet_like",
        "is_transformer_like",
        "is_mobilenet_like",
        "is_efficientnet_like",
        "uses_sequential",
        "uses_modulelist",
        "uses_moduledict",
    }
)
"""True or false."""
_TABLES = ("layer_types", "param_distribution")
_GRAPH = re.compile(r"[0-9a-f]{32}")
_MAX_NAMES = 48
_MAX_NAME_CHARS = 60


def read(told: object, flops: int | None = None) -> dict[str, Any]:
    """What can be believed to be figures in ``told``; the rest is left out.

    Args:
        told: from a sandbox, and so anything that JSON can hold.
        flops: of one sample, already checked; None where unknown.

    Returns:
        Whole numbers, MiB as floats, flags, ``activation_types`` (names), ``stats_meta`` (counts by name),
        ``graph`` (the fingerprint of the computation graph, or ``graph_error``) and, where figures are missing,
        ``stats_error``.
    """
    if not isinstance(told, dict):
        return {}
    read_as: dict[str, Any] = {name: outcomes.count(told.get(name)) for name in COUNTS}
    read_as |= {name: outcomes.number(told.get(name)) for name in SIZES}
    read_as |= {name: told[name] for name in FLAGS if isinstance(told.get(name), bool)}
    read_as["flops"] = flops
    types = told.get("activation_types")
    if isinstance(types, list):
        read_as["activation_types"] = list(
            filter(None, (outcomes.text(n, _MAX_NAME_CHARS) for n in types[:_MAX_NAMES]))
        )
    meta = told.get("stats_meta")
    if isinstance(meta, dict):
        read_as["stats_meta"] = {name: _table(meta.get(name)) for name in _TABLES}
    if isinstance(told.get("graph"), str) and _GRAPH.fullmatch(told["graph"]):
        read_as["graph"] = told["graph"]
    for error in ("stats_error", "graph_error"):
        if error in told:
            read_as[error] = outcomes.name(told[error])
    return {name: read_as[name] for name in sorted(read_as) if read_as[name] is not None}


def _table(told: object) -> dict[str, int]:
    if not isinstance(told, dict):
        return {}
    pairs = (
        (outcomes.text(key, _MAX_NAME_CHARS), outcomes.count(value)) for key, value in list(told.items())[:_MAX_NAMES]
    )
    return {key: value for key, value in pairs if key and value is not None}
