"""Constructor arguments to try, from a parameter's name and annotation.

Values are JSON as ``block_values`` reads them, the likeliest first. Nothing here is exact knowledge: names of
parameters in published blocks follow habits, and a build and a forward pass decide whether a guess was right.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

WIDTHS: Final = (64, 96, 32, 128, 256)
_CONV: Final = "torch.nn.Conv2d"
_COLLECTORS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_WIDTH_NAME: Final = re.compile(
    r"^(dim|c|c_?in|c_?out|c\d|cin|cout|in|inp|oup|out|width|channels?|planes|inplanes|nf|d_model|d_embed|n_embd"
    r"|hidden|features|n_state|normalized_shape|(in|out|mid|num|n|hidden|inner|input|output|embed|embedding|emb|ffn|"
    r"filter|stem|head|proj|feature|skip|fpn|base|model|intermediate|context|query|key|value|current|last|mlp|state|"
    r"bottleneck|reduced|squeeze|expand|expanded|encoder|decoder|vision|text|llm|cond|conditioning|time|d)_?"
    r"(chs|chans|channels?|dims?|planes|features|feats?|filters|size|width|c|f|model|embed|embed_dim|channel))$"
)
_ENDS_AS_WIDTH: Final = re.compile(r"(_|^)(dim|chs|chans|channels?|planes|features|width|embed_dim|hidden_size)$")

# Pattern of the whole name, then values; the first pattern that matches counts. ``None`` in place of values: a width.
_RULES: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    (r"(num_)?(.*_)?(head|query)_?dim|dim_head|key_dim|head_size|d_kv", (16, 32)),
    (r"(num_|n_)?(.*_)?(heads?|nhead)|num_attention_heads", (4, 8, 2, 1)),
    (r"num_key_value_heads|kv_heads", (4, 2, 1)),
    (r"(.*_)?kernel(_size)?s?|k|ks|filter_size|conv_kernel|pool_size", (3, 1, 7, [3, 3], {"tuple": [3, 3]})),
    (r"(.*_)?strides?|s", (1, 2, {"tuple": [1, 1]})),
    (r"(.*_)?padding|pad", (1, 0, "same")),
    (r"(.*_)?(dilation|groups)s?", (1, 2)),
    (r"window_size|win_size|window", (7, {"tuple": [7, 7]}, {"tuple": [2, 7, 7]}, 8)),
    (r"shift_size", (0, [0, 0], 3)),
    (r"group_size", (16, 1, 8, 4)),
    (
        r"(.*_)?(input_)?(resolution|feat_size|img_size|image_size|grid_size|feature_size|partition_size|fmap_size)"
        r"|input_shape|spatial_shape",
        ({"tuple": [14, 14]}, 14, {"tuple": [7, 7]}, 224),
    ),
    (r"patch_size", (4, {"tuple": [4, 4]}, 16, {"tuple": [2, 4, 4]})),
    (r"(depths|layers|num_blocks_per_stage|block_config)", ([1, 1, 1, 1], {"tuple": [1, 1, 1, 1]}, 2, [2, 2])),
    (r"(num_|n_)?(depth|layers|blocks|repeats?|layer_per_block|convs?|stages?)|n|m|length", (2, 1, 3)),
    (r"(.*_)?(num_|n_)?(classes|labels|categories|nb_classes)", (10,)),
    (r"(num_embeddings|(.*_)?vocab_size|num_positions|max_(.*_)?(len|length|positions|position_embeddings))", (128,)),
    (r"padding_idx|pad_token_id", (0, None)),
    (r"num_patches|seq_len|num_tokens|sequence_length|n_tokens", (196, 16)),
    (r"(num_|n_)(local_|routed_)?experts", (4,)),
    (r"(.*_)?(n_points|num_points|num_levels|n_levels|num_anchors|num_queries|num_feature_levels)", (4, 1)),
    (r"(.*_)?(sequences?_reduction_ratio|sr_ratio)", (1, 2)),
    (r"(.*_)?(mlp_ratio|expand(_ratio)?|expansion(_ratio)?|ffn_ratio|expand_factor|factor)", (4.0, 4, 2, 1)),
    (r"(.*_)?(reduction(_ratio)?|rd_ratio|se_ratio|squeeze_factor)", (4, 16, 0.25, "mean")),
    (r"(.*_)?(drop(out)?(_?path|_?rate|_?prob|_?p)*|drop_.*|dropout_.*|.*_dropout|.*_prob|p|prob)", (0.0, None)),
    (r"(.*_)?(eps|epsilon)", (1e-6,)),
    (r"growth_rate|num_output_features", (32,)),
    (r"bn_size", (4,)),
    (r"(.*_)?(scale|scale_factor|scales|upsample_factor|temperature|alpha|beta|gamma)", (2, 1.0, 0.5, [1, 2])),
    (r"(.*_)?(threshold|ratio|rate|weight|momentum|coef|value|init_values?|layer_scale(_.*)?)", (0.5, 1.0, 1)),
    (r"(.*_)?(idx|index|layer_id|layer_num|block_id|layer_number|stage|i)", (0, 1)),
    (r"(.*_)?norm(_layer|_cls)?|norm_type", ("torch.nn.LayerNorm", "torch.nn.BatchNorm2d", None, "layer_norm")),
    (r"conv_layer|conv_module|conv", (_CONV, {"class": _CONV, "fields": "conv"})),
    (r"(.*_)?(act_layer|activation_layer|nonlinearity)", ("torch.nn.GELU", "torch.nn.ReLU")),
    (
        r"(.*_)?(hidden_act|activation(_fn|_function)?|act(_fn|_func|ivation)?|act_type|non_linearity|nonlinear)",
        ("gelu", "relu", "torch.nn.GELU", {"class": "torch.nn.GELU", "fields": {}}, "torch.nn.functional.relu"),
    ),
    (r"(.*_)?(linear|proj|fc|head|lin|layer|base_layer)", ({"class": "torch.nn.Linear", "fields": "linear"}, 2)),
    (
        r"(.*_)?(model|backbone|encoder|decoder|module|fn|features|body|net|stem|trunk|branch|conv_encoder)",
        ({"class": _CONV, "fields": "conv"}, {"class": "torch.nn.Linear", "fields": "linear"}),
    ),
    (
        r"(.*_)?(downsample|upsample|pool|use_.*|is_.*|with_.*|has_.*|.*bias|causal|shortcut|residual)",
        (False, None, True),
    ),
    (r"device", (None,)),
    (r"dtype", (None, "torch.float32")),
)
_COMPILED: Final = tuple((re.compile(pattern), values) for pattern, values in _RULES)
_BY_TYPE: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("bool", (False, True)),
    ("tuple", ({"tuple": [14, 14]}, {"tuple": [1, 1, 1, 1]}, {"tuple": [64, 64]})),
    ("list", ([64, 64, 64, 64], [1, 1, 1, 1], [3, 3])),
    ("sequence", ([64, 64, 64, 64], [1, 1, 1, 1])),
    ("float", (0.5, 1.0, 0.0)),
    ("str", ("gelu", "mean", "same")),
    ("int", (4, 2, 1, 64)),
    ("module", ({"class": _CONV, "fields": "conv"}, {"class": "torch.nn.Linear", "fields": "linear"})),
    ("callable", ("torch.nn.GELU", "torch.nn.functional.relu", "torch.nn.LayerNorm")),
)
_CLASS_WORDS: Final = ("block", "layer", "cls", "class", "_fn", "attn", "mlp")


def parameters(cls: type, *, collected: bool = False) -> dict[str, inspect.Parameter] | None:
    """The parameters of a class' constructor without ``self`` and collectors; ``None`` if they cannot be told.

    Args:
        collected: with those of the next constructors in the order of the bases, which ``**kwargs`` may be meant for.
    """
    found: dict[str, inspect.Parameter] = {}
    told = False
    for each in cls.__mro__:
        init = each.__dict__.get("__init__")
        if not inspect.isfunction(init):
            continue
        own = list(inspect.signature(init).parameters.values())[1:]
        told = True
        for parameter in own:
            if parameter.kind not in _COLLECTORS:
                found.setdefault(parameter.name, parameter)
        if not collected or not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in own):
            break
    return found if told else None


def candidates(parameter: inspect.Parameter, width: int, classes: Mapping[str, type]) -> list[Any]:
    """Values for a parameter, the likeliest first; at least one.

    Args:
        width: number of channels that the block should have.
        classes: of the block's file, which may be what ``block`` or ``attn_layer`` asks for.
    """
    name = parameter.name.lower().strip("_")
    annotation = _annotation(parameter)
    widths = [width, 2 * width, max(1, width // 4), 3]
    lists = [[width] * 4, {"tuple": [width] * 4}]
    several = _is_list(annotation) and re.search(r"(channels|chs|planes|features)(_list)?$", name)
    if several or re.search(r"(^|_)(dims|sizes|widths|embeds)$|_list$", name):
        return [*lists, *widths]
    if _WIDTH_NAME.match(name):
        return [{"tuple": [width] * 2}, *widths] if _is_list(annotation) and name != "normalized_shape" else widths
    found = [value for pattern, values in _COMPILED if pattern.fullmatch(name) for value in values][:6]
    found = [_filled(value, width) for value in found]
    if any(word in name for word in _CLASS_WORDS):
        found = [*_similar(name, classes), *found]
    if _ENDS_AS_WIDTH.search(name):
        found += widths
    if not found or "bool" in annotation:
        found = [*(_filled(v, width) for word, values in _BY_TYPE if word in annotation for v in values), *found]
    return _unique(found) or [width, 2, None, 1, 0.5, _filled({"class": _CONV, "fields": "conv"}, width)]


def _filled(value: Any, width: int) -> Any:
    """Put widths into the modules that stand in for unknown ones."""
    if isinstance(value, dict) and value.get("fields") == "conv":
        return {"class": _CONV, "fields": {"in_channels": width, "out_channels": width, "kernel_size": 3, "padding": 1}}
    if isinstance(value, dict) and value.get("fields") == "linear":
        return {"class": "torch.nn.Linear", "fields": {"in_features": width, "out_features": width}}
    return value


def _annotation(parameter: inspect.Parameter) -> str:
    if parameter.annotation is inspect.Parameter.empty:
        return ""
    told = parameter.annotation
    return (told if isinstance(told, str) else getattr(told, "__name__", None) or str(told)).lower()


def _is_list(annotation: str) -> bool:
    return any(word in annotation for word in ("list", "tuple", "sequence", "iterable"))


def _similar(name: str, classes: Mapping[str, type]) -> list[Any]:
    """Classes of the file whose names share a word with the parameter's."""
    words = [word for word in re.split(r"_+", name) if len(word) > 2 and word not in ("layer", "class", "cls")]
    synonyms = {"attn": ("attn", "attention"), "block": ("block", "bottleneck"), "mlp": ("mlp", "ffn", "feedforward")}
    wanted = [each for word in words for each in synonyms.get(word, (word,))]
    return [{"class": each} for each in classes if any(word in each.lower() for word in wanted)][:3]


def _unique(values: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(value == other and type(value) is type(other) for other in kept):
            kept.append(value)
    return kept
