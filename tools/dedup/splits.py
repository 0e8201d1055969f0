"""Train, validation and test split of networks without a leak: what is alike or related stays together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from .unions import Unions

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")
SHARES: Final = (0.8, 0.1, 0.1)


def splits(
    clusters: Mapping[str, str],
    strata: Mapping[str, str] | None = None,
    parents: Mapping[str, Iterable[str]] | None = None,
    seed: int = 0,
    shares: Sequence[float] = SHARES,
) -> dict[str, Split]:
    """The split of every network.

    Networks of one cluster, and those that descend from one another or from one parent, form a family, which is never
    divided. Families are dealt out stratum by stratum, the largest first, each to the split that lacks most; what a
    stratum is too small to give is made up in the next, so that the whole keeps its shares.

    Args:
        clusters: name of a network -> its cluster (:attr:`.decisions.Found.cluster`, or its own name).
        strata: name -> what is to be spread evenly, such as its prefix and data set; a family counts as what most of
            its members are.
        parents: name -> those from which it was made; they need not be among the networks.
        seed: decides between families of one size. The same input and seed give the same splits, in any order.
        shares: of train, validation and test.

    Raises:
        ValueError: shares that are no three parts of 1.
    """
    if len(shares) != len(SPLITS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares are three parts that add up to 1, not {tuple(shares)}")
    strata = strata or {}
    decided: dict[str, Split] = {}
    families: dict[str, list[list[str]]] = {}
    for family in _families(clusters, parents or {}):
        count = Counter(strata.get(name, "") for name in family)
        families.setdefault(min(count, key=lambda stratum: (-count[stratum], stratum)), []).append(family)
    lacking = [0.0, 0.0, 0.0]
    for stratum in sorted(families):
        size = sum(map(len, families[stratum]))
        lacking = [lack + share * size for lack, share in zip(lacking, shares, strict=True)]
        for family in sorted(families[stratum], key=lambda family: (-len(family), _draw(seed, family[0]))):
            place = max(range(len(SPLITS)), key=lambda at: (lacking[at], -at))
            lacking[place] -= len(family)
            decided |= dict.fromkeys(family, SPLITS[place])
    return {name: decided[name] for name in sorted(decided)}


def _families(clusters: Mapping[str, str], parents: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Sorted lists of names, by their first."""
    names = sorted(clusters)
    marks = [f"name {name}" for name in names]
    marks += sorted({f"cluster {cluster}" for cluster in clusters.values()})
    marks += sorted({f"name {parent}" for name in names for parent in parents.get(name, ())} - set(marks))
    places = {mark: at for at, mark in enumerate(marks)}
    unions = Unions(len(marks))
    for name in names:
        unions.join(places[f"name {name}"], places[f"cluster {clusters[name]}"])
        for parent in parents.get(name, ()):
            unions.join(places[f"name {name}"], places[f"name {parent}"])
    found: dict[int, list[str]] = {}
    for at, name in enumerate(names):
        found.setdefault(unions.root(at), []).append(name)
    return list(found.values())


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()
