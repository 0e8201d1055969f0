"""What one statement of a module uses: names that lead out of it, decorators, and imports within its functions."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

EAGER: Final = 1
"""Needed when the module runs: bases, decorators, defaults, class bodies, expressions at module level."""
CALLED: Final = 2
"""Called, subclassed or applied as a decorator, so that what it needs itself is needed too."""
ANNOTATION: Final = 4
STRING: Final = 8
"""Within a string annotation, whose whole span is noted."""
STORE: Final = 16
"""Bound here, at module level."""
GLOBAL: Final = 32
"""In a ``global`` statement, whose whole span is noted."""
LOOSE: Final = 64
"""Somewhere within the span, which is that of an f-string (Python 3.11 does not say where)."""
ALIAS: Final = 256
"""Bound by an import within a statement that is kept whole; the span is that of ``name as alias``."""
PARAMETER: Final = 128
"""An annotation of a constructor's parameter."""


class Use(NamedTuple):
    """One occurrence of a name that is not local where it stands. Offsets are in bytes.

    Attributes:
        chain: attributes read from it, each with the offset where it ends.
        cut_start, cut_end: what has to go when the name has to go; wider for ``Name[...]`` in an annotation.
        via: number of the import within a function that binds it, -1 for module scope.
    """

    name: str
    start: int
    end: int
    flags: int
    chain: tuple[tuple[str, int], ...]
    cut_start: int
    cut_end: int
    via: int


class LocalImport(NamedTuple):
    """One name bound by an import within a function or class.

    Attributes:
        module, level, attribute: as for :class:`ImportFact`.
        pure: nothing else in its scope binds the name, so that uses can be led to what is imported.
    """

    name: str
    module: str
    level: int
    attribute: str
    start: int
    end: int
    pure: bool


class Decorator(NamedTuple):
    """A decorator from its ``@`` to the end of its expression."""

    name: str
    chain: str
    start: int
    end: int
    top: bool


class ItemUses(NamedTuple):
    """Everything that one item uses; ``bound`` are the names that functions within it bind."""

    uses: tuple[Use, ...]
    imports: tuple[LocalImport, ...]
    decorators: tuple[Decorator, ...]
    bound: frozenset[str]

    def to_json(self) -> list[Any]:
        """As lists; the same item gives the same lists."""
        uses = [[*use[:4], list(map(list, use.chain)), *use[5:]] for use in self.uses]
        return [uses, list(map(list, self.imports)), list(map(list, self.decorators)), sorted(self.bound)]

    @classmethod
    def from_json(cls, data: list[Any]) -> ItemUses:
        """The inverse of :meth:`to_json`."""
        uses = tuple(Use(u[0], u[1], u[2], u[3], tuple((a, e) for a, e in u[4]), u[5], u[6], u[7]) for u in data[0])
        return cls(
            uses,
            tuple(LocalImport(*row) for row in data[1]),
            tuple(Decorator(*row) for row in data[2]),
            frozenset(data[3]),
        )
