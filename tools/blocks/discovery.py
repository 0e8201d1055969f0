"""Which classes are blocks: not abstract, descended from ``nn.Module``, with a ``forward``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from .facts import ClassFact
from .modules import Definition, External, World

_NO_MODULES: Final = frozenset(
    {"Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer", "ParameterList"}
)
_NO_FORWARD: Final = frozenset({"Module", "ModuleList", "ModuleDict", "ParameterDict", "ScriptModule"})
_MODULES: Final = ("torch.jit.ScriptModule", "torch.fx.GraphModule", "torch.distributed.pipelining.PipelineStage")
_ABSTRACT: Final = ("abc.ABC", "typing.Protocol", "typing_extensions.Protocol")


class Found(NamedTuple):
    """One block: where its class is, and the number of its item."""

    definition: Definition
    number: int
    line: int

    @property
    def qualified(self) -> str:
        """Module and class."""
        return f"{self.definition.module}.{self.definition.name}"


class Discovery:
    """Finds blocks in a world by its classes' bases, across files and packages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._modules: dict[Definition, bool] = {}

    def blocks(self, modules: Iterable[str], *, inherited: bool = False) -> list[Found]:
        """Blocks of these modules, by module and line: classes with a ``forward`` of their own, and those that have a
        constructor of their own and torch's ``forward``, as ``class ConvNorm(nn.Sequential)``.

        Args:
            inherited: also classes whose ``forward`` a base within the sources defines.
        """
        found = []
        for name in sorted(modules):
            for index, item in enumerate(self._world.modules[name].facts.items):
                if item.klass is None:
                    continue
                definition = Definition(name, item.binds[0])
                if self._is_last(definition, index) and self._is_block(definition, item.klass, inherited):
                    found.append(Found(definition, index, item.line))
        return found

    def _is_last(self, definition: Definition, index: int) -> bool:
        """A name that is defined several times stands for the last one that runs."""
        module = self._world.modules[definition.module]
        indices = module.table[definition.name]
        live = [i for i in indices if module.facts.items[i].rank == 0]
        return index == (live or indices)[-1]

    def _is_block(self, definition: Definition, fact: ClassFact, inherited: bool) -> bool:
        if not self.is_module(definition):
            return False
        if "forward" not in fact.methods and not self._takes_forward(definition, fact, inherited):
            return False
        return not self._abstract_methods(definition)

    def is_module(self, definition: Definition) -> bool:
        """Whether a class descends from ``nn.Module``."""
        if definition not in self._modules:
            self._modules[definition] = False
            self._modules[definition] = any(
                _is_torch_module(base.path) if isinstance(base, External) else self.is_module(base)
                for base in self.bases(definition)
            )
        return self._modules[definition]

    def bases(self, definition: Definition) -> list[Definition | External]:
        """What the bases of a class stand for; a base that is an attribute of something imported has its full path."""
        fact = self._fact(definition)
        found: list[Definition | External] = []
        for base in fact.bases if fact is not None else ():
            root, *chain = base.split(".")
            target, taken = self._world.follow(self._world.resolve(definition.module, root), chain)
            if isinstance(target, External):
                path = ".".join([target.path, *chain[taken:]])
                found.append(target._replace(path=path))
            elif isinstance(target, Definition) and taken == len(chain):
                found.append(target)
        return found

    def _fact(self, definition: Definition) -> ClassFact | None:
        module = self._world.modules[definition.module]
        facts = [item.klass for item in module.bindings(definition.name) if item.klass is not None]
        return facts[-1] if facts else None

    def _lineage(self, definition: Definition, seen: set[Definition]) -> list[Definition]:
        """The class and its bases, nearest first."""
        if definition in seen:
            return []
        seen.add(definition)
        found = [definition]
        for base in self.bases(definition):
            if isinstance(base, Definition):
                found.extend(self._lineage(base, seen))
        return found

    def _takes_forward(self, definition: Definition, fact: ClassFact, inherited: bool) -> bool:
        """Whether a class that has no ``forward`` counts: torch's own runs what its constructor puts together."""
        lineage = self._lineage(definition, set())
        if any(each is not None and "forward" in each.methods for each in map(self._fact, lineage)):
            return inherited
        return ("__init__" in fact.methods or inherited) and any(
            isinstance(base, External) and _has_forward(base.path) for each in lineage for base in self.bases(each)
        )

    def _abstract_methods(self, definition: Definition) -> set[str]:
        lineage = self._lineage(definition, set())
        if not any(isinstance(b, External) and b.path in _ABSTRACT for each in lineage for b in self.bases(each)):
            return set()
        missing: set[str] = set()
        for each in reversed(lineage):
            fact = self._fact(each)
            if fact is not None:
                missing = (missing - set(fact.methods)) | set(fact.abstract)
        return missing


def _is_torch_module(path: str) -> bool:
    if path in _MODULES:
        return True
    parts = path.split(".")
    if not parts[-1][0].isupper() or parts[-1] in _NO_MODULES:
        return False
    return parts[:2] in (["torch", "nn"], ["torch", "ao"])


def _has_forward(path: str) -> bool:
    """Whether a class of torch computes something: ``nn.Sequential`` and ``nn.Conv2d`` do, ``nn.ModuleList`` not."""
    return _is_torch_module(path) and path.rpartition(".")[2] not in _NO_FORWARD
