"""Configuration objects for blocks that take one: the file's own class made small, or a stand-in for an unknown one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

PROFILES: Final = ("small", "medium", "default")
_CONFIG_NAME: Final = re.compile(r"(.*_)?(config|cfg|cnf)s?$")
_CONFIG_CLASS: Final = re.compile(r"(Config|Cfg|Params|Args)$")

# Field of a configuration -> its value when small and when medium; by pattern of the whole name, the first counts.
_FIELDS: Final[tuple[tuple[str, Any, Any], ...]] = (
    (r"(num_|n_)?(.*_)?(key_value_heads|kv_heads|head_kv)", 2, 2),
    (r"(num_|n_)?(.*_)?(attention_heads|heads?)", 4, 4),
    (r"(.*_)?head_dim|d_kv|v_head_dim|head_size", 16, 128),
    (r"qk_(rope|nope)_head_dim", 16, 64),
    (r"(.*_)?(q|kv)_lora_rank", 32, 128),
    (r"(.*_)?(num_|n_)?(hidden_layers|layers?|blocks|block_layers)", 2, 2),
    (r"(.*_)?vocab_size", 128, 128),
    (r"(num_|n_)(.*_)?experts|moe_num_experts", 4, 4),
    (r"(num_|n_)?experts_per_tok(en)?|moe_topk|top_k|moe_k", 2, 2),
    (r"n_group|topk_group|first_k_dense_replace", 1, 1),
    (
        r"(.*_)?(moe_intermediate_size|intermediate_size|ffn_dim|d_ff|n_inner|feed_forward_dim|ffn_hidden_size)",
        128,
        256,
    ),
    (
        r"(.*_)?(hidden_size|d_model|embed_dim|n_embd|hidden_dim|emb_dim|embedding_size|embedding_dim|model_dim)",
        64,
        512,
    ),
    (r"(.*_)?(projection_dim|output_dim|out_hidden_size)", 64, 512),
    (r"dim|width", 64, 512),
)
_COMPILED: Final = tuple((re.compile(pattern), small, medium) for pattern, small, medium in _FIELDS)
# What even the default widths need not have many of.
_COUNTS: Final = re.compile(r"(.*_)?(num_|n_)?(hidden_layers|layers?|vocab_size|experts)$")
# What an unknown configuration answers, by the name of what it is asked for.
_ANSWERS: Final[tuple[tuple[str, Any], ...]] = (
    (r".*(drop|prob).*", 0.0),
    (r".*(eps|epsilon)$", 1e-6),
    (r".*(hidden_act|activation|act_fn|activation_function|hidden_activation)$", "gelu"),
    (r"(_)?attn_implementation.*|position_embedding_type", "eager"),
    (r"initializer_.*|.*_std|.*scale.*|.*factor.*", 1.0),
    (r"(use_|is_|add_|tie_|output_|do_|has_|with_|apply_|scale_|gradient_|return_).*|.*bias.*", False),
    (r"(.*_)?(image_size)", 224),
    (r"(.*_)?patch_size", 16),
    (r"(.*_)?num_channels|in_channels", 3),
    (r"(.*_)?(kernel_size|conv_kernel)", 3),
    (r"(.*_)?stride", 1),
    (r"(.*_)?(max_position_embeddings|max_source_positions|n_positions|max_.*)", 128),
    (r"(.*_)?num_labels|num_classes", 10),
    (r"(.*_)?pad_token_id", 0),
    (r"(.*_)?(chunk_size_feed_forward|pruned_heads)", 0),
    (r"(.*_)?rope_theta", 10000.0),
    (r"(.*_)?(rope_scaling|rope_parameters|sliding_window|quantization_config)", None),
    (r"(.*_)?(size|dim|channels|width|features)$", 64),
    (r"(.*_)?type_vocab_size", 2),
    (r"(num_|n_).*", 2),
)
_COMPILED_ANSWERS: Final = tuple((re.compile(pattern), value) for pattern, value in _ANSWERS)


class UnknownConfig:
    """A stand-in that answers every question about a configuration and remembers what it was asked."""

    def __init__(self, profile: str) -> None:
        self.__dict__["_profile"] = profile
        self.__dict__["_asked"] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _field(name, self._profile)
        if value is None:
            found = [answer for pattern, answer in _COMPILED_ANSWERS if pattern.fullmatch(name)]
            if not found:
                raise AttributeError(f"nothing is known of the configuration's {name}")
            value = found[0]
        self._asked[name] = value
        setattr(self, name, value)
        return value

    def described(self) -> dict[str, Any]:
        """What it was asked, as arguments of a plain namespace."""
        return {"class": "types.SimpleNamespace", "fields": dict(sorted(self._asked.items()))}


def wants_config(parameter: inspect.Parameter, classes: Mapping[str, type]) -> bool:
    """Whether a parameter is a configuration, by its name or its annotation."""
    told = annotated(parameter, classes)
    return bool(_CONFIG_NAME.match(parameter.name)) or (told is not None and bool(_CONFIG_CLASS.search(told)))


def annotated(parameter: inspect.Parameter, classes: Mapping[str, type]) -> str | None:
    """The class of the file that an annotation names, if it names one."""
    told = parameter.annotation
    text = told if isinstance(told, str) else getattr(told, "__name__", str(told))
    return next((word for word in re.findall(r"\w+", text) if word in classes), None)


def config_class(parameter: inspect.Parameter, block: str, classes: Mapping[str, type]) -> str | None:
    """The configuration class for a parameter: the annotated one, else the one whose name is nearest to the block's."""
    told = annotated(parameter, classes)
    if told is not None:
        return told
    known = [name for name in classes if _CONFIG_CLASS.search(name) and not name.lower().startswith("pretrained")]
    return max(known, key=lambda name: (_shared(name, block), -len(name), name), default=None)


def _shared(one: str, other: str) -> int:
    """How many characters two names begin with together."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def small_fields(cls: type, profile: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Keyword arguments, as JSON, that make a configuration small; those within it too.

    Raises what the class raises without arguments.
    """
    plain = cls()
    accepted = sorted(name for name in _accepted(cls) if hasattr(plain, name))
    values = {name: getattr(plain, name) for name in accepted}
    fields: dict[str, Any] = {}
    for name, value in values.items():
        inner = type(value).__name__
        if _CONFIG_CLASS.search(inner) and classes.get(inner) is type(value) and inner != cls.__name__:
            fields[name] = {"class": inner, "fields": small_fields(type(value), profile, classes)}
        elif isinstance(value, int) and not isinstance(value, bool):
            small = _field(name, profile) if profile != "default" or _COUNTS.match(name) else None
            if small is not None and (small < value or profile != "default"):
                fields[name] = small
    _agree(fields, values)
    return fields


def _agree(fields: dict[str, Any], values: dict[str, Any]) -> None:
    """Mend what small numbers break: lists of one entry per layer, ids beyond the vocabulary, heads that were equal."""
    layers = values.get("num_hidden_layers")
    for name, value in values.items():
        if isinstance(value, list) and len(value) == layers and "num_hidden_layers" in fields and value:
            fields[name] = [value[0], value[-1]]  # the two kinds that there usually are
        beyond = isinstance(value, int) and value >= fields.get("vocab_size", value + 1)
        if name.endswith("_token_id") and (beyond or (value is None and name == "pad_token_id")):
            fields[name] = 0
        if name == "num_key_value_heads" and name in fields and value == values.get("num_attention_heads"):
            fields[name] = fields.get("num_attention_heads", fields[name])


def _accepted(cls: type) -> set[str]:
    names: set[str] = set()
    for each in cls.__mro__:
        names |= set(getattr(each, "__annotations__", {}))
        init = each.__dict__.get("__init__")
        if inspect.isfunction(init):
            names |= set(inspect.signature(init).parameters)
    return {name for name in names if not name.startswith("_")} - {"self", "kwargs", "args"}


def _field(name: str, profile: str) -> Any:
    for pattern, small, medium in _COMPILED:
        if pattern.fullmatch(name):
            return small if profile != "medium" else medium
    return None
