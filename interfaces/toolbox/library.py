"""Tools about the library of blocks: mine, search, show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from ...memory.block_types import Block, BlockStage
from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import Shared, shared_of
from .words import CategoryName, shortened

if TYPE_CHECKING:
    from ...tools.blocks.sources import Source

_EMPTY: Final = "the block library is empty: mine some first, for example mine_blocks with package torchvision"
_MOST_FAILED: Final = 20
_SHOWN: Final = 600

Stage = BlockStage | None


class SearchBlocksArguments(Arguments):
    """Arguments of ``search_blocks``."""

    query: str = Field(
        min_length=1, max_length=500, description="What the block is for, or its name: channel attention, ASPP."
    )
    category: CategoryName = None
    package: str | None = Field(default=None, max_length=80, description="Only blocks mined from this package.")
    stage: Stage = Field(
        default=None,
        description="Only blocks whose validation passed this stage; forward: those that really ran.",
    )
    limit: int = Field(default=5, ge=1, le=20, description="How many kinds of blocks.")
    mode: Literal["keyword", "hybrid"] = Field(
        default="keyword",
        description="keyword: by words, at once; hybrid: by meaning too, which takes seconds the first time and much "
        "longer after new blocks were mined.",
    )


class FoundBlock(Result):
    """A block that fits."""

    id: str
    name: str
    qualified: str = Field(description="Module path and class; get_block takes it.")
    score: float
    category: str
    package: str
    version: str
    licence: str
    signature: str = Field(description="Of the constructor.")
    docstring: str
    stage: str | None = Field(description="Last stage that its validation passed; null: not validated.")
    inputs: tuple[tuple[int, ...], ...] = Field(description="Shapes that it ran on.")
    outputs: tuple[tuple[int, ...], ...]
    params: int | None
    alike: tuple[str, ...] = Field(description="Near-identical blocks of the library.")


class FoundBlocks(Result):
    """Blocks that fit, best first."""

    blocks: tuple[FoundBlock, ...]


@TOOLS.tool(title="Search the block library")
def search_blocks(arguments: SearchBlocksArguments, context: Context) -> FoundBlocks:
    """Find reusable building blocks (attention, convolutions, pooling, …) that were mined from known libraries.

    Use it to find a part for a network by what it is for or by its name. get_block returns the source of one, which
    stands alone in a file. Where the library is empty, mine_blocks fills it.
    """
    shared = shared_of(context)
    if not len(shared.blocks):
        raise ToolError(_EMPTY)
    search = shared.block_search
    search.update(
        vectors=arguments.mode == "hybrid",
        progress=lambda stage, done, total: context.report(done, total, stage),
    )
    hits = search.search(
        arguments.query,
        limit=arguments.limit,
        category=arguments.category,
        package=arguments.package,
        at_least=arguments.stage,
        mode=arguments.mode,
    )
    return FoundBlocks(
        blocks=tuple(
            FoundBlock(
                **_facts(hit.block),
                score=round(hit.score, 4),
                docstring=shortened(hit.block.docstring, _SHOWN),
                alike=tuple(other.qualified for other in hit.others[:5]),
            )
            for hit in hits
        )
    )


def _facts(block: Block) -> dict[str, Any]:
    check = block.check
    return {
        "id": block.id,
        "name": block.name,
        "stage": check.stage if check else None,
        "inputs": check.inputs if check else (),
        "outputs": check.outputs if check else (),
        "params": check.params if check else None,
        **{
            name: getattr(block, name)
            for name in ("qualified", "category", "package", "version", "licence", "signature")
        },
    }


class GetBlockArguments(Arguments):
    """Arguments of ``get_block``."""

    block: str = Field(min_length=1, max_length=200, description="Id, qualified name or class name of a block.")


class BlockSource(Result):
    """A block with its source."""

    id: str
    qualified: str
    package: str
    version: str
    licence: str = Field(description="Of the library that it is from: keep it with the code.")
    category: str
    signature: str
    requires: tuple[str, ...] = Field(description="Packages that the file imports.")
    stage: str | None
    source: str = Field(description="A file that stands alone.")


@TOOLS.tool(title="Get the source of a block")
def get_block(arguments: GetBlockArguments, context: Context) -> BlockSource:
    """Return the source of one block of the library as a file that stands alone, with its licence."""
    store = shared_of(context).blocks
    one = store.get(arguments.block)
    found = [one] if one is not None else store.find(arguments.block)
    if len(found) != 1:
        names = ", ".join(block.qualified for block in found[:10])
        raise ToolError(
            f"{arguments.block} is {names}: name one of them"
            if found
            else f"no block {arguments.block} in the library: search_blocks finds blocks"
        )
    block = found[0]
    names_of = ("id", "qualified", "package", "version", "licence", "category", "signature", "requires")
    return BlockSource(
        source=block.text,
        stage=block.check.stage if block.check else None,
        **{name: getattr(block, name) for name in names_of},
    )


class MineBlocksArguments(Arguments):
    """Arguments of ``mine_blocks``."""

    package: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,60}[A-Za-z0-9])?$",
        description="Name of a Python package that is installed where netwright runs, e.g. torchvision. Never a path.",
    )
    names: tuple[str, ...] = Field(
        default=(), max_length=200, description="Only classes of these names; empty: all blocks of the package."
    )
    validate_blocks: bool = Field(
        default=True, description="Run each block in the sandbox and record how far it gets: up to a second each."
    )


class MinedBlocks(Result):
    """What was mined."""

    package: str
    version: str
    licence: str
    found: int = Field(description="Classes that are blocks.")
    blocks: int = Field(description="Blocks that were written to the library.")
    failed: int
    examples: dict[str, str] = Field(description="Some that failed, and why.")
    stages: dict[str, int] = Field(description="How many got to each stage of validation.")


@TOOLS.tool(title="Mine blocks from a package", kind="job", writes=True)
def mine_blocks(arguments: MineBlocksArguments, context: Context) -> MinedBlocks:
    """Take all building blocks (nn.Module classes) out of an installed library and keep them in the block library.

    Each becomes a file that stands alone, with its licence. Takes a minute for torchvision without validation, several
    with it. Afterwards search_blocks finds them. Mining the same package again only does what is new.
    """
    from ...tools.blocks.sources import installed

    found = installed(arguments.package)
    if found is None:
        raise ToolError(f"no package {arguments.package} with Python files is installed where netwright runs")
    return _mined(found, arguments, shared_of(context), context)


def _mined(source: Source, arguments: MineBlocksArguments, shared: Shared, context: Context) -> MinedBlocks:
    from ...tools.blocks.mining import Miner

    def tell(what: str, done: int, total: int) -> None:
        context.check()
        context.report(done, total, what)

    store = shared.blocks
    mined, blocks = Miner(workers=2).mine([source], names=sorted(set(arguments.names)), progress=tell)
    ids = store.put_blocks(blocks)
    if not arguments.names:
        new = set(ids)  # what an older extractor made of the same source gives way
        store.discard(i for i in store.ids(source.name, source.version) if i not in new)
    stages = _validated(ids, shared, context) if arguments.validate_blocks else {}
    context.report(len(ids), len(ids), "indexing the words")
    shared.block_search.update(vectors=False)
    return MinedBlocks(
        package=source.name,
        version=source.version,
        licence=source.licence,
        found=mined.found,
        blocks=len(ids),
        failed=len(mined.failed),
        examples={key: shortened(why, 200) for key, why in sorted(mined.failed.items())[:_MOST_FAILED]},
        stages=stages,
    )


def _validated(ids: list[str], shared: Shared, context: Context) -> dict[str, int]:
    """Validate the blocks that were not yet; how many of all got to each stage."""
    from ...tools.blocks.validation import BlockValidator, block_image

    store = shared.blocks
    waiting = [block for block in store.get_many(ids).values() if block.check is None]
    if waiting:
        with shared.open_sandbox(block_image()) as sandbox:
            for done, (block, check) in enumerate(BlockValidator(sandbox).stream(iter(waiting)), start=1):
                store.set_check(block.id, check)
                context.check()
                context.report(done, len(waiting), "validating")
    checks = (block.check for block in store.get_many(ids).values())
    return dict(sorted(Counter(check.stage if check else "extract" for check in checks).items()))
