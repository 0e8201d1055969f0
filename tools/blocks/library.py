"""The block library as agents read it: blocks by id, by words, and those that a stage of a network can become."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Self

from ...memory.block_store import BlockStore
from ...memory.block_types import Block, BlockStage, Category
from .search import BlockSearch, Mode


class BlockLibrary:
    """A block store and the search over it. A context manager; closing it closes both.

    Args:
        store: where the blocks are.
        search: over the same store; made on first use (from the index below the data directory) when not given.
    """

    def __init__(self, store: BlockStore, search: BlockSearch | None = None) -> None:
        self.store = store
        self._search = search

    @classmethod
    def open(cls, path: Path | None = None, *, chroma: str | None = None) -> Self:
        """The library in a file, by default the one below the data directory.

        Args:
            path: of the block store; the index of a store elsewhere lies beside it.
            chroma: URL of a Chroma server that holds the vectors.
        """
        store = BlockStore(path)
        return cls(store, BlockSearch.open(store, chroma=chroma))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.store)

    def close(self) -> None:
        """Close the store and the index; a second call does nothing."""
        if self._search is not None:
            self._search.close()
        self.store.close()

    def get_many(self, ids: Iterable[str]) -> dict[str, Block]:
        """Blocks by id; unknown ids are left out."""
        return self.store.get_many(ids)

    def search(
        self,
        text: str,
        *,
        limit: int = 5,
        category: Category | None = None,
        package: str | None = None,
        at_least: BlockStage | None = None,
        mode: Mode = "hybrid",
    ) -> list[Block]:
        """Blocks that fit a text, best first, one of each kind; what is new in the store is indexed before."""
        if self._search is None:
            self._search = BlockSearch.open(self.store)
        self._search.update()
        hits = self._search.search(text, limit=limit, category=category, package=package, at_least=at_least, mode=mode)
        return [hit.block for hit in hits]

    def graftable(
        self,
        rng: random.Random,
        count: int | None = None,
        *,
        packages: Collection[str] = (),
        categories: Collection[str] = (),
        max_params: int | None = None,
        same_size: bool = True,
        tokens: bool = False,
    ) -> list[Block]:
        """Blocks that ran in the sandbox on one image-shaped tensor and gave one back, as varied as can be.

        No two have one class name; categories and packages take turns, within them the order is drawn. The same
        library and the same state of ``rng`` give the same list.

        Args:
            count: how many at most; all when not given.
            packages, categories: only of these; empty: of any.
            max_params: parameters of the block as it was built.
            same_size: (B, C, H, W) → (B, C', H, W) alone; else height and width may change.
            tokens: (B, N, C) → (B, N, C') too.
        """
        fitting = [
            block
            for block in self.store.blocks(at_least="forward")
            if (not packages or block.package in packages)
            and (not categories or block.category in categories)
            and _takes_images(block, same_size, tokens)
            and (max_params is None or (block.check is not None and (block.check.params or 0) <= max_params))
        ]
        rng.shuffle(fitting)
        named = {block.name: block for block in reversed(fitting)}
        queues: dict[tuple[str, str], list[Block]] = {}
        for block in fitting:
            if named[block.name] is block:
                queues.setdefault((block.category, block.package), []).append(block)
        order = [queue for _, queue in sorted(queues.items())]
        rng.shuffle(order)
        rounds = max(map(len, order), default=0)
        taken = [queue[at] for at in range(rounds) for queue in order if at < len(queue)]
        return taken if count is None else taken[:count]


def _takes_images(block: Block, same_size: bool, tokens: bool) -> bool:
    check = block.check
    if check is None or check.arguments is None or len(check.inputs) != 1 or len(check.outputs) != 1:
        return False
    before, after = check.inputs[0], check.outputs[0]
    if len(before) != len(after) or before[0] != after[0]:
        return False
    if len(before) == 3:
        return tokens and before[1] == after[1]
    return len(before) == 4 and (not same_size or before[2:] == after[2:])
