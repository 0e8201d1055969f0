"""The block library as the app shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from ....graphs.config import Config
from ....memory.block_store import BlockStore
from ....memory.block_types import Block, BlockStage, Category
from ....tools.blocks.digest import purpose
from ....tools.blocks.search import BlockSearch, Hit, Mode
from .text import count

HEADERS: Final = ("block", "fits", "category", "package", "licence", "stage", "what it is for", "like it", "id")
MOST: Final = 20
"""Kinds of blocks that a search shows."""
_PURPOSE: Final = 90
EMPTY: Final = "The block library is empty. Mine some first, e.g.: `netwright blocks mine torchvision`"


@contextmanager
def library(config: Config) -> Iterator[BlockStore]:
    """The block store of the configuration, open."""
    with BlockStore(Path(config.retrieval.library) if config.retrieval.library else None) as store:
        yield store


def search(
    config: Config, text: str, *, category: str | None, package: str | None, stage: str | None, mode: str
) -> list[Hit]:
    """The blocks that fit best; the index is brought up to date first. Nothing while the library is empty.

    Args:
        category, package, stage: ``None``: any.
        mode: ``hybrid``, ``vector`` or ``keyword``.
    """
    with library(config) as store:
        if not len(store):
            return []
        with BlockSearch.open(store, chroma=config.retrieval.chroma) as found:
            found.update(vectors=mode != "keyword")
            return found.search(
                text,
                limit=MOST,
                category=cast("Category | None", category),
                package=package,
                at_least=cast("BlockStage | None", stage),
                mode=cast("Mode", mode),
            )


def rows(hits: Sequence[Hit]) -> list[list[str]]:
    """Hits as rows under :data:`HEADERS`."""
    return [
        [
            hit.block.qualified,
            f"{hit.score:.2f}",
            hit.block.category,
            f"{hit.block.package} {hit.block.version}",
            hit.block.licence or "unknown",
            hit.block.check.stage if hit.block.check else "not tried",
            purpose(hit.block.docstring)[:_PURPOSE],
            str(len(hit.others) or ""),
            hit.block.id,
        ]
        for hit in hits
    ]


def facts_of(block: Block) -> list[tuple[str, Any]]:
    """What is known of a block, as names and values."""
    check = block.check
    made = [
        ("block", block.qualified),
        ("licence", block.licence or "unknown: look at its source before you use it"),
        ("source", f"{block.package} {block.version}, {block.path}:{block.line}"),
        ("category", block.category),
        ("constructor", block.signature),
        ("needs", ", ".join(block.requires)),
    ]
    if check is None:
        return [*made, ("validation", "not tried")]
    error = f"; then {check.error_class}: {check.message}" if check.error_class else ""
    shapes = f"{list(check.inputs)} to {list(check.outputs)}" if check.inputs else None
    return [*made, ("validation", f"{check.stage}{error}"), ("shapes", shapes), ("parameters", count(check.params))]
