"""How a block is built for a place: its recorded arguments with other channels, and what goes around it.

A block was validated with some number of channels (:class:`~netwright.memory.block_types.BlockCheck`). For a place
with other ones there are two ways, tried in this order: *resized*, its arguments rewritten to the place's channels, and
*as built*, between two 1x1 convolutions. Blocks on tokens or on channels-last maps get the axes in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from ...memory.block_types import Block
from ..blocks.arguments import Rename, as_source
from .places import Place

Layout = Literal["maps", "channels_last", "tokens"]

TOKENS: Final = "TokensOf"
CHANNELS_LAST: Final = "ChannelsLast"
HELPERS: Final[dict[Layout, tuple[str, str]]] = {
    "tokens": (
        TOKENS,
        '''class {name}(nn.Module):
    """Feature maps as tokens for the block inside: (B, C, H, W) to (B, H * W, C) and back."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        b, c, h, w = x.shape
        x = self.block(x.flatten(2).transpose(1, 2))
        return x.transpose(1, 2).reshape(b, -1, h, w)
''',
    ),
    "channels_last": (
        CHANNELS_LAST,
        '''class {name}(nn.Module):
    """Feature maps with channels last for the block inside: (B, C, H, W) to (B, H, W, C) and back."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return self.block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
''',
    ),
}
"""Class that a layout needs, and its source; ``{name}`` stands for the name it gets in the program."""


class Fit(NamedTuple):
    """One way to build a block for a place.

    Attributes:
        build: source of an expression that makes the module, from the names that things have in the program.
        layout: what the block works on.
        resized: whether the arguments were rewritten, or the block stands as it was built.
    """

    build: Callable[[Rename], str]
    layout: Layout
    resized: bool


def fits(block: Block, place: Place) -> Iterator[Fit]:
    """Ways to build a block for a place, the neatest first; none where it was never run."""
    check = block.check
    if check is None or check.arguments is None or len(check.inputs) != 1 or len(check.outputs) != 1:
        return
    before, after = check.inputs[0], check.outputs[0]
    layout = layout_of(before)
    if layout is None or len(after) != len(before):
        return
    taken, given = _channels(before, layout), _channels(after, layout)
    size = _size(before, layout)
    spatial = _Spatial(size, place.before[1:], before[1] if layout == "tokens" else None)
    keeps_size = layout == "tokens" or _size(after, layout) == size
    for resized in (True, False):
        if resized:
            numbers = {taken: place.before[0]} | ({given: place.after[0]} if given != taken else {})
            if not all(_holds(check.arguments, number) for number in numbers):
                continue
            arguments = spatial.moved(_replaced(check.arguments, numbers))
            width = (place.before[0], place.before[0] if given == taken else place.after[0])
        else:
            arguments, width = spatial.moved(check.arguments), (taken, given)
        yield Fit(_builder(block, place, arguments, width, layout, keeps_size), layout, resized)


def layout_of(shape: tuple[int, ...]) -> Layout | None:
    """What a tensor of this shape (batch first) is to a block."""
    if len(shape) == 3:
        return "tokens"
    if len(shape) != 4:
        return None
    return "channels_last" if shape[1] == shape[2] != shape[3] else "maps"


def _channels(shape: tuple[int, ...], layout: Layout) -> int:
    return shape[1] if layout == "maps" else shape[-1]


def _size(shape: tuple[int, ...], layout: Layout) -> tuple[int, int]:
    if layout == "maps":
        return shape[2], shape[3]
    return (shape[1], shape[2]) if layout == "channels_last" else (0, 0)


def _builder(
    block: Block,
    place: Place,
    arguments: Mapping[str, Any],
    width: tuple[int, int],
    layout: Layout,
    keeps_size: bool,
) -> Callable[[Rename], str]:
    def build(rename: Rename) -> str:
        made = f"{rename(block.name)}({as_source(arguments, rename)})"
        if layout in HELPERS:
            made = f"{rename(HELPERS[layout][0])}({made})"
        parts = [made]
        if width[0] != place.before[0]:
            parts.insert(0, f"nn.Conv2d({place.before[0]}, {width[0]}, 1)")
        if width[1] != place.after[0]:
            parts.append(f"nn.Conv2d({width[1]}, {place.after[0]}, 1)")
        if not keeps_size or place.before[1:] != place.after[1:]:
            parts.append(f"nn.AdaptiveAvgPool2d({place.after[1:]})")
        return parts[0] if len(parts) == 1 else f"nn.Sequential({', '.join(parts)})"

    return build


class _Spatial:
    """Arguments that tell the size of the maps, rewritten to a place's size."""

    def __init__(self, built: tuple[int, int], wanted: tuple[int, ...], tokens: int | None) -> None:
        self._built = list(built)
        self._wanted = list(wanted)
        self._tokens = tokens

    def moved(self, arguments: Any) -> Any:
        if isinstance(arguments, dict):
            return {name: self.moved(value) for name, value in arguments.items()}
        if isinstance(arguments, list):
            return list(self._wanted) if arguments == self._built else [self.moved(each) for each in arguments]
        if self._tokens is not None and _is_number(arguments) and arguments == self._tokens:
            return self._wanted[0] * self._wanted[1]
        return arguments


def _replaced(value: Any, numbers: Mapping[int, int]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(each, numbers) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, numbers) for each in value]
    return numbers.get(value, value) if _is_number(value) else value


def _holds(value: Any, number: int) -> bool:
    if isinstance(value, dict):
        return any(_holds(each, number) for each in value.values())
    if isinstance(value, list):
        return any(_holds(each, number) for each in value)
    return _is_number(value) and value == number


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
