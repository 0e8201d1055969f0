"""How far does a mined block get? Its file runs in a sandbox, where the package it came from does not exist."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from ...memory.block_types import BLOCK_STAGES, Block, BlockCheck, BlockStage
from ...sandbox.protocol import Job, Limits, Outcome, Sandbox, WorkerImage
from .. import outcomes
from ..execution import PAYLOAD, SEED_ENVIRONMENT, refuse
from ..outcomes import Stop
from .names import faults

REFUSED: Final = ("timm", "torchvision", "transformers")
"""Packages that blocks come from; each block's own is refused too."""
BLOCK_LIMITS: Final = Limits(wall_s=90, cpu_s=12, memory_mb=3072, processes=32)
MAX_BLOCK_BYTES: Final = 1 << 20  # with the definitions of a large model beside it, a block is no short text
SEARCH_S: Final = 4.0  # CPU seconds for all tries to build and run one block
TRY_S: Final = 2.0  # for one of them
_MAX_ARGUMENTS_CHARS: Final = 20_000
_MAX_TENSORS: Final = 16
_MAX_DIMENSIONS: Final = 16

Progress = Callable[[Block, BlockCheck], None]


def block_image() -> WorkerImage:
    """What a worker holds that validates blocks: the handlers and no data."""
    return WorkerImage(handlers=PAYLOAD, preload=("torch", "numpy", "block"), seed_environment=SEED_ENVIRONMENT)


@dataclass
class Usage:
    """What the checks of one validator took together, as their processes told it.

    Attributes:
        cpu_s: CPU seconds.
        peak_mb: most memory of one check, with what the warm worker held before.
    """

    blocks: int = 0
    cpu_s: float = 0.0
    peak_mb: int = 0


class BlockValidator:
    """Runs the stages parse, compile, import, names, build and forward.

    Args:
        sandbox: made with :func:`block_image`; any worker image of this package's handlers will do.
        limits: of one block.
        refused: top-level packages that must seem absent, beside the block's own.
        until: the last stage to try.
        search_s: CPU seconds for the search for arguments and inputs.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits = BLOCK_LIMITS,
        refused: Sequence[str] = REFUSED,
        until: BlockStage = "forward",
        search_s: float = SEARCH_S,
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._refused = tuple(refused)
        self._until: BlockStage = until
        self._search_s = search_s
        self._lock = threading.Lock()
        self.usage = Usage()

    def check(self, block: Block) -> BlockCheck:
        """How far one block gets. Never raises for what its text is or does."""
        unfit = refuse(block.text, MAX_BLOCK_BYTES)
        if unfit is not None:
            return _stopped("extract", unfit)
        refused = sorted({*self._refused, top_level(block)})
        payload = {
            "source": block.text,
            "name": block.name,
            "refused": refused,
            "until": self._until,
            "search_s": self._search_s,
            "try_s": min(TRY_S, self._search_s),
        }
        outcome = self._sandbox.run(Job(handler="block.run", payload=payload, limits=self._limits))
        self._count(outcome)
        found = self._read(outcome)
        if BLOCK_STAGES.index(found.stage) < BLOCK_STAGES.index("import"):
            return found
        stop = name_stop(block.text, refused)
        if stop is not None:
            return _stopped("import", stop)
        return found.model_copy(update={"stage": "names"}) if found.stage == "import" else found

    def check_many(self, blocks: Iterable[Block], progress: Progress | None = None) -> list[BlockCheck]:
        """Checks in the order of the blocks, as many at a time as the sandbox has workers.

        Args:
            progress: told each block and its check, in order, from the calling thread: the place to record them.
        """
        return [self._told(block, check, progress) for block, check in self.stream(blocks)]

    def stream(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, BlockCheck]]:
        """Blocks with their checks, in order, as they come; the texts of few blocks are held at a time."""
        workers = max(1, self._sandbox.workers)
        with ThreadPoolExecutor(max_workers=workers) as pool:
            waiting: list[tuple[Block, Any]] = []
            for block in blocks:
                waiting.append((block, pool.submit(self.check, block)))
                if len(waiting) > 2 * workers:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            for block, future in waiting:
                yield block, future.result()

    @staticmethod
    def _told(block: Block, check: BlockCheck, progress: Progress | None) -> BlockCheck:
        if progress is not None:
            progress(block, check)
        return check

    def _count(self, outcome: Outcome) -> None:
        told = outcome.result.get("peak_mb") if isinstance(outcome.result, dict) else None
        with self._lock:
            self.usage.blocks += 1
            self.usage.cpu_s += outcome.cpu_s
            self.usage.peak_mb = max(self.usage.peak_mb, outcomes.count(told, most=1 << 20) or 0)

    def _read(self, outcome: Outcome) -> BlockCheck:
        stop = outcomes.stop_of(outcome, self._limits)
        if stop is not None:
            return _stopped(_stage(outcome.note), stop)
        result = outcome.result
        if not isinstance(result, dict) or _stage(result.get("stage")) != result.get("stage"):
            return _stopped(_stage(outcome.note), outcomes.forged("no stage in it"))
        stage = _stage(result["stage"])
        fields: dict[str, Any] = {"stage": stage}
        if result.get("error_class") is not None:
            fields["error_class"] = outcomes.name(result["error_class"])
            fields["message"] = _message(result)
        if BLOCK_STAGES.index(stage) >= BLOCK_STAGES.index("build"):
            arguments, params = _arguments(result.get("arguments")), outcomes.count(result.get("params"))
            inputs, outputs = _shapes(result.get("inputs")), _shapes(result.get("outputs"))
            if arguments is None or params is None or inputs is None or outputs is None:
                return _stopped("import", outcomes.forged("a success without its figures"))
            fields.update(arguments=arguments, params=params, inputs=inputs, outputs=outputs)
        return BlockCheck(**fields)


def top_level(block: Block) -> str:
    """The package that a block's module lies in; a distribution may have another name."""
    return block.qualified.partition(".")[0]


def name_stop(text: str, refused: Iterable[str]) -> Stop | None:
    """Why the stage ``names`` is not passed, ``None`` if it is."""
    try:
        found = faults(text, refused)
    except (SyntaxError, ValueError, RecursionError) as error:
        return Stop(type(error).__name__, outcomes.text(str(error)))
    if not found:
        return None
    kinds = {"undefined": "UndefinedName", "source import": "SourceImport"}
    first = "; ".join(str(fault) for fault in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return Stop(kinds.get(found[0].kind, "UnboundImport"), outcomes.text(first + more), found[0].line)


def _stopped(stage: BlockStage, stop: Stop) -> BlockCheck:
    line = f" (line {stop.line})" if stop.line and "line" not in stop.message else ""
    return BlockCheck(stage=stage, error_class=stop.error_class, message=f"{stop.message}{line}")


def _stage(told: object) -> BlockStage:
    """The stage that a note or a result names; ``extract``, which the text has passed, when it names none."""
    return next((stage for stage in BLOCK_STAGES if stage == told and stage != "names"), "extract")


def _message(result: dict[str, Any]) -> str:
    line = outcomes.line_number(result.get("line"))
    return outcomes.text(result.get("message")) + (f" (line {line})" if line else "")


def _arguments(told: object) -> dict[str, Any] | None:
    """JSON from the sandbox is plain data already; only its size is to be checked."""
    if not isinstance(told, dict) or len(json.dumps(told)) > _MAX_ARGUMENTS_CHARS:
        return None
    return told


def _shapes(told: object) -> tuple[tuple[int, ...], ...] | None:
    if not isinstance(told, list) or len(told) > _MAX_TENSORS:
        return None
    for shape in told:
        if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS:
            return None
        if any(outcomes.count(size) is None for size in shape):
            return None
    return tuple(tuple(shape) for shape in told)
