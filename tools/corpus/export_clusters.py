"""Near duplicates and splits of the networks of an export, as ``netwright dedup`` finds them by text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..dedup.items import Item, prefix_of
from ..dedup.run import deduplicate, split_items
from .export_networks import Clustered

Told = Callable[[str, int, int], None]


def clusters(
    codes: Mapping[str, str],
    datasets: Mapping[str, str],
    parents: Mapping[str, tuple[str, ...]],
    folder: Path | None = None,
    *,
    seed: int = 0,
    progress: Told = lambda stage, done, total: None,
) -> Clustered:
    """Which networks are kept, and the split of every one: clusters and families are never divided.

    Args:
        codes: network's name -> its code.
        datasets: network's name -> a data set that it was trained for.
        parents: network's name -> names of those from which it was made.
        folder: keeps what was computed of each text, for the next time.
        seed: of the splits.
    """
    items = [
        Item(key=name, text=codes[name], prefix=prefix_of(name), dataset=datasets[name], parents=parents.get(name, ()))
        for name in sorted(codes)
    ]
    found = deduplicate(items, folder, progress=progress).found
    return Clustered(frozenset(one.key for one in found if one.kept), split_items(items, found, seed))
