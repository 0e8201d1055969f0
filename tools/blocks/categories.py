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
    (
        "normalization",
        frozenset({"norm", "normalization", "layernorm", "rmsnorm", "batchnorm", "groupnorm", "bn", "ln", "rms"}),
    ),
    ("pooling", frozenset({"pool", "pooling", "pooler", "pool2d", "pool1d", "downsample"})),
    ("transformer", frozenset({"transformer", "encoder", "decoder", "bert"})),
    (
        "convolution",
        frozenset({"conv", "convolution", "bottleneck", "conv1d", "conv2d", "conv3d", "depthwise", "stem"}),
    ),
)
_ARCHITECTURES: Final = re.compile(
    r"(Net|NetV\d|Net\d*[a-z]?|Model|For[A-Z]\w+|Former|Mixer|VGG|Inception\w*V\d|ResNet\w*|DenseNet|EfficientNet\w*|RCNN|SSD|FCOS|VisionTransformer\w*|Backbone)$"
)
_PARTS_WITH_NORMS: Final = frozenset({"block", "layer", "stage", "mlp", "conv", "cell", "head", "stem", "downsample"})
_ATTENDS: Final = re.compile(r"\w*(?:Attention|Attn)\w*\(|self\.(?:attn|attention|self_attn|self_attention)\b")
_FEEDS: Final = re.compile(r"mlp|ffn|feed_forward|intermediate|fc1|linear1", re.IGNORECASE)
# Modules of layers that weigh channels or places.
_CHANNEL_ATTENTION: Final = frozenset({"squeeze", "cbam", "eca", "gather", "attn", "attention", "selective", "halo"})
_PARTS: Final = frozenset(
    {
        "block",
        "layer",
        "stage",
        "module",
        "embedding",
        "embeddings",
        "embed",
        "mlp",
        "head",
        "output",
        "attention",
        "norm",
        "projection",
        "projector",
        "encoder",
        "decoder",
    }
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
    whole = not found & _PARTS
    if whole and (_ARCHITECTURES.search(name) or "def forward_features" in code):
        return "architecture"
    if any("Attention" in base for base in bases) or "attention" in lower or "attn" in lower or found & _NAMES[2][1]:
        return "attention"
    if whole and any(base.endswith(("PreTrainedModel", "Model")) for base in bases):
        return "architecture"
    normalizes = "norm" in lower.replace("normal", "").replace("normed", "") or found & _NAMES[3][1]
    if normalizes and not found & _PARTS_WITH_NORMS:
        return "normalization"
    if "pool" in lower:
        return "pooling"
    if _is_transformer(found, lower, code):
        return "transformer"
    if "conv" in lower or found & _NAMES[6][1] or any("Conv" in base for base in bases):
        return "convolution"
    return _by_code(found, module, code)


def _is_transformer(words: set[str], lower: str, code: str) -> bool:
    if words & _NAMES[5][1] or "transformer" in lower or "former" in lower:
        return True
    if not words & {"block", "layer", "stage"} or _convolutions(code) > 1:
        return False
    return _ATTENDS.search(code) is not None and _FEEDS.search(code) is not None


def _convolutions(code: str) -> int:
    return len(re.findall(r"[Cc]onv(?:[123]d)?\w*\(", code))


def _by_code(words: set[str], module: str, code: str) -> Category:
    """What a class computes when its name does not tell."""
    last = set(module.rpartition(".")[2].split("_"))
    if last & _CHANNEL_ATTENTION and not words & {"block", "stage"}:
        return "attention"
    convolutions = _convolutions(code)
    if re.search(r"\.softmax\(.*@|scaled_dot_product", code) or (_ATTENDS.search(code) and convolutions < 2):
        return "attention"
    parts = {"block", "bottleneck", "stage", "module", "residual", "unit", "cell", "layer"}
    if convolutions > 1 or (convolutions and words & parts):
        return "convolution"
    return "utility"
