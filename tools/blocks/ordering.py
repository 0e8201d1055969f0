"""The order of definitions in an emitted file: what is needed when the module runs comes first."""

from __future__ import annotations

import heapq

from .closure import Closure, hard_needs
from .linking import ItemKey
from .modules import Definition


def ordered(closure: Closure) -> list[ItemKey]:
    """Items of a closure, definition before use, otherwise dependencies before what they serve; the root is last.

    Needs come in three degrees, and in a circle the weakest are dropped first: that the root is last; that what a
    statement calls can run; that what a statement reads is there.
    """
    rank = {key: at for at, key in enumerate(_preference(closure))}
    needs = hard_needs(closure)
    root = closure.defined[closure.root]
    hard = {key: set(before) for key, (before, _) in needs.items()}
    firm = {key: hard[key] | soft for key, (_, soft) in needs.items()}
    wished = dict(firm)
    for key in root:
        others = {other for other in closure.items if other not in root}
        wished[key] = firm[key] | {other for other in others if not _reaches(needs, other, key)}
    return _sorted(rank, wished, [firm, hard])


def _reaches(needs: dict[ItemKey, tuple[set[ItemKey], set[ItemKey]]], start: ItemKey, goal: ItemKey) -> bool:
    """Whether an item must come after another."""
    seen, pending = {start}, [start]
    while pending:
        for other in needs[pending.pop()][0]:
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                pending.append(other)
    return False


def _sorted(
    rank: dict[ItemKey, int], waiting: dict[ItemKey, set[ItemKey]], weaker: list[dict[ItemKey, set[ItemKey]]]
) -> list[ItemKey]:
    """Kahn's algorithm; in a circle an item goes first that has all of the next weaker needs, the earliest of them."""
    serves: dict[ItemKey, list[ItemKey]] = {key: [] for key in rank}
    for key, needed in waiting.items():
        for other in needed:
            serves[other].append(key)
    left = {key: set(needed) for key, needed in waiting.items()}
    ready = [(rank[key], key) for key, needed in left.items() if not needed]
    heapq.heapify(ready)
    done: set[ItemKey] = set()
    result: list[ItemKey] = []
    while len(result) < len(rank):
        if not ready:
            open_ = [key for key in rank if key not in done]  # by rank
            free = (key for needs in weaker for key in open_ if not needs[key] - done)
            key = next(free, open_[0])
            heapq.heappush(ready, (rank[key], key))
        _, key = heapq.heappop(ready)
        if key in done:
            continue
        done.add(key)
        result.append(key)
        for other in serves[key]:
            left[other].discard(key)
            if not left[other] and other not in done:
                heapq.heappush(ready, (rank[other], other))
    return result


def _preference(closure: Closure) -> list[ItemKey]:
    """Depth first from the root, dependencies in the order in which they are used."""
    seen: set[ItemKey] = set()
    result: list[ItemKey] = []
    stack: list[tuple[ItemKey, bool]] = [(key, False) for key in reversed(closure.defined[closure.root])]
    while stack:
        key, finished = stack.pop()
        if finished:
            result.append(key)
            continue
        if key in seen:
            continue
        seen.add(key)
        stack.append((key, True))
        linked = closure.items[key]
        after = [link.target for link in linked.links if isinstance(link.target, Definition)]
        after += [t for edit in linked.edits for _, t in edit.names if isinstance(t, Definition)]
        for target in reversed(after):
            stack.extend((other, False) for other in reversed(closure.defined.get(target, ())) if other not in seen)
    result.extend(key for key in closure.items if key not in seen)
    return result
