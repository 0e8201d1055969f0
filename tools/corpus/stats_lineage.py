"""Families of networks: who descends from whom, drawn from the records' parents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from .stats_model import Family, Lineage, Member

LARGEST: Final = 8  # families that are told in full
MAX_MEMBERS: Final = 120  # of one family


class Descent(NamedTuple):
    """One network on record: its id, its name, and the ids of its parents, the main one first."""

    id: str
    name: str
    parents: Sequence[str]


def lineage(networks: Iterable[Descent], accuracy: Mapping[str, float]) -> Lineage:
    """Families by root, along each network's first parent that is on record.

    Args:
        accuracy: network's name -> its best result.
    """
    known = {one.id: one for one in networks}
    parent = {key: _parent(one, known) for key, one in known.items()}
    children: dict[str, list[str]] = {}
    for key, above in parent.items():
        if above is not None:
            children.setdefault(above, []).append(key)
    roots = sorted((key for key, above in parent.items() if above is None), key=lambda key: (known[key].name, key))
    walked = {root: _walk(root, children, known) for root in roots if root in children}
    depths = Counter(depth for steps in walked.values() for _, _, depth in steps)
    largest = sorted(walked.values(), key=lambda steps: (-len(steps), known[steps[0][0]].name, steps[0][0]))[:LARGEST]
    return Lineage(
        networks=len(known),
        families=len(walked),
        alone=len(roots) - len(walked),
        deepest=max(depths, default=0),
        by_depth=dict(sorted(depths.items())),
        largest=tuple(_family(steps, known, accuracy) for steps in largest),
    )


def _parent(one: Descent, known: Mapping[str, Descent]) -> str | None:
    """The first parent on record. An id is a hash of the text, so a line of parents cannot come back to itself."""
    return next((key for key in one.parents if key in known and key != one.id), None)


def _walk(
    root: str, children: Mapping[str, Sequence[str]], known: Mapping[str, Descent]
) -> list[tuple[str, int | None, int]]:
    """``(id, place of the parent, depth)`` level by level, by name within a level."""
    steps: list[tuple[str, int | None, int]] = [(root, None, 0)]
    place = 0
    while place < len(steps):
        key, _, depth = steps[place]
        below = sorted(children.get(key, ()), key=lambda child: (known[child].name, child))
        steps.extend((child, place, depth + 1) for child in below)
        place += 1
    return steps


def _family(
    steps: Sequence[tuple[str, int | None, int]], known: Mapping[str, Descent], accuracy: Mapping[str, float]
) -> Family:
    names = [known[key].name for key, _, _ in steps]
    scored = [(accuracy[name], name) for name in names if name in accuracy]
    top = min(scored, key=lambda pair: (-pair[0], pair[1]), default=None)
    shown = zip(names[:MAX_MEMBERS], steps[:MAX_MEMBERS], strict=True)
    return Family(
        root=names[0],
        size=len(steps),
        depth=max(depth for _, _, depth in steps),
        root_accuracy=accuracy.get(names[0]),
        best=top[1] if top else None,
        best_accuracy=top[0] if top else None,
        members=tuple(
            Member(name=name, parent=above, depth=depth, accuracy=accuracy.get(name))
            for name, (_, above, depth) in shown
        ),
    )
