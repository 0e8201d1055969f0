"""The word *block* as a type: a reusable ``nn.Module`` mined from a library, self-contained and validated."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, Literal

from pydantic import Field

from .types import Frozen

BlockStage = Literal["extract", "parse", "compile", "import", "names", "build", "forward"]
BLOCK_STAGES: Final[tuple[BlockStage, ...]] = ("extract", "parse", "compile", "import", "names", "build", "forward")

# The eight categories of LEMUR 2, supplement 9, table 8.
Category = Literal[
    "attention", "convolution", "transformer", "pooling", "normalization", "loss", "architecture", "utility"
]
CATEGORIES: Final[tuple[Category, ...]] = (
    "attention",
    "convolution",
    "transformer",
    "pooling",
    "normalization",
    "loss",
    "architecture",
    "utility",
)


class BlockCheck(Frozen):
    """How far a block got when it was validated.

    Attributes:
        stage: the last stage that was passed.
        error_class, message: of the stage after it, ``None`` where every stage that was tried was passed.
        arguments: constructor's keyword arguments with which it was built, JSON values; ``None``: not built.
        inputs, outputs: shapes of tensors of the forward pass, batch first; empty: not run.
        params: trainable and frozen parameters of the module as built.
    """

    stage: BlockStage
    error_class: str | None = None
    message: str | None = None
    arguments: dict[str, Any] | None = None
    inputs: tuple[tuple[int, ...], ...] = ()
    outputs: tuple[tuple[int, ...], ...] = ()
    params: int | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether the file imports and no name in it is undefined."""
        return BLOCK_STAGES.index(self.stage) >= BLOCK_STAGES.index("names")


class Block(Frozen):
    """One block of the library.

    Attributes:
        qualified: module path and class, ``timm.layers.cbam.CbamModule``.
        package, version: the distribution it was mined from.
        path: its file within the source, with forward slashes.
        file_hash: SHA-1 of that file's bytes (supplement 9.3.1).
        licence: of the source, as an SPDX expression where one is known.
        signature: of the constructor, ``(channels: int, rd_ratio: float = 1. / 16)``.
        requires: third-party packages that the emitted file imports, sorted; ``torch`` among them.
        definitions: how many top-level definitions the emitted file holds, the block's own among them.
        text: the emitted file, whole.
        check: ``None`` until it was validated.
    """

    qualified: str
    package: str
    version: str
    path: str
    line: int
    file_hash: str
    licence: str = ""
    category: Category
    docstring: str = ""
    signature: str = "()"
    requires: tuple[str, ...] = ("torch",)
    definitions: int = 1
    text: str
    check: BlockCheck | None = Field(default=None)

    @property
    def name(self) -> str:
        """The class's name, the last part of :attr:`qualified`."""
        return self.qualified.rpartition(".")[2]

    @property
    def id(self) -> str:
        """Sixteen hex digits over source, version and text: the same block from the same source has the same id."""
        fields = json.dumps([self.package, self.version, self.qualified, self.text])
        return hashlib.sha256(fields.encode("utf-8", "surrogatepass")).hexdigest()[:16]
