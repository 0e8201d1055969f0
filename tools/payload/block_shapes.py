"""Inputs to try on a built block: layouts of its main tensor, and values for what else ``forward`` asks for.

What a layer expects is read off the first weights that it holds; the rest follows habits of names. A forward pass
decides whether a guess was right.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import nn

BATCH: Final = 2
_TOKENS: Final = 16
_MAIN: Final = (
    *("hidden_states", "x", "input_ids", "pixel_values", "input_values", "input_features", "inputs_embeds"),
    *("pixel_values_videos", "features", "hidden_state", "input", "inputs", "img"),
)
_PICTURES: Final = ("pixel_values", "img", "image", "images", "pixels")
_SIZES: Final = (14, 32, 7, 56, 64, 224)
_PICTURE_SIZES: Final = (64, 224, 32, 128)
_SIZE_WORDS: Final = ("resolution", "img_size", "image_size", "feat_size")
_OPTIONAL: Final = (
    *("position_embeddings", "position_ids", "rotary_pos_emb", "cu_seqlens", "grid_thw", "encoder_hidden_states"),
    *("size", "feat_size", "height", "width", "h", "w", "hw_shape", "shape", "key_value_states"),
    *("pixel_values", "decoder_input_ids", "attention_mask", "context", "key", "value", "bbox", "input_dimensions"),
)


@dataclass
class Layout:
    """One shape of the main tensor: batch, channels, height and width, and how many tokens that is."""

    kind: str
    shape: tuple[int, ...]
    channels: int
    height: int = 4
    width: int = 4
    high: int = 128  # below this are ids
    batch: int = BATCH

    @property
    def tokens(self) -> int:
        """Length of the sequence that goes with it."""
        if self.kind == "tokens":
            return self.shape[-2]
        return self.shape[-1] if self.kind == "ids" else self.height * self.width

    def tensor(self) -> torch.Tensor:
        """The main input."""
        if self.kind == "ids":
            return torch.arange(self.shape[0] * self.shape[-1]).reshape(self.shape) % max(2, min(self.high, 100))
        return torch.randn(self.shape)


@dataclass
class Hints:
    """What a built block tells of itself: kinds and channels of its weighted layers, in order."""

    layers: list[tuple[str, int]] = field(default_factory=list)
    norms: list[int] = field(default_factory=list)
    experts: int = 4
    head_dim: int | None = None
    vocabulary: int = 128
    picture: tuple[int, int] | None = None
    frames: int | None = None

    @classmethod
    def of(cls, module: nn.Module) -> Hints:
        """Look through the modules; nothing is run."""
        found = cls()
        for each in module.modules():
            found.head_dim = found.head_dim or _whole(each, "head_dim", "attention_head_size", "dim_head")
            found.picture = found.picture or _pair(each, "image_size", "img_size", "input_resolution", "input_size")
            found.frames = found.frames or _whole(each, "num_frames")
            found.experts = _whole(each, "num_experts") or found.experts
            if isinstance(each, nn.Embedding):
                found.vocabulary = min(found.vocabulary, each.num_embeddings)
            kind = _kind(each)
            if kind is not None:
                found.layers.append(kind)
            if isinstance(each, nn.LayerNorm):
                found.norms.append(each.normalized_shape[-1])
        if not found.layers:
            vectors = [p.shape[0] for p in module.parameters() if p.dim() == 1 and p.shape[0] > 1]
            found.layers = [("tokens", vectors[0])] if vectors else []
        return found


def _whole(module: nn.Module, *names: str) -> int | None:
    values = (getattr(module, name, None) for name in names)
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), None)


def _pair(module: nn.Module, *names: str) -> tuple[int, int] | None:
    """Height and width that a module keeps under one of the names."""
    for name in names:
        value = getattr(module, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value, value
        if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(each, int) for each in value):
            return value[0], value[1]
    return None


def _kind(module: nn.Module) -> tuple[str, int] | None:
    if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
        return "signal", module.in_channels
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        return "video", module.in_channels
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return "image", module.in_channels
    if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        return "image", module.num_features
    if isinstance(module, nn.GroupNorm):
        return "image", module.num_channels
    if isinstance(module, nn.Linear):
        return "tokens", module.in_features
    if isinstance(module, nn.LayerNorm):
        return ("image" if "2d" in type(module).__name__.lower() else "tokens"), module.normalized_shape[-1]
    return ("ids", module.num_embeddings) if isinstance(module, nn.Embedding) else None


def calls(module: nn.Module, arguments: Mapping[str, Any], width: int) -> Iterator[dict[str, Any]]:
    """Keyword arguments for ``forward`` to try, the likeliest first.

    Args:
        arguments: with which the module was built, for sizes that were named there.
        width: channels where the module tells none.
    """
    parameters = {
        name: each
        for name, each in inspect.signature(module.forward).parameters.items()
        if each.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    }
    required = [name for name, each in parameters.items() if each.default is inspect.Parameter.empty]
    main = next(iter(required), None) or next(
        (name for name in _MAIN if name in parameters), next(iter(parameters), None)
    )
    if main is None:
        yield {}
        return
    hints = Hints.of(module)
    extra = [name for name in _OPTIONAL if name in parameters and name not in required and name != main]
    found = layouts(main, hints, sizes_in(arguments), width)
    annotation = str(parameters[main].annotation).lower()
    if "tensor" in annotation and ("list[" in annotation or "dict[" in annotation):
        found = [replace(each, kind=annotation) for each in found if each.kind == "image"] + found
    if hints.layers and hints.layers[0][1] != width and found[0].channels == hints.layers[0][1]:
        # Its first layer may see the input only after something was done to it: patches merged, heads split.
        kind = "image" if hints.layers[0][0] == "signal" else hints.layers[0][0]
        found += layouts(main, Hints([(kind, width)]), sizes_in(arguments), width)[:6]
    rounds = [(required, found), ([*required, *extra], found[:6])] if extra else [(required, found)]
    for names, shapes in rounds:
        for layout in shapes:
            for variant in (0, 1) if len(names) > 1 else (0,):
                yield _call(main, names, layout, hints, variant)


def _call(main: str, names: list[str] | tuple[str, ...], layout: Layout, hints: Hints, variant: int) -> dict[str, Any]:
    torch.manual_seed(0)
    first: Any = layout.tensor()
    if "list" in layout.kind or "dict" in layout.kind:
        sizes = [(max(1, layout.height >> i), max(1, layout.width >> i)) for i in range(4)]
        maps = [torch.randn(BATCH, layout.channels, *size) for size in sizes]
        first = {str(i): each for i, each in enumerate(maps)} if "dict" in layout.kind else maps
    others = {name: _value(name.lower(), layout, hints, variant) for name in names if name != main}
    return {main: first, **others}


def sizes_in(arguments: Mapping[str, Any]) -> list[int]:
    """Heights that constructor arguments name: resolutions, sizes of images and grids."""
    found: list[int] = []
    pending: list[tuple[str, Any]] = list(arguments.items())
    while pending:
        name, value = pending.pop(0)
        if isinstance(value, dict):
            inner = value.get("tuple")
            pending += [(name, inner[0])] if inner else list(value.get("fields", {}).items())
        elif isinstance(value, int) and any(
            word in name for word in ("resolution", "img_size", "image_size", "feat_size")
        ):
            found.append(value)
    return found


def layouts(main: str, hints: Hints, sizes: list[int], width: int) -> list[Layout]:
    """Shapes for the main tensor."""
    name = main.lower()
    if name.endswith("ids") or name in ("tokens", "input_tokens"):
        return [Layout("ids", (BATCH, _TOKENS), width, high=hints.vocabulary)]
    kind, channels = hints.layers[0] if hints.layers else ("image", width)
    if kind == "image" and hints.picture is not None:
        sizes = [*sizes, hints.picture[0]]
    if name in _PICTURES:
        pictures = [channels] if kind == "image" else [3, 1]
        images = [_image(c, s) for s in _once([*sizes, *_PICTURE_SIZES]) for c in pictures]
        if hints.picture is not None:
            high, wide = hints.picture
            images.insert(0, Layout("image", (BATCH, pictures[0], high, wide), pictures[0], high, wide))
        films = _films(hints, sizes)
        return [*films, *images] if kind == "video" or hints.frames else [*images, *films[:2]]
    if "video" in name:
        return _films(hints, sizes)
    if name in ("input_values", "waveform", "audio"):
        return [Layout("vector", (BATCH, 8000), width), Layout("signal", (BATCH, 1, 8000), 1), _tokens(1024, 128)]
    if name in ("input_features", "audio_features") and kind == "signal":
        return [Layout("signal", (BATCH, channels, 3000), channels), Layout("signal", (BATCH, channels, 200), channels)]
    if name in ("features", "feature_maps", "feats", "xs") and kind != "tokens":
        return [Layout("list", (BATCH,), channels, 32, 32), *_around("image", channels, sizes)]
    return _around(kind, channels, sizes)


def _films(hints: Hints, sizes: list[int]) -> list[Layout]:
    """Videos, frames before channels first."""
    square = [(size, size) for size in _once([*sizes, *_PICTURE_SIZES[:2]])]
    wanted = [hints.picture, *square] if hints.picture is not None else square
    frames = hints.frames or 8
    return [Layout("video", (1, *lead, *pair), 3, *pair) for pair in wanted for lead in ((frames, 3), (3, frames))]


def _around(kind: str, channels: int, sizes: list[int]) -> list[Layout]:
    """Layouts of a kind, then those of its neighbours."""
    usual = _PICTURE_SIZES if channels in (1, 3) else _SIZES
    images = [_image(channels, size) for size in _once([*sizes, *usual])]
    near = [_once([*sizes, 14])[0], 7]
    last = [Layout("nhwc", (BATCH, size, size, channels), channels, size, size) for size in near]
    tokens = [_tokens(count, channels) for count in _once([*(size * size for size in sizes[:1]), _TOKENS, 196, 49])]
    flat = [Layout("tokens", (_TOKENS, channels), channels), Layout("vector", (BATCH, channels), channels)]
    signals = [Layout("signal", (BATCH, channels, length), channels) for length in (16, 200)]
    videos = [Layout("video", (1, channels, 4, size, size), channels, size, size) for size in (16, 64, 7)]
    order = {
        "image": [*images, *last, *tokens[:1], *signals[:1], *flat[1:]],
        "tokens": [*tokens[:1], *last[:1], *flat, *tokens[1:], *images[:1], *signals[:1], *last[1:]],
        "signal": [*signals, *tokens[:1]],
        "video": videos,
        "ids": [Layout("ids", (BATCH, _TOKENS), 64, high=channels), _tokens(_TOKENS, 64)],
    }
    return order[kind]


def _image(channels: int, size: int) -> Layout:
    return Layout("image", (BATCH, channels, size, size), channels, size, size)


def _tokens(count: int, channels: int) -> Layout:
    side = int(count**0.5)
    return Layout("tokens", (BATCH, count, channels), channels, side, side)


def _once(values: list[int]) -> list[int]:
    return list(dict.fromkeys(values))


def _value(name: str, layout: Layout, hints: Hints, variant: int) -> Any:
    """A value for one further parameter of ``forward``; ``variant`` chooses where names are used in two ways."""
    flat = len(layout.shape) == 2 and layout.kind == "tokens"
    lead = () if flat else (layout.batch,)
    count, side = layout.tokens, (layout.height, layout.width)
    head = hints.head_dim or max(2, layout.channels // 4)
    if name in ("height", "h", "patch_height"):
        return layout.height
    if name in ("width", "w", "patch_width"):
        return layout.width
    if name in ("size", "feat_size", "hw_shape", "input_dimensions", "shape_2d", "spatial_shape", "image_size", "hw"):
        return side
    if name in ("shape", "input_shape", "input_ids_shape"):
        return torch.Size(layout.shape)
    if name in ("dtype", "device"):
        return torch.float32 if name == "dtype" else torch.device("cpu")
    if "position_embeddings" in name or name in ("rotary_pos_emb", "pos_emb", "freqs_cis"):
        if variant and not flat:
            return torch.randn(layout.batch, count, layout.channels)
        angles = torch.rand(*((count, head) if flat else (1, count, head)))
        return (angles.cos(), angles.sin()) if "embeddings" in name else torch.rand(count, head // 2)
    if name.endswith("position_ids"):
        return torch.arange(count).expand(*lead, count)
    if name.endswith(("_ids", "_index", "labels", "target", "targets")):
        return _whole_numbers(name, layout, hints, variant)
    if "mask" in name:
        return torch.zeros(layout.batch, 1, count, count) if variant else None
    if name == "cu_seqlens":
        return torch.tensor([0, count], dtype=torch.int32)
    if "grid_thw" in name:
        return torch.tensor([[1, *side]])
    if name == "top_k_weights":
        return torch.full((count, 2), 0.5)
    if name == "layer_type":
        return "full_attention"
    if name.startswith(("output_", "use_", "return_", "is_")):
        return False
    if name in ("pixel_values", "images"):
        return torch.randn(layout.batch, 3, 224, 224)
    if name in ("input_tensor", "residual") and hints.norms and layout.kind == "tokens":
        return torch.randn(*layout.shape[:-1], hints.norms[-1])
    return torch.randn(layout.shape) if layout.kind != "ids" else torch.randn(layout.batch, count, layout.channels)


def _whole_numbers(name: str, layout: Layout, hints: Hints, variant: int) -> torch.Tensor:
    if name.startswith("top_k"):
        return torch.arange(layout.tokens * 2).reshape(layout.tokens, 2) % hints.experts
    if "target" in name or "labels" in name:
        classes = layout.shape[1] if len(layout.shape) > 1 else 2
        return torch.rand(layout.shape) if variant else torch.arange(layout.batch) % classes
    return torch.zeros(layout.batch, layout.tokens, dtype=torch.long)


def shapes_of(value: Any, most: int = 16) -> list[list[int]]:
    """Shapes of the tensors within a value: tuples, lists, dictionaries and data classes are looked into."""
    found: list[list[int]] = []
    pending, seen = [value], 0
    while pending and len(found) < most and seen < 1000:
        each = pending.pop(0)
        seen += 1
        if isinstance(each, torch.Tensor):
            found.append(list(each.shape))
        elif isinstance(each, Mapping):
            pending += list(each.values())
        elif isinstance(each, list | tuple):
            pending += list(each)
        elif hasattr(each, "__dataclass_fields__"):
            pending += [getattr(each, name, None) for name in each.__dataclass_fields__]
    return found
