"""Static figures of a network, under the names of LEMUR's ``nn_*`` columns without their prefix.

Counts of modules are LEMUR's. Its flags look for words in the source text; these look for the words in the names
that the code uses, not in comments, and also at what the network is and does.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.parameter import UninitializedParameter

if TYPE_CHECKING:
    from . import flow
else:  # In the worker this is a top-level module.
    import flow

_MIB = 1024**2
_MAX_TYPES = 48
_Conv = nn.modules.conv._ConvNd
_Norm = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)
_Dropout = nn.modules.dropout._DropoutNd
_Pooling = (
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._LPPoolNd,
    nn.FractionalMaxPool2d,
)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "conv_count": _Conv,
    "linear_count": (nn.Linear, nn.Bilinear),
    "norm_count": _Norm,
    "pooling_count": _Pooling,
    "dropout_count": _Dropout,
    "attention_count": nn.MultiheadAttention,
    "recurrent_count": (nn.RNNBase, nn.RNNCellBase),
}


def figures(net: nn.Module, tree: ast.Module, source: str, followed: flow.Flow | None) -> dict[str, Any]:
    """All figures but ``flops``; what could not be found out is left out, and ``stats_error`` says why.

    Args:
        net: as it was built, before ``train_setup`` adds its criterion.
        tree, source: of the candidate.
        followed: a forward pass; None where none could be followed.
    """
    told: dict[str, Any] = {}
    try:
        names = _names(tree)
        told |= _code(tree, names, source)
        told |= _sizes(net)
        told |= _layers(net)
        told |= _flags(net, names, followed)
    # Whatever a candidate's modules do when they are looked at, its verdict does not depend on it.
    except Exception as error:
        told["stats_error"] = type(error).__name__[:80]
    return told


def _code(tree: ast.Module, names: set[str], source: str) -> dict[str, Any]:
    nodes = Counter(type(node) for node in ast.walk(tree))
    return {
        "code_length": len(source),
        "num_classes": nodes[ast.ClassDef],
        "num_functions": nodes[ast.FunctionDef] + nodes[ast.AsyncFunctionDef],
        "uses_sequential": "sequential" in names,
        "uses_modulelist": "modulelist" in names,
        "uses_moduledict": "moduledict" in names,
    }


def _sizes(net: nn.Module) -> dict[str, Any]:
    parameters = [p for p in net.parameters() if not isinstance(p, UninitializedParameter)]
    total = sum(p.numel() for p in parameters)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    model = sum(p.numel() * p.element_size() for p in parameters) / _MIB
    buffers = sum(b.numel() * b.element_size() for b in net.buffers()) / _MIB
    return {
        "total_params": total,
        "trainable_params": trainable,
        "frozen_params": total - trainable,
        "model_size_mb": model,
        "buffer_size_mb": buffers,
        "total_memory_mb": model + buffers,
    }


def _layers(net: nn.Module) -> dict[str, Any]:
    modules = list(net.modules())
    leaves = [module for module in modules if not module._modules]
    counts = {name: sum(isinstance(module, kind) for module in modules) for name, kind in _KINDS.items()}
    activations = [module for module in leaves if _is_activation(module)]
    types = Counter(type(module).__name__[:60] for module in leaves)
    params: Counter[str] = Counter()
    for module in leaves:
        params[type(module).__name__[:60]] += sum(p.numel() for p in module.parameters())
    return {
        "total_layers": len(modules),
        "leaf_layers": len(leaves),
        "max_depth": _nesting(net),
        **counts,
        "activation_count": len(activations),
        "stats_meta": {
            "layer_types": dict(types.most_common(_MAX_TYPES)),
            "param_distribution": {name: n for name, n in params.most_common(_MAX_TYPES) if n},
        },
    }


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and not isinstance(module, nn.MultiheadAttention)


def _nesting(net: nn.Module) -> int:
    """Levels of modules below ``net``, as LEMUR counts its depth. Without recursion: nesting has no limit."""
    deepest = 0
    pending = [(net, 0)]
    while pending:
        module, level = pending.pop()
        deepest = max(deepest, level)
        pending.extend((child, level + 1) for child in module.children())
    return deepest


def _flags(net: nn.Module, names: set[str], followed: flow.Flow | None) -> dict[str, Any]:
    words = "\n".join(names)
    modules = list(net.modules())
    convs = [module for module in modules if isinstance(module, _Conv)]
    plain = [conv for conv in convs if conv.groups == 1 and max(conv.kernel_size) > 1 and not _is_patching(conv)]
    attention = any(isinstance(module, nn.MultiheadAttention) for module in modules)
    residual = dense = skips = branches = gates = 0
    told: dict[str, Any] = {}
    if followed is not None:
        attention = attention or followed.attentions > 0
        residual, dense, skips = followed.residuals, followed.dense, followed.skips
        branches, gates = followed.branches, followed.gates
        calls = Counter(followed.calls)
        if any(isinstance(module, nn.ReLU6) for module in modules):
            calls["relu6"] += calls.pop("hardtanh", 0)
        told = {"depth": followed.depth, "activation_types": sorted(calls)}
    inverted = _has_inverted_bottleneck(convs)
    pools = sum(isinstance(module, nn.MaxPool2d) for module in modules)
    return {
        **told,
        "has_attention": attention,
        "has_residual": residual > 0,
        "is_resnet_like": _any(words, "resnet", "residual") or (residual > 0 and len(plain) >= 3 and not attention),
        "is_vgg_like": "vgg" in words or (_is_vgg(convs, pools) and not (residual or dense or branches or attention)),
        "is_inception_like": "inception" in words or branches >= 3,
        "is_densenet_like": "densenet" in words or (dense >= 3 and len(convs) >= 3),
        "is_unet_like": "unet" in words or _all(words, "encoder", "decoder") or skips > 0,
        "is_transformer_like": _any(words, "transformer", "attention")
        or (attention and residual > 0 and any(isinstance(module, nn.LayerNorm) for module in modules)),
        "is_mobilenet_like": _any(words, "mobile", "depthwise") or inverted,
        "is_efficientnet_like": _any(words, "efficient", "mbconv")
        or (inverted and gates > 0 and any(isinstance(module, nn.SiLU) for module in modules)),
    }


def _is_vgg(convs: list[Any], pools: int) -> bool:
    """Plain 3x3 convolutions of stride 1, three or more, with two or more max pools between."""
    return (
        len(convs) >= 3
        and pools >= 2
        and all(conv.groups == 1 and set(conv.kernel_size) == {3} and set(conv.stride) == {1} for conv in convs)
    )


def _has_inverted_bottleneck(convs: list[Any]) -> bool:
    """A pointwise convolution that widens, a depthwise one, and a pointwise one that narrows, one after another."""
    for wide, depthwise, narrow in zip(convs, convs[1:], convs[2:], strict=False):
        spatial = max(depthwise.kernel_size) > 1 and depthwise.groups == depthwise.in_channels == wide.out_channels > 1
        pointwise = max(wide.kernel_size) == max(narrow.kernel_size) == 1
        if spatial and pointwise and wide.in_channels < wide.out_channels > narrow.out_channels:
            return True
    return False


def _is_patching(conv: Any) -> bool:
    """Cuts the image into patches that do not overlap."""
    return tuple(conv.stride) == tuple(conv.kernel_size)


def _names(tree: ast.Module) -> set[str]:
    """Every name that the code defines or uses, in small letters, without underscores."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return {name.lower().replace("_", "") for name in found}


def _any(words: str, *wanted: str) -> bool:
    return any(word in words for word in wanted)


def _all(words: str, *wanted: str) -> bool:
    return all(word in words for word in wanted)
