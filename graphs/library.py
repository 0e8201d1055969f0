"""The block library that a campaign or a request uses, opened and checked before any work begins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from ..memory.block_store import BlockStore
from ..tools.blocks.library import BlockLibrary
from .config import Config, ConfigError

MINE = "mine some first: netwright blocks mine torchvision --validate"


@contextmanager
def open_library(config: Config) -> Iterator[BlockLibrary | None]:
    """The library that the configuration names; ``None`` where it asks for no blocks.

    Raises:
        ConfigError: blocks are asked for and the library has none that can serve.
    """
    asked = config.retrieval
    if not asked.wanted:
        yield None
        return
    check_library(config)
    with BlockLibrary.open(asked.library, chroma=asked.chroma) as library:
        yield library


def check_library(config: Config) -> str | None:
    """What the library is by its blocks, in twelve hex digits: grafts depend on it as they do on a seed.

    Raises:
        ConfigError: blocks are asked for and the library has none that can serve.
    """
    asked = config.retrieval
    if not asked.wanted:
        return None
    if asked.library is not None and not asked.library.is_file():
        raise ConfigError(f"retrieval.library: there is no block store {asked.library}; {MINE}")
    with BlockStore(asked.library) as store:
        served = store.blocks(at_least="forward" if asked.grafts else "names")
    fitting = [
        block
        for block in served
        if (not asked.packages or block.package in asked.packages)
        and (not asked.categories or block.category in asked.categories)
    ]
    if not fitting:
        what = "was validated as far as a forward pass" if asked.grafts else "stands alone"
        raise ConfigError(f"no block of the library that the retrieval settings ask for {what}; {MINE}")
    return hashlib.sha256("\n".join(sorted(block.id for block in served)).encode()).hexdigest()[:12]
