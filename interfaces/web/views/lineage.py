"""Who a network descends from and what descends from it, as a drawing from left to right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from matplotlib.figure import Figure

from ....memory.descent import Ancestry, ancestry
from ....memory.records import Records
from .figures import drawing, empty_figure

DEPTH: Final = 4
"""Generations in either direction."""
WIDEST: Final = 10
"""Networks of one generation that are drawn; of more it is said how many there are."""
_BOX: Final = (1.75, 0.34)
_STEP: Final = (2.35, 0.5)


class Kin(NamedTuple):
    """A network's relatives.

    Attributes:
        levels: generation (negative: ancestors, 0: itself) -> names by id, the first :data:`WIDEST`.
        edges: (parent, child) between those.
        left_out: generation -> how many more there are.
    """

    levels: dict[int, dict[str, str]]
    edges: tuple[tuple[str, str], ...]
    left_out: dict[int, int]


def kin(networks: Iterable[Ancestry], candidate_id: str) -> Kin:
    """Ancestors and descendants of a network, each in the generation that is nearest to it."""
    known = {one.id: one for one in networks}
    children: dict[str, list[str]] = {}
    for one in known.values():
        for parent in one.parents:
            children.setdefault(parent, []).append(one.id)
    levels: dict[int, dict[str, str]] = {0: {candidate_id: _name(known, candidate_id)}}
    left_out: dict[int, int] = {}
    seen = {candidate_id}
    for sign in (-1, 1):
        near = [candidate_id]
        for depth in range(1, DEPTH + 1):
            found = (k for one in near for k in (_parents(known, one) if sign < 0 else children.get(one, ())))
            new = [key for key in dict.fromkeys(found) if key not in seen]
            if not new:
                break
            seen.update(new)
            near = new[:WIDEST]
            levels[sign * depth] = {key: _name(known, key) for key in near}
            if len(new) > WIDEST:
                left_out[sign * depth] = len(new) - WIDEST
    drawn = {key for level in levels.values() for key in level}
    edges = tuple((parent, key) for key in sorted(drawn) for parent in _parents(known, key) if parent in drawn)
    return Kin(levels, edges, left_out)


def lineage_figure(records: Records, candidate_id: str) -> Figure:
    """The relatives of a network, drawn."""
    found = kin(ancestry(records), candidate_id)
    if len(found.levels) == 1:
        return empty_figure("no parents and no descendants on record")
    places = _places(found)
    low, high = min(found.levels), max(found.levels)
    rows = max(len(level) + (number in found.left_out) for number, level in found.levels.items())
    size = ((high - low) * _STEP[0] + _BOX[0] + 0.3, rows * _STEP[1] + 0.5)
    with drawing():
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(low * _STEP[0] - _BOX[0] / 2 - 0.15, high * _STEP[0] + _BOX[0] / 2 + 0.15)
        axes.set_ylim(-size[1] / 2, size[1] / 2)
        axes.axis("off")
        for parent, child in found.edges:
            _edge(axes, places[parent], places[child])
        for number, level in found.levels.items():
            for key, name in level.items():
                _box(axes, places[key], name, chosen=key == candidate_id)
            if number in found.left_out:
                x, y = number * _STEP[0], -(len(level) + 1) / 2 * _STEP[1] + 0.1
                axes.text(x, y, f"and {found.left_out[number]} more", ha="center", va="center", fontsize=8)
        return figure


def _parents(known: Mapping[str, Ancestry], key: str) -> tuple[str, ...]:
    return known[key].parents if key in known else ()


def _name(known: Mapping[str, Ancestry], key: str) -> str:
    name = known[key].name if key in known else f"{key[:12]} (not on record)"
    return name if len(name) <= 24 else f"{name[:23]}…"


def _places(found: Kin) -> dict[str, tuple[float, float]]:
    places = {}
    for number, level in found.levels.items():
        for row, key in enumerate(level):
            places[key] = (number * _STEP[0], ((len(level) - 1) / 2 - row) * _STEP[1])
    return places


def _edge(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    half = _BOX[0] / 2
    arrow = {"arrowstyle": "->", "color": "#6b7280", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end[0] - half, end[1]), (start[0] + half, start[1]), arrowprops=arrow)


def _box(axes: Any, place: tuple[float, float], name: str, *, chosen: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (place[0] - _BOX[0] / 2, place[1] - _BOX[1] / 2)
    colour = "#fde8cf" if chosen else "#d6e6fb"
    box = FancyBboxPatch(
        corner, *_BOX, boxstyle="round,pad=0,rounding_size=0.06", facecolor=colour, edgecolor="#6b7280", linewidth=0.8
    )
    axes.add_patch(box)
    axes.text(*place, name, ha="center", va="center", fontsize=8)
