"""Writes a block as a file that stands alone."""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections import OrderedDict
from typing import Final

import libcst as cst

from ...memory.block_types import Block
from .categories import category_of
from .closure import Closer, Closure
from .discovery import Found
from .importing import Imports, imports_of
from .linking import ItemKey, Linker
from .modules import OVERLAY, Definition, World
from .naming import Names, named
from .ordering import ordered
from .shims import HELPERS
from .sources import Source
from .texts import Edit, applied, edits_of

_KEPT_TEXTS: Final = 20_000
_DOCSTRING: Final = 4000  # characters kept of a docstring


class Extractor:
    """Extracts blocks of a world.

    Args:
        sources: by name, for versions and licences.
    """

    def __init__(self, world: World, sources: dict[str, Source]) -> None:
        self._world = world
        self._sources = sources
        self._linker = Linker(world)
        self._closer = Closer(self._linker)
        self._texts: OrderedDict[tuple[ItemKey, tuple[Edit, ...]], str] = OrderedDict()

    def extract(self, found: Found) -> Block:
        """The block of a class.

        Raises:
            TooLarge: its closure has no bounds.
        """
        definition = found.definition
        module = self._world.modules[definition.module]
        closure = self._closer.close(definition)
        order = ordered(closure)
        names = named(closure, order)
        imports = imports_of(closure, names, self._world)
        bodies = [self._text(key, closure, names) for key in order]
        source = self._sources[module.source]
        node = _class_node(self._linker.source(module.name)[slice(*self._span(definition))])
        text = self._assembled(found, closure, imports, bodies, order)
        docstring = (ast.get_docstring(node) or "")[:_DOCSTRING] if node is not None else ""
        return Block(
            qualified=found.qualified,
            package=source.name,
            version=source.version,
            path=module.path,
            line=found.line,
            file_hash=module.digest,
            licence=source.licence,
            category=category_of(definition.name, _bases(node), docstring, module.name, _source_of(node)),
            docstring=docstring,
            signature=_signature(node) if node is not None else "()",
            requires=imports.requires,
            definitions=len(order),
            text=text,
        )

    def _span(self, definition: Definition) -> tuple[int, int]:
        item = self._world.modules[definition.module].bindings(definition.name)[-1]
        return item.start, item.end

    def _text(self, key: ItemKey, closure: Closure, names: Names) -> str:
        linked = closure.items[key]
        edits = edits_of(linked, closure, names)
        found = self._texts.get((key, edits))
        if found is None:
            found = applied(self._linker.source(key.module), linked, edits)
            cst.parse_module(found)  # what cannot be read back must not be emitted
            self._texts[(key, edits)] = found
            if len(self._texts) > _KEPT_TEXTS:
                self._texts.popitem(last=False)
        return found

    def _assembled(
        self, found: Found, closure: Closure, imports: Imports, bodies: list[str], order: list[ItemKey]
    ) -> str:
        deferred = imports.deferred or any(self._world.modules[key.module].facts.deferred for key in order)
        parts = [self._header(found, order)]
        if deferred:
            parts.append("from __future__ import annotations\n")
        if imports.lines:
            parts.append("\n".join(imports.lines) + "\n")
        if imports.guarded:
            parts.append("\n".join(imports.guarded) + "\n")
        text = "\n".join(parts)
        large = True
        for key, body in zip(order, bodies, strict=True):
            compound = closure.items[key].item.kind in ("def", "class")
            text += ("\n\n" if compound or large else "") + body.rstrip() + "\n"
            large = compound
        return text

    def _header(self, found: Found, order: list[ItemKey]) -> str:
        module = self._world.modules[found.definition.module]
        source = self._sources[module.source]
        lines = [
            f"# {found.qualified}",
            f"# from {source.name} {source.version}, {module.path}, line {found.line}, SHA-1 {module.digest}",
            f"# licence: {source.licence or 'unknown'}",
        ]
        others = sorted({self._world.modules[key.module].source for key in order} - {module.source, ""})
        for name in others:
            other = self._sources[name]
            lines.append(f"# with parts of {other.name} {other.version}, licence: {other.licence or 'unknown'}")
        stand_ins = sorted(
            f"{key.module.removeprefix(OVERLAY)}.{name}"
            for key in order
            if key.module.startswith(OVERLAY) and key.module != HELPERS
            for name in self._world.modules[key.module].facts.items[key.number].binds
        )
        if stand_ins:
            told = textwrap.wrap("simplified here: " + ", ".join(stand_ins), 116, break_long_words=False)
            lines += [f"# {line}" for line in told]
        return "\n".join(lines) + "\n"


def _class_node(text: bytes) -> ast.ClassDef | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(textwrap.dedent(text.decode("utf-8", "replace")))
    except (SyntaxError, ValueError):
        return None
    return next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)), None)


def _bases(node: ast.ClassDef | None) -> tuple[str, ...]:
    return tuple(ast.unparse(base) for base in node.bases) if node is not None else ()


def _source_of(node: ast.ClassDef | None) -> str:
    return ast.unparse(node) if node is not None else ""


def _signature(node: ast.ClassDef) -> str:
    """Of the constructor, as it is written, without ``self``."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            arguments = method.args
            given = arguments.posonlyargs or arguments.args
            if given:
                given.pop(0)
            return f"({ast.unparse(arguments)})"
    return "()"
