"""``netwright blocks``: mine blocks from libraries, list them, show them, write them out."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table

from ...memory.block_store import BlockStore
from ...memory.block_types import Block, BlockStage, Category
from . import block_search
from .block_search import CategoryName, Library, StageName
from .check import DEFAULT_BACKENDS, Backend
from .console import JsonFlag, err, fail, going_on, guarded, out, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...tools.blocks.mining import Mined
    from ...tools.blocks.sources import Source

app = typer.Typer(no_args_is_help=True, help="The library of blocks mined from other libraries.")
block_search.register(app)

_SHOWN = 10  # of what failed, as text; ``--json`` has all


@app.command(
    "mine",
    epilog="Examples:  netwright blocks mine torchvision transformers  |  netwright blocks mine timm==1.0.31 --download"
    "  |  netwright blocks mine ./checkout --name ChannelAttention --out blocks/ --validate",
)
@guarded
def mine(
    sources: Annotated[
        list[str],
        typer.Argument(help="Folder, wheel, installed package, name==version, or git address.", metavar="PATH|PACKAGE"),
    ],
    name: Annotated[list[str] | None, typer.Option("--name", help="Only classes of this name. Several times.")] = None,
    names: Annotated[
        Path | None, typer.Option("--names", help="Only classes named in this file: JSON list, or a name a line.")
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write each block to this folder as well.", metavar="DIR")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch what is not here.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes.", show_default="one per core, at most 4")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate/--no-validate", help="Run each block in the sandbox and record how far it gets.")
    ] = False,
    library: Library = None,
    backend: Backend = None,
    as_json: JsonFlag = False,
) -> None:
    """Make files that stand alone of all blocks of a library, and keep them in the block store."""
    from ...tools.blocks.mining import Miner, write_files, write_index
    from ...tools.blocks.sources import find_source

    wanted = sorted({*(name or ()), *(_names_in(names) if names else ())})
    found = [find_source(word, download=download) for word in sources]
    miner = Miner(workers=workers or min(4, os.cpu_count() or 1))
    with BlockStore(library) as store:
        with _bar(as_json) as tell:
            mined, blocks = miner.mine(found, names=wanted, progress=tell)
            ids = store.put_blocks(write_files(blocks, out_folder) if out_folder else blocks)
        qualified = {block_id: q for source in found for block_id, q in store.ids(source.name, source.version).items()}
        new = set(ids)
        fresh = {qualified[block_id] for block_id in ids if block_id in qualified}
        # What an older extractor made of the same source gives way.
        store.discard(i for i, q in qualified.items() if i not in new and (not wanted or q in fresh))
        if out_folder:
            write_index(store.get_many(ids).values(), out_folder)
        stages = _validated(store, ids, backend or DEFAULT_BACKENDS, as_json) if validate else {}
    names_found = {q.rpartition(".")[2] for q in fresh} | fresh
    missing = [each for each in wanted if each not in names_found]
    if as_json:
        print_json(_document(found, mined, len(ids), missing, stages))
    else:
        _print_mined(mined, len(ids), missing, stages)


def _names_in(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        listed = json.loads(text)
        if not all(isinstance(each, str) for each in listed):
            raise ValueError(f"{path} must be a JSON list of names, or have a name on each line")
        return cast(list[str], listed)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _document(
    sources: list[Source], mined: Mined, blocks: int, missing: list[str], stages: dict[str, int]
) -> dict[str, Any]:
    return {
        "ok": True,
        "sources": [{"name": s.name, "version": s.version, "licence": s.licence} for s in sources],
        "parsed": mined.counts.parsed,
        "reused": mined.counts.reused,
        "found": mined.found,
        "blocks": blocks,
        "failed": dict(sorted(mined.failed.items())),
        "missing": missing,
        "stages": stages,
    }


def _print_mined(mined: Mined, blocks: int, missing: list[str], stages: dict[str, int]) -> None:
    files = f"{mined.counts.parsed:,} files parsed, {mined.counts.reused:,} known"
    out.print(f"{blocks:,} of {mined.found:,} blocks written; {files}", highlight=False)
    for qualified, reason in sorted(mined.failed.items())[:_SHOWN]:
        out.print(f"[yellow]{escape(qualified)}[/]: {escape(reason)}", highlight=False)
    if len(mined.failed) > _SHOWN:
        out.print(f"… and {len(mined.failed) - _SHOWN} more; --json lists all", highlight=False)
    if missing:
        out.print(f"[yellow]not found:[/] {escape(', '.join(missing))}", highlight=False)
    for stage, count in stages.items():
        out.print(f"{stage}: {count:,}", highlight=False)


def _validated(store: BlockStore, ids: list[str], backends: Any, hidden: bool) -> dict[str, int]:
    """Validate blocks that were not yet; how many of all got to each stage."""
    from ...sandbox import open_sandbox
    from ...tools.blocks.validation import BlockValidator, block_image

    def waiting() -> Iterator[Block]:
        for block_id in ids:
            block = store.get(block_id)
            if block is not None and block.check is None:
                yield block

    with (
        going_on("the same command again: what was validated is not validated twice"),
        _bar(hidden) as tell,
        open_sandbox(backends, block_image(), workers=min(4, os.cpu_count() or 1)) as sandbox,
    ):
        for done, (block, check) in enumerate(BlockValidator(sandbox).stream(waiting()), start=1):
            store.set_check(block.id, check)
            tell("validating", done, len(ids))
    counts: Counter[str] = Counter()
    for start in range(0, len(ids), 500):
        for block in store.get_many(ids[start : start + 500]).values():
            counts[block.check.stage if block.check is not None else "extract"] += 1
    return dict(sorted(counts.items()))


def _selected(
    library: Path | None, package: str | None, category: CategoryName | None, stage: StageName | None
) -> list[Block]:
    """The blocks that the options of ``list`` and ``export`` choose."""
    with BlockStore(library) as store:
        return store.blocks(
            package,
            cast("Category | None", category.value if category else None),
            cast("BlockStage | None", stage.value if stage else None),
        )


@app.command(
    "list",
    epilog="Examples:  netwright blocks list --package timm --category attention"
    "  |  netwright blocks list --stage forward --json",
)
@guarded
def listed(
    package: Annotated[str | None, typer.Option("--package", help="Only of this package.")] = None,
    category: Annotated[CategoryName | None, typer.Option("--category", help="Only of this category.")] = None,
    stage: Annotated[StageName | None, typer.Option("--stage", help="Only those that passed this stage.")] = None,
    library: Library = None,
    as_json: JsonFlag = False,
) -> None:
    """List the blocks of the library."""
    blocks = _selected(library, package, category, stage)
    if as_json:
        print_json([summary(block) for block in blocks])
        return
    table = Table("block", "package", "category", "stage", "definitions", "needs")
    table.columns[0].overflow = "fold"
    for block in blocks:
        passed = block.check.stage if block.check is not None else "–"
        source = f"{block.package} {block.version}"
        row = (block.qualified, source, block.category, passed, str(block.definitions), ", ".join(block.requires))
        table.add_row(*map(escape, row))
    out.print(table)


def summary(block: Block) -> dict[str, Any]:
    """All that is known of a block but its text."""
    return {"id": block.id, "name": block.name, **block.model_dump(mode="json", exclude={"text"})}


@app.command(
    "show",
    epilog="Examples:  netwright blocks show CbamModule  |  netwright blocks show timm.layers.cbam.CbamModule --source",
)
@guarded
def show(
    wanted: Annotated[str, typer.Argument(help="Class name, qualified name or id.", metavar="BLOCK")],
    source: Annotated[bool, typer.Option("--source", help="Print the file instead.")] = False,
    library: Library = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a block: where it is from, what it takes, how far it got."""
    with BlockStore(library) as store:
        one = store.get(wanted)
        blocks = [one] if one is not None else store.find(wanted)
    if not blocks:
        fail(f"no block {wanted} in the library: see netwright blocks list", as_json=as_json, code=1)
    if as_json:
        print_json([{**summary(block), **({"text": block.text} if source else {})} for block in blocks])
    elif source:
        if len(blocks) > 1:
            fail(f"{wanted} is {', '.join(block.qualified for block in blocks)}: name one of them")
        if out.is_terminal:
            out.print(Syntax(blocks[0].text, "python"))
        else:
            typer.echo(blocks[0].text)
    else:
        for block in blocks:
            _print_block(block)


def _print_block(block: Block) -> None:
    table = Table("", "", title=escape(block.qualified), title_justify="left", show_header=False)
    rows = {
        "id": block.id,
        "source": f"{block.package} {block.version}, {block.path}, line {block.line}",
        "licence": block.licence or "unknown",
        "category": block.category,
        "signature": block.signature,
        "needs": ", ".join(block.requires),
        "definitions": f"{block.definitions}, {len(block.text):,} characters",
        "about": block.docstring.strip().partition("\n\n")[0],
    }
    check = block.check
    if check is not None:
        rows["stage"] = check.stage
        if check.error_class is not None:
            rows["then"] = f"{check.error_class}: {check.message}"
        if check.arguments is not None:
            rows["built with"] = json.dumps(check.arguments)
        if check.outputs:
            rows["shapes"] = f"{list(check.inputs)} → {list(check.outputs)}"
        if check.params is not None:
            rows["parameters"] = f"{check.params:,}"
    for key, value in rows.items():
        table.add_row(key, escape(value))
    out.print(table)


@app.command(
    "export", epilog="Examples:  netwright blocks export ./blocks  |  netwright blocks export ./blocks --package timm"
)
@guarded
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that the files go to.", metavar="DIR")],
    package: Annotated[str | None, typer.Option("--package", help="Only of this package.")] = None,
    category: Annotated[CategoryName | None, typer.Option("--category", help="Only of this category.")] = None,
    stage: Annotated[StageName | None, typer.Option("--stage", help="Only those that passed this stage.")] = None,
    library: Library = None,
    as_json: JsonFlag = False,
) -> None:
    """Write blocks as files, ``<qualified name>.py``, with an ``index.json``."""
    from ...tools.blocks.mining import write_files, write_index

    blocks = _selected(library, package, category, stage)
    written = list(write_files(iter(blocks), folder))
    write_index(written, folder)
    if as_json:
        print_json({"ok": True, "folder": str(folder), "blocks": len(written)})
    else:
        out.print(f"{len(written):,} blocks in {escape(str(folder))}", highlight=False)


@contextmanager
def _bar(hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error; tell it what is done, how far and of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=hidden or not err.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)

        def tell(what: str, done: int, of: int) -> None:
            progress.update(task, description=what, completed=done, total=of)

        yield tell
