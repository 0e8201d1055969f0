"""Figures that are drawn once for a page, as SVG in the page's colours, and once as PNG."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .plots import STYLE, _svg

_PAGE: Final = {**STYLE, "text.parse_math": False}
_FILE: Final = {**_PAGE, "figure.facecolor": "white"}


class Drawn(NamedTuple):
    """A picture as a complete ``<svg>`` element and as PNG. ``name`` is its files' name without an ending."""

    name: str
    title: str
    svg: str
    png: bytes


def drawn(
    name: str, title: str, draw: Callable[[Any], None], *, size: tuple[float, float], grid: tuple[int, int] = (1, 1)
) -> Drawn:
    """Draw a figure. The same input draws the same bytes.

    Args:
        draw: gets an array of axes, (rows, columns).
        size: inches.
        grid: rows and columns of axes.
    """
    with mpl.rc_context(_PAGE):
        svg = _svg(_figure(draw, size, grid), html.escape(title))
    with mpl.rc_context(_FILE):
        figure = _figure(draw, size, grid)
        figure.suptitle(title, fontsize=11)
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return Drawn(name, title, svg, buffer.getvalue())


def _figure(draw: Callable[[Any], None], size: tuple[float, float], grid: tuple[int, int]) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots(*grid, squeeze=False))
    return figure
