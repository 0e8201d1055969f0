"""All modules of all sources, and what a name in one of them stands for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .facts import FileFacts, ImportFact, Item
from .uses import ItemUses

OVERLAY: Final = "overlay:"
"""Before the name of a module whose definitions stand in for those of the source."""


class Definition(NamedTuple):
    """A name that items of a source's module define."""

    module: str
    name: str


class External(NamedTuple):
    """Something that is imported: a module, or an attribute of one.

    Attributes:
        name: what it is bound to where it was found.
        path: dotted, of what it is.
        module, attribute: the import that binds it; no attribute: ``import module``.
    """

    name: str
    path: str
    module: str
    attribute: str


class ModuleRef(NamedTuple):
    """A module of a source."""

    module: str


Target = Definition | External | ModuleRef


@dataclass
class Module:
    """One file of a source.

    Attributes:
        table: items that bind each name, by index, those that run first.
        uses: reads what its items use, on first need.
    """

    name: str
    path: str
    digest: str
    source: str
    facts: FileFacts
    is_package: bool
    read: Callable[[], bytes]
    load_uses: Callable[[], str]
    table: dict[str, list[int]] = field(default_factory=dict)
    changed_by: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, item in enumerate(self.facts.items):
            for name in item.binds:
                self.table.setdefault(name, []).append(index)
            if item.rank == 0:
                for name in item.changes:
                    self.changed_by.setdefault(name, []).append(index)

    def uses(self) -> list[ItemUses]:
        """What each item uses."""
        return [ItemUses.from_json(row) for row in json.loads(self.load_uses())]

    def bindings(self, name: str) -> list[Item]:
        """Items that bind a name: those that run, or those that do not when no other does."""
        found = [self.facts.items[index] for index in self.table.get(name, ())]
        return [item for item in found if item.rank == 0] or found

    def absolute(self, module: str, level: int) -> str:
        """The full name of what an import statement in this module names."""
        if level == 0:
            return module
        parts = self.name.removeprefix(OVERLAY).split(".")
        keep = len(parts) - level + (1 if self.is_package else 0)
        base = ".".join(parts[: max(keep, 0)])
        return f"{base}.{module}" if module and base else module or base


class World:
    """Modules by name. Resolution follows imports, re-exports, star imports and attributes of modules.

    Args:
        modules: of all sources, overlays among them.
        tops: top-level packages that are sources: what cannot be found in them is nowhere.
    """

    def __init__(self, modules: dict[str, Module], tops: frozenset[str]) -> None:
        self.modules = modules
        self.tops = tops
        self._known: dict[tuple[str, str], Target | None] = {}

    def is_source(self, module: str) -> bool:
        """Whether a module belongs to a source, be it there or not."""
        return module.partition(".")[0] in self.tops or module in self.modules

    def resolve(self, module: str, name: str) -> Target | None:
        """What a global name of a module stands for; ``None``: a builtin, or nothing that is known."""
        key = (module, name)
        if key not in self._known:
            self._known[key] = None  # of imports in a circle
            self._known[key] = self._resolve(module, name)
        return self._known[key]

    def attribute(self, module: str, name: str) -> Target | None:
        """What ``module.name`` stands for, module of a source."""
        overlaid = self.modules.get(OVERLAY + module)
        if overlaid is not None and name in overlaid.table and overlaid.bindings(name)[-1].kind != "import":
            return Definition(overlaid.name, name)
        found = self.resolve(module, name) if module in self.modules else None
        if found is None and f"{module}.{name}" in self.modules:
            return ModuleRef(f"{module}.{name}")
        return found

    def _resolve(self, module: str, name: str) -> Target | None:
        here = self.modules[module]
        overlaid = self.modules.get(OVERLAY + module)
        if overlaid is not None and name in overlaid.table and overlaid.bindings(name)[-1].kind != "import":
            return Definition(overlaid.name, name)
        found = [here.facts.items[index] for index in here.table.get(name, ())]
        for rank in (0, 1):
            ranked = [item for item in found if item.rank == rank]
            if not ranked:
                continue
            if ranked[-1].kind != "import":
                return Definition(module, name)
            for item in reversed(ranked):
                for fact in item.imports:
                    target = self.imported(here, fact) if fact.name == name else None
                    if target is not None:
                        return target
            if any(item.kind != "import" for item in ranked):
                return Definition(module, name)
        return self._starred(here, name)

    def _starred(self, here: Module, name: str) -> Target | None:
        for module, level in reversed(here.facts.stars):
            target = here.absolute(module, level)
            there = self.modules.get(target)
            if there is None:
                continue
            if there.facts.exported is not None:
                if name not in there.facts.exported:
                    continue
            elif name.startswith("_"):
                continue
            found = self.attribute(target, name)
            if found is not None:
                return found
        return None

    def imported(self, here: Module, fact: ImportFact) -> Target | None:
        """What an import binds its name to."""
        module = here.absolute(fact.module, fact.level)
        if not self.is_source(module):
            if fact.attribute in ("", "."):
                path = fact.module.partition(".")[0] if fact.attribute else fact.module
                return External(fact.name, path, fact.module, "")
            return External(fact.name, f"{fact.module}.{fact.attribute}", fact.module, fact.attribute)
        if fact.attribute == "":
            return ModuleRef(module) if module in self.modules else None
        if fact.attribute == ".":
            root = fact.module.partition(".")[0]
            return ModuleRef(root) if root in self.modules else None
        return self.attribute(module, fact.attribute)

    def follow(self, target: Target | None, chain: list[str]) -> tuple[Target | None, int]:
        """Go from a module along attributes as far as modules lead; the target, and how many were taken."""
        taken = 0
        while isinstance(target, ModuleRef) and taken < len(chain):
            found = self.attribute(target.module, chain[taken])
            if found is None:
                return None, taken
            target, taken = found, taken + 1
        return target, taken
