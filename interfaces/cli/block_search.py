"""``netwright blocks search`` and ``blocks index``: find blocks by words, keep the index of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...memory.block_store import BlockStore
from ...memory.block_types import BLOCK_STAGES, CATEGORIES, BlockStage, Category
from .console import JsonFlag, err, fail, guarded, out, print_json

if TYPE_CHECKING:
    from ...tools.blocks.search import BlockSearch, Hit
    from ...tools.blocks.search import Progress as Told

_MINE = "mine some first, e.g.: netwright blocks mine torchvision"
_WIDTH = 70  # of what a block is for, in the table


class Ranking(StrEnum):
    """How hits are ranked."""

    hybrid = "hybrid"
    vector = "vector"
    keyword = "keyword"


CategoryName = StrEnum("CategoryName", {name: name for name in CATEGORIES})  # type: ignore[misc]
StageName = StrEnum("StageName", {name: name for name in BLOCK_STAGES})  # type: ignore[misc]
Chroma = Annotated[
    str | None,
    typer.Option("--chroma", help="URL of a Chroma server for the vectors.", show_default="embedded", metavar="URL"),
]
Library = Annotated[
    Path | None, typer.Option("--library", help="Block store.", show_default="in the data directory", metavar="FILE")
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", help="Embedding model: a folder, or a hub name.", show_default="all-MiniLM-L6-v2"),
]
Download = Annotated[bool, typer.Option("--download", help="Let --model be fetched from the hub.")]


def register(app: typer.Typer) -> None:
    """Add ``search`` and ``index`` to the ``blocks`` commands."""
    app.command(
        "search",
        epilog='Examples:  netwright blocks search "channel attention for mobile nets" --category attention'
        "  |  netwright blocks search ASPP --package torchvision --mode keyword --json",
    )(search)
    app.command(
        "index",
        epilog="Examples:  netwright blocks index  |  netwright blocks index --rebuild"
        "  |  netwright blocks index --chroma http://127.0.0.1:8000",
    )(index)


@guarded
def search(
    text: Annotated[str, typer.Argument(help="What the block is for, or its name or a part of it.", metavar="TEXT")],
    category: Annotated[CategoryName | None, typer.Option("--category", help="Only blocks of this category.")] = None,
    package: Annotated[str | None, typer.Option("--package", help="Only blocks mined from this package.")] = None,
    stage: Annotated[
        StageName | None, typer.Option("--stage", help="Only blocks whose validation passed this stage.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="Kinds of blocks shown.")] = 5,
    mode: Annotated[Ranking, typer.Option("--mode", help="Rank by vectors, by keywords, or by both.")] = Ranking.hybrid,
    library: Library = None,
    chroma: Chroma = None,
    model: ModelName = None,
    download: Download = False,
    as_json: JsonFlag = False,
) -> None:
    """Find blocks by what they are for or by name; near-identical ones are shown as one."""
    if not text.strip():
        fail("name what is looked for", as_json=as_json)
    with _opened(library, chroma, model, download, as_json) as found, _progress(hidden=as_json) as tell:
        found.update(vectors=mode is not Ranking.keyword, progress=tell)
        hits = found.search(
            text,
            limit=limit,
            category=cast("Category | None", category.value if category else None),
            package=package,
            at_least=cast("BlockStage | None", stage.value if stage else None),
            mode=mode.value,
        )
    if as_json:
        print_json({"query": text, "mode": mode.value, "hits": [_row(hit) for hit in hits]})
    else:
        _print(hits)


@guarded
def index(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the index anew.")] = False,
    library: Library = None,
    chroma: Chroma = None,
    model: ModelName = None,
    download: Download = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring the index up to date with the block store. A search does so too; this is for doing it beforehand."""
    with _opened(library, chroma, model, download, as_json) as found, _progress(hidden=as_json) as tell:
        done = found.rebuild(tell) if rebuild else found.update(progress=tell)
    if as_json:
        print_json(done)
    else:
        told = f"{done['blocks']} blocks; written: {done['words']} to the words, {done['vectors']} to the vectors"
        out.print(f"{told}; {done['removed']} removed", highlight=False)


@contextmanager
def _opened(
    library: Path | None, chroma: str | None, model: str | None, download: bool, as_json: bool
) -> Iterator[BlockSearch]:
    from ...tools.blocks.search import BlockSearch
    from ...tools.embedding import SentenceEmbedder

    if library is not None and not library.is_file():
        fail(f"{library} is no block store: {_MINE}", as_json=as_json)
    with BlockStore(library) as store:
        if not len(store):
            fail(f"the block library is empty: {_MINE}", as_json=as_json)
        embedder = SentenceEmbedder(model, allow_download=download) if model else None
        with BlockSearch.open(store, chroma=chroma, embedder=embedder) as found:
            yield found


def _row(hit: Hit) -> dict[str, Any]:
    block = hit.block
    return {
        "id": block.id,
        "name": block.name,
        "qualified": block.qualified,
        "score": hit.score,
        "category": block.category,
        "package": block.package,
        "version": block.version,
        "licence": block.licence,
        "signature": block.signature,
        "stage": block.check.stage if block.check else None,
        "inputs": block.check.inputs if block.check else (),
        "outputs": block.check.outputs if block.check else (),
        "docstring": block.docstring,
        "others": [other.qualified for other in hit.others],
    }


def _print(hits: list[Hit]) -> None:
    from ...tools.blocks.digest import purpose

    if not hits:
        out.print("nothing fits")
        return
    table = Table("block", "score", "category", "what it is for", "like it")
    for hit in hits:
        said = purpose(hit.block.docstring)
        said = said if len(said) <= _WIDTH else f"{said[: _WIDTH - 1]}…"
        table.add_row(
            escape(hit.block.qualified),
            f"{hit.score:.2f}",
            hit.block.category,
            escape(said),
            str(len(hit.others) or ""),
        )
    out.print(table)
    out.print("its text: netwright blocks show QUALIFIED --source", highlight=False)


@contextmanager
def _progress(hidden: bool) -> Iterator[Told]:
    """A bar once there is something to index; where standard error is no terminal, nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)
    bars: dict[str, Any] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            shown.start()
            bars[stage] = shown.add_task(stage, total=total)
        shown.update(bars[stage], completed=done, total=total)

    try:
        yield tell
    finally:
        shown.stop()
