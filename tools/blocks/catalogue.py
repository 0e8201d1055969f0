"""Reads the files of sources into a world of modules, through the index: only files that changed are parsed."""

from __future__ import annotations

import importlib.machinery
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...memory.file_index import FileIndex, content_hash
from .conditions import SOURCES
from .facts import FileFacts, read
from .modules import OVERLAY, Module, World
from .offsets import normalised
from .shims import availability, overlays
from .sources import Source, folder_source, module_name
from .uses import ItemUses


@dataclass
class Counts:
    """How many files were parsed, and of how many the facts were known."""

    parsed: int = 0
    reused: int = 0


class Catalogue:
    """Modules of sources.

    Args:
        index: where facts are kept.
        progress: told after each file.
    """

    def __init__(self, index: FileIndex, progress: Callable[[], None] | None = None) -> None:
        self._index = index
        self._progress = progress or (lambda: None)
        self.counts = Counts()
        self.modules = Modules()
        self.sources: dict[str, Source] = {}

    def add(self, source: Source) -> list[str]:
        """Read a source's files; the names of its modules, sorted."""
        added = []
        self.sources[source.name] = source
        for path, place in source.files():
            module, parsed = self._read(source, path, place)
            self.counts.parsed += parsed
            self.counts.reused += not parsed
            self.modules[module.name] = module
            added.append(module.name)
            self._progress()
        rows = [(self.modules[name].path, self.modules[name].digest) for name in added]
        self._index.record(source.name, source.version, rows)
        return sorted(added)

    def _read(self, source: Source, path: str, place: Path) -> tuple[Module, bool]:
        """The module of a file, and whether it had to be parsed."""
        data = place.read_bytes()
        digest = content_hash(data)
        outline = self._index.outline(digest)
        parsed = outline is None
        if outline is None:
            facts, uses = read(data)
            outline = facts.to_json()
            self._index.put([(digest, outline, _uses_text(uses))])
        module = Module(
            name=module_name(path),
            path=path,
            digest=digest,
            source=source.name,
            facts=FileFacts.from_json(outline),
            is_package=path.endswith("__init__.py"),
            read=lambda: normalised(place.read_bytes()),
            load_uses=partial(self._uses, place, digest),
        )
        return module, parsed

    def _uses(self, place: Path, digest: str) -> str:
        found = self._index.uses(digest)
        return found if found is not None else _uses_text(read(place.read_bytes())[1])

    def world(self) -> World:
        """All modules read so far, the installed sources that they may import (read when needed), and the overlays."""
        tops = {name.partition(".")[0] for name in self.modules}
        for name in SOURCES:
            found = None if name in tops else _installed_folder(name)
            if found is not None:
                self.sources.setdefault(found.name, found)
                for path, place in found.files():
                    self.modules.waiting[module_name(path)] = partial(self._read, found, path, place)
        for name, text in overlays().items():
            if name == "helpers":
                self.modules[OVERLAY + name] = _overlay(name, None, text)
            elif name in self.modules:
                self.modules.waiting[OVERLAY + name] = partial(self._overlaid, name, text)
        return World(self.modules, frozenset(tops | set(SOURCES)))

    def _overlaid(self, name: str, text: str) -> tuple[Module, bool]:
        below = self.modules[name]
        return _overlay(
            name, below, text + availability(sorted(n for n in below.table if f"def {n}(" not in text))
        ), True


class Modules(dict[str, Module]):
    """Modules by name; those of ``waiting`` are read when they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, Callable[[], tuple[Module, bool]]] = {}

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.waiting

    def __missing__(self, name: str) -> Module:
        self[name] = found = self.waiting.pop(name)()[0]
        return found

    def get(self, name: str, default: Any = None) -> Any:  # of the base class it would not see what waits
        """The module of a name, or the default."""
        return self[name] if name in self else default  # noqa: SIM401


def _overlay(name: str, below: Module | None, text: str) -> Module:
    data = text.encode()
    facts, uses = read(data)
    if facts.error:
        raise ValueError(f"the overlay of {name} cannot be parsed: {facts.error}")
    told = _uses_text(uses)
    return Module(
        name=OVERLAY + name,
        path=below.path if below is not None else "",
        digest=content_hash(data),
        source=below.source if below is not None else "",
        facts=facts,
        is_package=below is not None and below.is_package,
        read=lambda: data,
        load_uses=lambda: told,
    )


def _uses_text(uses: Iterable[ItemUses]) -> str:
    return json.dumps([item.to_json() for item in uses], separators=(",", ":"))


def _installed_folder(name: str) -> Source | None:
    """An installed package, found without importing it."""
    spec = importlib.machinery.PathFinder.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return folder_source(Path(next(iter(spec.submodule_search_locations))).resolve())
