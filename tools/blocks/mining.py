"""Mines sources: reads them through the index, finds their blocks and emits each as a file that stands alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from ...memory.block_types import Block
from ...memory.file_index import FileIndex
from .catalogue import Catalogue, Counts
from .closure import TooLarge
from .discovery import Discovery, Found
from .extractor import Extractor
from .facts import FACTS_VERSION
from .modules import World
from .sources import Source

_CHUNK: Final = 60  # blocks per task of a worker
MOST_BYTES: Final = 1 << 20
"""Of an emitted file; the sandbox takes no larger ones."""


@dataclass
class Mined:
    """What one run found.

    Attributes:
        failed: qualified names with the reason why no file was made.
    """

    counts: Counts
    found: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Miner:
    """Mines blocks.

    Args:
        index: of files; below the data directory when not given.
        workers: processes that extract.
    """

    def __init__(self, index: FileIndex | None = None, *, workers: int = 1) -> None:
        self._index = index
        self._workers = workers

    def mine(
        self,
        sources: Sequence[Source],
        *,
        names: Collection[str] = (),
        progress: Callable[[str, int, int], None] | None = None,
    ) -> tuple[Mined, Iterator[Block]]:
        """Find blocks and emit them one after the other, sorted by module and line.

        Args:
            names: only classes of these names, plain or qualified; those that inherit ``forward`` too.
            progress: told what is done, how far, of how many.
        """
        index = self._index or FileIndex(format=FACTS_VERSION)
        told = progress or (lambda what, done, of: None)
        catalogue = Catalogue(index)
        modules: list[str] = []
        by_name: dict[str, Source] = {}
        for number, source in enumerate(sources):
            told(f"reading {source.name}", number, len(sources))
            by_name[source.name] = source
            modules.extend(catalogue.add(source))
        world = catalogue.world()
        by_name = {**catalogue.sources, **by_name}
        wanted = set(names)
        discovery = Discovery(world)
        found = discovery.blocks(_worth(modules), inherited=bool(wanted))
        if wanted:
            found = [each for each in found if each.definition.name in wanted or each.qualified in wanted]
        mined = Mined(catalogue.counts, len(found))
        return mined, self._extracted(world, by_name, found, mined, told)

    def _extracted(
        self,
        world: World,
        sources: dict[str, Source],
        found: list[Found],
        mined: Mined,
        told: Callable[[str, int, int], None],
    ) -> Iterator[Block]:
        chunks = [found[at : at + _CHUNK] for at in range(0, len(found), _CHUNK)]
        done = 0
        for blocks, failed in _run(world, sources, chunks, self._workers):
            mined.failed.update(failed)
            yield from blocks
            done += len(blocks) + len(failed)
            told("extracting", done, len(found))


def _worth(modules: Sequence[str]) -> list[str]:
    """Modules whose classes count: of ``modular_x`` beside ``modeling_x``, which was made from it, only the latter."""
    known = set(modules)
    return [
        name
        for name in modules
        if name.replace(".modular_", ".modeling_") == name or name.replace(".modular_", ".modeling_") not in known
    ]


Result = tuple[list[Block], dict[str, str]]
_extractor: Extractor | None = None


def _run(world: World, sources: dict[str, Source], chunks: list[list[Found]], workers: int) -> Iterator[Result]:
    global _extractor
    _extractor = Extractor(world, sources)
    if workers <= 1 or len(chunks) <= 1:
        yield from map(_chunk, chunks)
        return
    # Forked workers share the world as it is; it is not sent to them.
    with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=get_context("fork")) as pool:
        yield from pool.map(_chunk, chunks)


def _chunk(found: list[Found]) -> Result:
    assert _extractor is not None
    blocks: list[Block] = []
    failed: dict[str, str] = {}
    for each in found:
        try:
            block = _extractor.extract(each)
        except (TooLarge, ValueError, RecursionError, SyntaxError) as error:
            failed[each.qualified] = f"{type(error).__name__}: {str(error)[:300]}"
            continue
        size = len(block.text.encode("utf-8", "surrogatepass"))
        if size > MOST_BYTES:
            failed[each.qualified] = f"TooLarge: the file would have {size >> 10} KiB"
            continue
        blocks.append(block)
    return blocks, failed


def write_files(blocks: Iterator[Block], folder: Path) -> Iterator[Block]:
    """Pass blocks on, and write each as ``<qualified>.py``."""
    folder.mkdir(parents=True, exist_ok=True)
    for block in blocks:
        part = folder / f".{block.qualified}.part"
        part.write_text(block.text, encoding="utf-8", errors="surrogatepass")
        os.replace(part, folder / f"{block.qualified}.py")
        yield block


def write_index(blocks: Iterable[Block], folder: Path) -> None:
    """Write what is known of the blocks of a folder to its ``index.json``, by file name."""
    rows = {
        f"{block.qualified}.py": {"id": block.id, **block.model_dump(mode="json", exclude={"text"})} for block in blocks
    }
    part = folder / ".index.json.part"
    part.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, folder / "index.json")
