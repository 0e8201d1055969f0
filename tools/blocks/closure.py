"""Everything that a block needs: from its class along all uses, across files and sources."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from .linking import ItemKey, Link, Linked, Linker
from .modules import Definition, External, World
from .uses import ANNOTATION, CALLED, EAGER, PARAMETER, STRING

_ALIAS_BYTES: Final = 1500  # of an assignment that an annotation may bring along: a type alias


class TooLarge(Exception):
    """A closure that grows beyond all bounds."""


@dataclass
class Closure:
    """Items that belong together.

    Attributes:
        items: by key, in the order in which they were found.
        defined: items of each definition.
    """

    root: Definition
    items: dict[ItemKey, Linked] = field(default_factory=dict)
    defined: dict[Definition, tuple[ItemKey, ...]] = field(default_factory=dict)
    size: int = 0

    def has(self, target: Definition) -> bool:
        """Whether a definition is in the closure."""
        return target in self.defined


class Closer:
    """Computes closures.

    Args:
        most_items, most_bytes: at which a closure is given up.
    """

    def __init__(self, linker: Linker, *, most_items: int = 3000, most_bytes: int = 1_200_000) -> None:
        self._linker = linker
        self._world: World = linker.world
        self._most_items, self._most_bytes = most_items, most_bytes

    def close(self, root: Definition) -> Closure:
        """The closure of a class.

        Raises:
            TooLarge: it needs more than is sensible for one file.
        """
        closure = Closure(root)
        pending = deque([root])
        while pending:
            target = pending.popleft()
            if target in closure.defined:
                continue
            for key in self._define(closure, target):
                for link in closure.items[key].links:
                    if isinstance(link.target, Definition) and self._followed(link):
                        pending.append(link.target)
                for edit in closure.items[key].edits:
                    pending.extend(target for _, target in edit.names if isinstance(target, Definition))
        return closure

    def _define(self, closure: Closure, target: Definition) -> list[ItemKey]:
        """Add the items of a definition; those that were not there yet."""
        module = self._world.modules[target.module]
        indices = module.table.get(target.name, ())
        live = [i for i in indices if module.facts.items[i].rank == 0] or list(indices)
        live = [i for i in live if module.facts.items[i].kind != "import"]
        live += [i for i in module.changed_by.get(target.name, ()) if i not in live]
        keys = tuple(ItemKey(target.module, i) for i in live)
        closure.defined[target] = keys
        new = [key for key in keys if key not in closure.items]
        for key in new:
            linked = self._linker.linked(key)
            closure.items[key] = linked
            closure.size += linked.item.end - linked.item.start
        if len(closure.items) > self._most_items or closure.size > self._most_bytes:
            raise TooLarge(f"{len(closure.items)} definitions, {closure.size >> 10} KiB")
        return new

    def _followed(self, link: Link) -> bool:
        """Whether a use brings its definition along: those in annotations rarely do."""
        if not link.use.flags & ANNOTATION:
            return True
        assert isinstance(link.target, Definition)
        module = self._world.modules[link.target.module]
        items = module.bindings(link.target.name)
        if link.use.flags & PARAMETER and link.target.name.endswith("Config"):
            return any(item.kind == "class" for item in items)
        return bool(items) and all(item.kind == "assign" and item.end - item.start < _ALIAS_BYTES for item in items)


def hard_needs(closure: Closure) -> dict[ItemKey, tuple[set[ItemKey], set[ItemKey]]]:
    """What each item must come after, and what it should come after, because what it calls then runs."""
    lazy: dict[ItemKey, list[ItemKey]] = {}
    hard: dict[ItemKey, set[ItemKey]] = {}
    called: dict[ItemKey, list[ItemKey]] = {}
    completed: dict[ItemKey, set[ItemKey]] = {}
    for key, linked in closure.items.items():
        hard[key], called[key], lazy[key], completed[key] = set(), [], [], set()
        for link in linked.links:
            keys = _keys(closure, link)
            if link.use.flags & EAGER and not link.use.flags & STRING:
                binding = {each for each in keys if _binds(closure, each, link)}
                hard[key].update(binding)
                if not set(keys) & {key}:
                    completed[key].update(set(keys) - binding)
                if link.use.flags & CALLED:
                    called[key].extend(keys)
            lazy[key].extend(keys)
        for edit in linked.edits:
            for _, target in edit.names:
                if isinstance(target, Definition):
                    lazy[key].extend(closure.defined.get(target, ()))
        hard[key].discard(key)
    _order_of_bindings(closure, hard)
    needs = {}
    for key in closure.items:
        soft: set[ItemKey] = set(completed[key])
        waiting = list(called[key])
        while waiting:
            each = waiting.pop()
            for other in lazy[each]:
                if other not in soft:
                    soft.add(other)
                    waiting.append(other)
        needs[key] = (hard[key], soft - hard[key] - {key})
    return needs


def _keys(closure: Closure, link: Link) -> tuple[ItemKey, ...]:
    if isinstance(link.target, External):
        return ()
    return closure.defined.get(link.target, ())


def _binds(closure: Closure, key: ItemKey, link: Link) -> bool:
    """Whether an item binds what a link names, and does not only complete it."""
    return isinstance(link.target, Definition) and link.target.name in closure.items[key].item.binds


def _order_of_bindings(closure: Closure, hard: dict[ItemKey, set[ItemKey]]) -> None:
    """Items that bind or complete the same name stay in the order of their file."""
    for target, keys in closure.defined.items():
        binding = [key for key in sorted(keys) if target.name in closure.items[key].item.binds]
        for before, after in pairwise(binding):
            hard[after].add(before)
            hard[before].discard(after)
        for key in keys:
            if key not in binding:
                hard[key].update(binding)
                for other in binding:
                    hard[other].discard(key)
