"""The block library that a campaign or a request uses, opened and checked before any work begins."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..agents.grafter import Wanted, stages
from ..memory.block_store import BlockStore
from ..tools.blocks.library import BlockLibrary
from .config import Config, ConfigError

MINE: Final = "mine some first: netwright blocks mine torchvision --validate"


def grafts_wanted(config: Config) -> Wanted:
    """Which blocks the configuration wants grafted."""
    asked = config.retrieval
    return Wanted(asked.packages, asked.categories, asked.max_params)


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
        if asked.grafts and not stages(BlockLibrary(store), grafts_wanted(config), random.Random(0)):
            raise ConfigError(
                "no block that the retrieval settings ask for was validated as far as a forward pass on feature maps "
                f"or tokens, with weights of its own; {MINE}"
            )
    if not served:
        raise ConfigError(f"no block of the library stands alone; {MINE}")
    return hashlib.sha256("\n".join(sorted(block.id for block in served)).encode()).hexdigest()[:12]
