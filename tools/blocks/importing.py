"""The import statements of an emitted file."""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

from .closure import Closure
from .modules import External, World
from .naming import Names
from .uses import ANNOTATION, EAGER, STRING

_PLAIN: Final = frozenset({"torch", "numpy", "typing_extensions"})
"""Third-party packages that a block may count on: torch, and what torch itself brings or is always used with."""


class Imports(NamedTuple):
    """Lines at the top of a file.

    Attributes:
        requires: third-party packages named in them, sorted.
        deferred: annotations must not be evaluated, because one names a package that may be missing.
    """

    lines: list[str]
    guarded: list[str]
    requires: tuple[str, ...]
    deferred: bool


def imports_of(closure: Closure, names: Names, world: World) -> Imports:
    """Imports of all that a closure takes from outside its sources; optional packages are imported with a fallback."""
    eager, annotated = _eager(closure, names)
    plain: set[tuple[int, str, str]] = set()
    guarded: list[str] = []
    requires: set[str] = set()
    deferred = False
    submodules = _submodules(closure, world)
    for name in sorted(names.statements):
        external = names.statements[name]
        top = external.module.partition(".")[0]
        statements = [_statement(name, external)]
        if not external.attribute and external.path != external.module:
            statements = [f"import {module}" for module in sorted(submodules.get(external.name, {external.module}))]
        standard = top in sys.stdlib_module_names
        if not standard:
            requires.add(top)
        if standard or top in _PLAIN or name in eager:
            plain.update((0 if standard else 1, external.module, statement) for statement in statements)
        else:
            deferred = deferred or name in annotated
            body = "".join(f"    {statement}\n" for statement in statements)
            guarded.append(f"try:\n{body}except ImportError:\n    {name} = None")
    lines = [
        statement for _, _, statement in sorted(plain, key=lambda row: (row[0], row[2].startswith("from"), row[1:]))
    ]
    return Imports(lines, guarded, tuple(sorted(requires | {"torch"})), deferred)


def _statement(name: str, external: External) -> str:
    if external.attribute:
        alias = f" as {name}" if name != external.attribute else ""
        return f"from {external.module} import {external.attribute}{alias}"
    return f"import {external.module}" + (f" as {name}" if name != external.module else "")


def _eager(closure: Closure, names: Names) -> tuple[set[str], set[str]]:
    """Emitted names of externals that are needed when the module runs, and of those that annotations need then."""
    eager: set[str] = set()
    annotated: set[str] = set()
    for linked in closure.items.values():
        for link in linked.links:
            if isinstance(link.target, External) and link.use.flags & EAGER and not link.use.flags & STRING:
                (annotated if link.use.flags & ANNOTATION else eager).add(names.of(link))
    return eager, annotated


def _submodules(closure: Closure, world: World) -> dict[str, set[str]]:
    """Dotted imports such as ``import torch.utils.checkpoint``, by the root that they bind."""
    found: dict[str, set[str]] = {}
    for name in sorted({key.module for key in closure.items}):
        for item in world.modules[name].facts.items:
            if item.kind == "import" and item.rank == 0:
                for fact in item.imports:
                    if fact.attribute == ".":
                        found.setdefault(fact.name, set()).add(fact.module)
    return found
