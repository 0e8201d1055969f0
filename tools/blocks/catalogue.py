"""Reads the files of sources into a world of modules, through the index: only files that changed are parsed."""

from __future__ import annotations

import importlib.machinery
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ...memory.file_index import FileIndex, content_hash
from .conditions import SOURCES
from .facts import FileFacts, read
from .modules import OVERLAY, Module, World
from .shims import availability, overlays
from .sources import Source, folder_source, module_name

_BATCH: Final = 50  # files per transaction


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
        self.modules: dict[str, Module] = {}
        self.sources: dict[str, Source] = {}

    def add(self, source: Source, *, count: bool = True) -> list[str]:
        """Read a source's files; the names of its modules, sorted."""
        added = []
        self.sources[source.name] = source
        for path, place in source.files():
            data = place.read_bytes()
            digest = content_hash(data)
            outline = self._index.outline(digest)
            if outline is None:
                facts, uses = read(data)
                outline = facts.to_json()
                self._index.put([(digest, outline, _uses_text(uses))])
                self.counts.parsed += count
            else:
                self.counts.reused += count
            self._progress()
            name = module_name(path)
            self.modules[name] = self._module(name, path, place, digest, outline, source)
            added.append(name)
        self._index.record(source.name, source.version, [(self.modules[n].path, self.modules[n].digest) for n in added])
        return sorted(added)

    def _module(self, name: str, path: str, place: Path, digest: str, outline: str, source: Source) -> Module:
        return Module(
            name=name,
            path=path,
            digest=digest,
            source=source.name,
            package=source.version,
            facts=FileFacts.from_json(outline),
            is_package=path.endswith("__init__.py"),
            read=place.read_bytes,
            load_uses=partial(self._uses, place, digest),
        )

    def _uses(self, place: Path, digest: str) -> str:
        found = self._index.uses(digest)
        return found if found is not None else _uses_text(read(place.read_bytes())[1])

    def world(self) -> World:
        """All modules read so far, with the installed sources that they may import, and the overlays."""
        tops = {name.partition(".")[0] for name in self.modules}
        for name in SOURCES:
            if name not in tops:
                found = _installed_folder(name)
                if found is not None:
                    self.add(found, count=False)
        for name, text in overlays().items():
            if name in self.modules or name == "helpers":
                self._overlay(name, text)
        return World(self.modules, frozenset(tops | set(SOURCES)))

    def _overlay(self, name: str, text: str) -> None:
        below = self.modules.get(name)
        table = below.table if below is not None else {}
        data = (text + availability(sorted(n for n in table if f"def {n}(" not in text))).encode()
        facts, uses = read(data)
        if facts.error:
            raise ValueError(f"the overlay of {name} cannot be parsed: {facts.error}")
        told = _uses_text(uses)
        self.modules[OVERLAY + name] = Module(
            name=OVERLAY + name,
            path=below.path if below is not None else "",
            digest=content_hash(data),
            source=below.source if below is not None else "",
            package=below.package if below is not None else "",
            facts=facts,
            is_package=below is not None and below.is_package,
            read=lambda: data,
            load_uses=lambda: told,
        )


def _uses_text(uses: Iterable[object]) -> str:
    return json.dumps([item.to_json() for item in uses], separators=(",", ":"))  # type: ignore[attr-defined]


def _installed_folder(name: str) -> Source | None:
    """An installed package, found without importing it."""
    spec = importlib.machinery.PathFinder.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return folder_source(Path(list(spec.submodule_search_locations)[0]).resolve())
