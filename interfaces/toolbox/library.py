"""Tools about the library of blocks: search, show."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from ...memory.block_types import Block, BlockStage
from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import shared_of
from .words import CategoryName, shortened

_EMPTY: Final = "the block library is empty: mine some first, for example mine_blocks with package torchvision"
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
