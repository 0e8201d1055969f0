"""Mine blocks from a package into the library of blocks: a job of the toolbox."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pydantic import Field

from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import Shared, shared_of
from .words import shortened

if TYPE_CHECKING:
    from ...tools.blocks.sources import Source

_MOST_FAILED: Final = 20


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
