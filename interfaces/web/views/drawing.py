"""A network's layers as a drawing: a column of boxes for each class, in the order of its text."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from .figures import drawing, empty_figure
from .layers import Drawn, Part, read_layers

# Kinds of layers by words in their names, in this order, with the colour of their boxes.
_KINDS: Final = (
    ("norm", "#d9f2e6"),
    ("pool", "#fde8cf"),
    ("conv", "#d6e6fb"),
    ("attention", "#ead9f7"),
    ("linear", "#f9d9e0"),
    ("dropout", "#e5e7eb"),
    ("flatten", "#e5e7eb"),
    ("elu", "#fbf3c4"),
    ("sigmoid", "#fbf3c4"),
    ("tanh", "#fbf3c4"),
    ("silu", "#fbf3c4"),
    ("swish", "#fbf3c4"),
)
_OTHER: Final = "#f3f4f6"
_EDGE: Final = "#6b7280"
_ROW: Final = 0.30  # inches
_GAP: Final = 0.08
_INSET: Final = 0.12
_WIDTH: Final = 4.4
_TALLEST: Final = 40.0


class _Place(NamedTuple):
    """A box's left edge, top (downwards) and width, in inches."""

    x: float
    top: float
    width: float


def architecture(source: str) -> Figure:
    """Draw a network from its text. Nothing of it is run."""
    columns = read_layers(source)
    if not any(column.parts for column in columns):
        return empty_figure("its layers cannot be read from the text")
    tall = max(_height(column) for column in columns)
    size = (_WIDTH * len(columns) + 0.3, min(tall + 0.3, _TALLEST))
    with drawing():
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, size[0])
        axes.set_ylim(tall + 0.2, -0.1)
        axes.axis("off")
        for number, column in enumerate(columns):
            _column(axes, column, 0.15 + number * _WIDTH)
        return figure


def _column(axes: Any, column: Drawn, x: float) -> None:
    axes.text(x, 0.15, column.name, fontsize=12, fontweight="bold", va="center")
    place = _Place(x, 0.4, _WIDTH - 0.3)
    for part in column.parts:
        _part(axes, part, place)
        place = place._replace(top=place.top + _part_height(part) + _GAP)
    if column.forward:
        axes.text(x, place.top + 0.15, "forward", fontsize=9, fontweight="bold", va="center")
        for number, line in enumerate(column.forward):
            axes.text(x, place.top + 0.38 + 0.2 * number, line, fontsize=7.5, family="monospace", va="center")


def _part(axes: Any, part: Part, place: _Place) -> None:
    height = _part_height(part)
    colour = _colour(part.name) if part.kind == "layer" else "none"
    style = "solid" if part.kind in ("layer", "group") else "dashed"
    box = FancyBboxPatch(
        (place.x, place.top), place.width, height, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=colour, edgecolor=_EDGE, linewidth=0.8, linestyle=style,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(place.x + 0.1, place.top + _ROW / 2, _fitting(part.label, place.width), fontsize=8.5, va="center")
    inner = _Place(place.x + _INSET, place.top + _ROW, place.width - 2 * _INSET)
    for one in part.parts:
        _part(axes, one, inner)
        inner = inner._replace(top=inner.top + _part_height(one) + _GAP)


def _fitting(label: str, width: float) -> str:
    most = max(8, int(width * 14))
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _part_height(part: Part) -> float:
    inside = sum(_part_height(one) + _GAP for one in part.parts)
    return _ROW + inside + (0.04 if part.parts else 0.0)


def _height(column: Drawn) -> float:
    forward = 0.5 + 0.2 * len(column.forward) if column.forward else 0.0
    return 0.4 + sum(_part_height(part) + _GAP for part in column.parts) + forward


def _colour(name: str) -> str:
    plain = name.lower()
    return next((colour for word, colour in _KINDS if word in plain), _OTHER)
