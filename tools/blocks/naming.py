"""Names in an emitted file: each definition keeps its own unless another has taken it."""

from __future__ import annotations

import builtins
import keyword
from dataclasses import dataclass, field
from typing import Final

from .closure import Closure
from .linking import ItemKey, Link
from .modules import OVERLAY, Definition, External
from .uses import ALIAS

_RESERVED: Final = frozenset(keyword.kwlist) | {"__name__", "__file__", "__doc__", "annotations"}


@dataclass
class Names:
    """What everything is called.

    Attributes:
        definitions: emitted names.
        externals: ``(path, wished name)`` → emitted name.
        statements: the import that binds each emitted external.
    """

    definitions: dict[Definition, str] = field(default_factory=dict)
    externals: dict[tuple[str, str], str] = field(default_factory=dict)
    statements: dict[str, External] = field(default_factory=dict)
    taken: dict[str, object] = field(default_factory=dict)

    def of(self, link: Link) -> str:
        """The emitted name for a use."""
        return self.of_target(link.target)

    def of_target(self, target: Definition | External) -> str:
        """The emitted name of what is used."""
        if isinstance(target, External):
            return self.externals[(target.path, target.name)]
        return self.definitions[target]


def named(closure: Closure, order: list[ItemKey]) -> Names:
    """Names for all that a closure defines and imports; the root's own module chooses first."""
    names = Names()
    native = frozenset().union(*(linked.builtins for linked in closure.items.values()))
    shadows = _shadows(closure)
    root = closure.root
    names.definitions[root] = root.name
    names.taken[root.name] = root
    of_root = [key for key in order if key.module == root.module]
    others = [key for key in order if key.module != root.module]
    for key in [*of_root, *others]:
        linked = closure.items[key]
        for name in linked.item.binds:
            _define(names, Definition(key.module, name), native, shadows)
        for link in linked.links:
            if isinstance(link.target, External):
                _import(names, link.target, native)
        for edit in linked.edits:
            for _, target in edit.names:
                if isinstance(target, External):
                    _import(names, target, native)
    return names


def _shadows(closure: Closure) -> dict[Definition | tuple[str, str], set[str]]:
    """Local names in the functions that use something by another spelling: it must not take one of them."""
    found: dict[Definition | tuple[str, str], set[str]] = {}
    for linked in closure.items.values():
        for link in linked.links:
            target = link.target
            if isinstance(target, Definition) and link.spelled != target.name and not link.use.flags & ALIAS:
                found.setdefault(target, set()).update(linked.bound)
    return found


def _define(
    names: Names, target: Definition, native: frozenset[str], shadows: dict[Definition | tuple[str, str], set[str]]
) -> None:
    if target in names.definitions:
        return
    avoid = shadows.get(target, set())
    names.definitions[target] = name = _free(names, target.name, target.module, native, avoid)
    names.taken[name] = target


def _import(names: Names, target: External, native: frozenset[str]) -> None:
    key = (target.path, target.name)
    if key in names.externals:
        return
    taken = names.taken.get(target.name)
    if isinstance(taken, str) and taken == target.path:
        names.externals[key] = target.name
        return
    name = _free(names, target.name, target.path, native, set())
    names.externals[key] = name
    names.taken[name] = target.path
    names.statements[name] = target


def _free(names: Names, wished: str, module: str, native: frozenset[str], avoid: set[str]) -> str:
    def fits(name: str) -> bool:
        return name not in names.taken and name not in avoid and name not in native and name not in _RESERVED

    if fits(wished):
        return wished
    last = module.removeprefix(OVERLAY).split(".")
    for depth in range(1, len(last) + 1):
        candidate = f"{wished}_{'_'.join(part.strip('_') for part in last[-depth:])}"
        if fits(candidate) and not hasattr(builtins, candidate):
            return candidate
    number = 2
    while not fits(f"{wished}_{number}"):
        number += 1
    return f"{wished}_{number}"
