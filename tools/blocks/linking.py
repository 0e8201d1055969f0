"""What each name that an item uses stands for, worked out once per item and kept for all blocks that hold it."""

from __future__ import annotations

import builtins
from collections import OrderedDict
from typing import Final, NamedTuple

from .facts import ImportFact, Item
from .modules import Definition, External, Module, ModuleRef, Target, World
from .shims import HELPERS, dropped
from .uses import ANNOTATION, EAGER, GLOBAL, LOOSE, STORE, STRING, ItemUses, LocalImport, Use

BUILTINS: Final = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__spec__", "__package__", "__class__"}
_KEPT_MODULES: Final = 400  # modules whose uses are held in memory


class ItemKey(NamedTuple):
    """One item of one module."""

    module: str
    number: int


class Link(NamedTuple):
    """One use and what it stands for; ``end`` is where the text ends that a new name would replace.

    Attributes:
        suffix: follows the emitted name: the call of a helper that stands for what is absent.
    """

    use: Use
    target: Definition | External
    end: int
    spelled: str
    suffix: str = ""


class LocalEdit(NamedTuple):
    """An import within a function, from a source: what stands in its place. Names bind definitions by themselves."""

    start: int
    end: int
    names: tuple[tuple[str, Definition | External], ...]
    missing: str


class Linked(NamedTuple):
    """An item with all it uses.

    Attributes:
        removed: spans of decorators that are left out.
        missing: annotations that stand for nothing.
    """

    key: ItemKey
    item: Item
    links: tuple[Link, ...]
    edits: tuple[LocalEdit, ...]
    removed: tuple[tuple[int, int], ...]
    builtins: frozenset[str]
    missing: tuple[Use, ...]
    bound: frozenset[str]


class Linker:
    """Links items of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._linked: dict[ItemKey, Linked] = {}
        self._uses: OrderedDict[str, list[ItemUses]] = OrderedDict()
        self._sources: OrderedDict[str, bytes] = OrderedDict()

    def source(self, module: str) -> bytes:
        """The bytes of a module's file."""
        found = self._sources.get(module)
        if found is None:
            found = self._sources[module] = self.world.modules[module].read()
            if len(self._sources) > _KEPT_MODULES:
                self._sources.popitem(last=False)
        return found

    def linked(self, key: ItemKey) -> Linked:
        """An item with what it uses."""
        found = self._linked.get(key)
        if found is None:
            found = self._linked[key] = self._link(key)
        return found

    def _item_uses(self, module: Module) -> list[ItemUses]:
        found = self._uses.get(module.name)
        if found is None:
            found = self._uses[module.name] = module.uses()
            if len(self._uses) > _KEPT_MODULES:
                self._uses.popitem(last=False)
        return found

    def _link(self, key: ItemKey) -> Linked:
        module = self.world.modules[key.module]
        item = module.facts.items[key.number]
        uses = self._item_uses(module)[key.number]
        source = self.source(key.module)
        removed = tuple(self._removed(module, uses))
        links: list[Link] = []
        missing: list[Use] = []
        native: set[str] = set()
        for use in uses.uses:
            if any(start <= use.start < end for start, end in removed):
                continue
            if use.via >= 0 and not self._of_source(module, uses.imports[use.via]):
                continue
            found = self._target(module, uses, use, key.number)
            if found is None:
                if use.name in BUILTINS and use.via < 0:
                    native.add(use.name)
                elif use.flags & ANNOTATION:
                    missing.append(use)
                elif not use.flags & (STORE | GLOBAL):
                    links.append(self._absent(module, uses, use))
                continue
            target, end = found
            links.append(Link(use, target, end, source[use.start : end].decode("utf-8", "replace")))
        edits = tuple(self._local_edits(module, uses))
        return Linked(key, item, tuple(links), edits, removed, frozenset(native), tuple(missing), uses.bound)

    def _removed(self, module: Module, uses: ItemUses) -> list[tuple[int, int]]:
        spans = []
        for decorator in uses.decorators:
            chain = decorator.chain.split(".") if decorator.chain else []
            target = self.world.resolve(module.name, decorator.name) if decorator.name else None
            target, _ = self.world.follow(target, chain)
            if dropped(target, self.world):
                spans.append((decorator.start, decorator.end))
        return spans

    def _of_source(self, module: Module, found: LocalImport) -> bool:
        return self.world.is_source(module.absolute(found.module, found.level))

    def _target(
        self, module: Module, uses: ItemUses, use: Use, number: int
    ) -> tuple[Definition | External, int] | None:
        if use.flags & (STORE | GLOBAL):
            found: Target | None = Definition(module.name, use.name)
            return (found, use.end) if use.name in module.table and isinstance(found, Definition) else None
        if use.via >= 0:
            local = uses.imports[use.via]
            fact = ImportFact(local.name, local.module, local.level, local.attribute)
            root = self.world.imported(module, fact)
        else:
            root = self._before(module, use, number) or self.world.resolve(module.name, use.name)
        target, taken = self.world.follow(root, [name for name, _ in use.chain])
        if target is None or isinstance(target, ModuleRef):
            return None
        if use.flags & (STRING | LOOSE) or taken == 0:
            return target, use.end
        return target, use.chain[taken - 1][1]

    def _absent(self, module: Module, uses: ItemUses, use: Use) -> Link:
        """A name that leads nowhere: a helper takes its place that fails when it is reached, as the name would."""
        local = uses.imports[use.via] if use.via >= 0 else None
        if local is not None:
            fact = ImportFact(local.name, local.module, local.level, local.attribute)
            target = self.world.imported(module, fact)
        else:
            target = self.world.resolve(module.name, use.name)
        helper, argument, end = "absent_name", use.name, use.end
        if isinstance(target, ModuleRef):
            taken = 0
            for name, stop in use.chain:
                if f"{target.module}.{name}" not in self.world.modules:
                    break
                target, taken = ModuleRef(f"{target.module}.{name}"), taken + 1
                end = stop if stop >= 0 else end
            helper, argument = "absent_module", target.module
        return Link(use, Definition(HELPERS, helper), end, use.name, f'("{argument}")')

    def _before(self, module: Module, use: Use, number: int) -> Target | None:
        """What a name stands for that is imported and then bound anew, where it is read to do so: ``A = A.copy()``."""
        item = module.facts.items[number]
        if not use.flags & EAGER or use.name not in item.binds:
            return None
        binders = [module.facts.items[at] for at in module.table[use.name] if at < number]
        if not binders or any(each.kind != "import" for each in binders):
            return None
        facts = [fact for each in binders for fact in each.imports if fact.name == use.name]
        return self.world.imported(module, facts[-1])

    def _local_edits(self, module: Module, uses: ItemUses) -> list[LocalEdit]:
        grouped: dict[tuple[int, int], list[LocalImport]] = {}
        for found in uses.imports:
            if self._of_source(module, found):
                grouped.setdefault((found.start, found.end), []).append(found)
        edits = []
        for (start, end), group in grouped.items():
            names: list[tuple[str, Definition | External]] = []
            missing = ""
            for found in group:
                fact = ImportFact(found.name, found.module, found.level, found.attribute)
                target = self.world.imported(module, fact)
                if target is None or (isinstance(target, ModuleRef) and not found.pure):
                    missing = module.absolute(found.module, found.level)
                elif not found.pure and not isinstance(target, ModuleRef):
                    names.append((found.name, target))
            edits.append(LocalEdit(start, end, tuple(names), missing))
        return edits
