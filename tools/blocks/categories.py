"""Which of the eight categories of *LEMUR 2* (supplement 9, table 8) a block belongs to, by rules on its words."""

from __future__ import annotations

import re
from typing import Final

from ...memory.block_types import Category

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|\d+d?")

# In turn: a name's words decide before its bases and its code do.
_NAMES: Final[tuple[tuple[Category, frozenset[str]], ...]] = (
    ("loss", frozenset({"loss", "losses", "criterion", "entropy", "dice", "iou", "giou"})),
    ("architecture", frozenset({"model", "net", "network", "backbone", "classification", "lm", "generation"})),
    ("attention", frozenset({"attention", "attn", "attentions", "mha", "mhsa", "msa"})),
    ("normalization", frozenset({"norm", "normalization", "layernorm", "rmsnorm", "batchnorm", "groupnorm", "bn", "ln", "rms"})),
    ("pooling", frozenset({"pool", "pooling", "pooler", "pool2d", "pool1d", "downsample"})),
    ("transformer", frozenset({"transformer", "encoder", "decoder", "bert"})),
    ("convolution", frozenset({"conv", "convolution", "bottleneck", "conv1d", "conv2d", "conv3d", "depthwise", "stem"})),
)
_ARCHITECTURES: Final = re.compile(
    r"(Net|NetV\d|Net\d*[a-z]?|Model|For[A-Z]\w+|Former|Mixer|VGG|Inception\w*V\d|ResNet\w*|DenseNet|EfficientNet\w*|RCNN|SSD|FCOS|VisionTransformer\w*|Backbone)$"
)
_PARTS: Final = frozenset(
    {"block", "layer", "stage", "module", "embedding", "embeddings", "embed", "mlp", "head", "output", "attention", "norm", "projection", "projector"}
)


def words_of(name: str) -> list[str]:
    """``GlobalContextVitBlock`` → ``global context vit block``; ``Conv2d`` → ``conv 2d``."""
    return [word.lower() for word in _WORD.findall(name)]


def category_of(name: str, bases: tuple[str, ...], docstring: str, module: str, code: str) -> Category:
    """The category of a class.

    Args:
        bases: as they are written.
        module: dotted name of its module.
        code: its text.
    """
    words = words_of(name)
    found = set(words)
    lower = name.lower()
    if "loss" in lower or found & _NAMES[0][1] or module.split(".")[-1].startswith("loss"):
        return "loss"
    if any("Attention" in base for base in bases) or "attention" in lower or "attn" in lower or found & _NAMES[2][1]:
        return "attention"
    if "norm" in lower and "normalize" not in lower or found & _NAMES[3][1]:
        return "normalization"
    if "pool" in lower:
        return "pooling"
    if not found & _PARTS and (_ARCHITECTURES.search(name) or any(b.endswith(("PreTrainedModel", "Model")) for b in bases)):
        return "architecture"
    if _is_transformer(found, lower, code):
        return "transformer"
    if "conv" in lower or found & _NAMES[6][1] or any("Conv" in base for base in bases):
        return "convolution"
    return _by_code(found, module, code)


def _is_transformer(words: set[str], lower: str, code: str) -> bool:
    if words & _NAMES[5][1] or "transformer" in lower or "former" in lower:
        return True
    attends = re.search(r"attn|attention", code, re.IGNORECASE) is not None
    return attends and bool(words & {"block", "layer", "stage"})


def _by_code(words: set[str], module: str, code: str) -> Category:
    """What a class computes when its name does not tell."""
    if module.rpartition(".")[2] in ("attention", "attn") or re.search(r"\.softmax\(.*@|scaled_dot_product", code):
        return "attention"
    convolves = len(re.findall(r"[Cc]onv[123]?d?\w*\(", code))
    if convolves >= 1 and words & {"block", "bottleneck", "stage", "module", "residual", "unit", "cell", "layer"} or convolves >= 2:
        return "convolution"
    return "utility"
