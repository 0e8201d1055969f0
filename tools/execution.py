"""How far does a candidate get? Source text in, verdict out; the source runs in a sandbox only."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..memory.types import STAGES, RequestLimits, Stage, Task, Verdict
from ..sandbox.protocol import Job, Limits, Outcome, Sandbox, WorkerImage
from . import outcomes, static_figures
from .outcomes import Stop

PAYLOAD = Path(__file__).parent / "payload"
"""Folder of the handlers ``validate`` and ``train``."""
# torch.optim imports torch._dynamo at its first step, which takes seconds: once in the worker, not in each
# fork.
PRELOAD = ("torch", "numpy", "torch._dynamo", "validate", "train", "graph", "mend")
# Sets of strings have the same order in each worker, so that a seed gives the same network everywhere; cuBLAS asks
# for its setting where results are to be deterministic.
SEED_ENVIRONMENT = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}

MAX_SOURCE_BYTES = 256 * 1024
# What campaigns use too (``sandbox.validation``), so that a verdict does not depend on who asked. CPU time is what
# limits; wall time only ends what sleeps, with room for a busy machine.
VALIDATION_LIMITS = Limits(wall_s=60, cpu_s=20)
# What a network is told while it is validated; the batch is that of the digits protocol.
PRM: dict[str, float | int] = {"lr": 0.01, "momentum": 0.9, "batch": 32, "epoch": 1}


class SourceRefused(ValueError):
    """A file is no source text; ``verdict`` says why, at stage ``extract``."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        # The name of a file may be long, no valid text, or made to move a terminal's cursor.
        self.verdict = Verdict(ok=False, stage="extract", error_class=error_class, message=outcomes.text(message))


def validation_image() -> WorkerImage:
    """What a worker holds that only validates: the handlers and no data."""
    return WorkerImage(handlers=PAYLOAD, preload=PRELOAD, seed_environment=SEED_ENVIRONMENT)


def read_source(path: Path) -> str:
    """The text of a file that should hold a network.

    Raises:
        SourceRefused: it is missing, no ordinary file, empty, too large, binary or not UTF-8.
    """
    try:
        ordinary = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise SourceRefused(type(error).__name__, f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # a null byte in the path, or a surrogate that stands for no byte
        raise SourceRefused("BadPath", f"cannot read {path}: {error}") from error
    if not ordinary:
        raise SourceRefused("NotAFile", f"{path} is not an ordinary file")
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise SourceRefused(type(error).__name__, f"cannot read {path}: {error.strerror}") from error
    if len(raw) > MAX_SOURCE_BYTES:
        raise SourceRefused("TooLarge", f"{path} has more than {MAX_SOURCE_BYTES} bytes")
    if b"\0" in raw:
        raise SourceRefused("BinaryFile", f"{path} is a binary file: it has a null byte")
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceRefused("EncodingError", f"{path} is not UTF-8 text: byte {error.start}") from error
    if not source.strip():
        raise SourceRefused("EmptySource", f"{path} is empty")
    return source


class Validator:
    """Runs the stages parse, contract, build, forward and backward in a sandbox.

    Args:
        sandbox: made with :func:`validation_image` or ``training.evaluation_image``.
        limits: of one validation.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits = VALIDATION_LIMITS) -> None:
        self._sandbox = sandbox
        self._limits = limits

    def validate(self, source: str, task: Task, request_limits: RequestLimits | None = None) -> Verdict:
        """The verdict on one source text. Never raises for what the text is or does.

        Raises:
            ValueError: the task is not a classification of images.
        """
        request = request_limits or RequestLimits()
        classes = classes_of(task)
        refused = refuse(source)
        if refused is not None:
            return Verdict(ok=False, stage="extract", error_class=refused.error_class, message=refused.message)
        payload = {
            "source": source,
            "in_shape": list(task.in_shape),
            "classes": classes,
            "prm": PRM,
            "batch": PRM["batch"],
            "min_params": request.min_params,
            "max_params": request.max_params,
        }
        outcome = self._sandbox.run(Job(handler="validate.run", payload=payload, limits=self._limits))
        return _verdict(outcome, self._limits, request)

    def validate_file(self, path: Path, task: Task, request_limits: RequestLimits | None = None) -> Verdict:
        """The verdict on a file; a file that is no text has one as well."""
        try:
            source = read_source(path)
        except SourceRefused as refused:
            return refused.verdict
        return self.validate(source, task, request_limits)

    def validate_many(
        self, sources: Sequence[str], tasks: Task | Sequence[Task], request_limits: RequestLimits | None = None
    ) -> list[Verdict]:
        """Verdicts in the order of the sources, as many at a time as the sandbox has workers.

        Args:
            tasks: one for all sources, or one for each.
        """
        each = [tasks] * len(sources) if isinstance(tasks, Task) else tasks

        def one(source: str, task: Task) -> Verdict:
            return self.validate(source, task, request_limits)

        if len(each) != len(sources):
            raise ValueError(f"{len(sources)} sources and {len(each)} tasks: give one task, or one for each source")
        with ThreadPoolExecutor(max_workers=max(1, self._sandbox.workers)) as pool:
            return list(pool.map(one, sources, each))


def classes_of(task: Task) -> int:
    """Number of classes of an image classification task.

    Raises:
        ValueError: another kind of task, or shapes that do not fit it.
    """
    if task.kind != "img-classification" or len(task.in_shape) != 3 or not task.out_shape:
        raise ValueError(
            f"cannot judge networks for task {task.id}: only img-classification with in_shape (channels, "
            f"height, width) and out_shape (classes,) is known, not {task.in_shape} and {task.out_shape}"
        )
    return task.out_shape[0]


def refuse(source: str, most: int = MAX_SOURCE_BYTES) -> Stop | None:
    """What is refused before any sandbox: the text must be something that can be sent there, of ``most`` bytes."""
    if not source.strip():
        return Stop("EmptySource", "the source is empty")
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError as error:
        return Stop("EncodingError", f"the source is not valid Unicode: {error.reason}")
    if size > most:
        return Stop("TooLarge", f"the source has {size} bytes, at most {most} are read")
    return None


def _verdict(outcome: Outcome, limits: Limits, request: RequestLimits) -> Verdict:
    stop = outcomes.stop_of(outcome, limits)
    if stop is not None:
        return _stopped(stage_of(outcome.note), stop, outcome)
    result = outcome.result
    if not isinstance(result, dict) or not isinstance(result.get("ok"), bool):
        return _stopped(stage_of(outcome.note), outcomes.forged("no verdict in it"), outcome)
    params = outcomes.count(result.get("params"))
    flops = outcomes.count(result.get("flops"), most=10**18)
    figures = static_figures.read(result.get("figures"), flops)
    if not result["ok"]:
        stop = Stop(
            outcomes.name(result.get("error_class")),
            outcomes.text(result.get("message")),
            outcomes.line_number(result.get("line")),
        )
        return _stopped(stage_of(result.get("stage")), stop, outcome, params, flops, figures)
    if params is None or result.get("stage") != "backward":
        return _stopped(stage_of(outcome.note), outcomes.forged("a success without its figures"), outcome)
    # The handler has compared already, but it shares its process with the candidate.
    if request.max_params is not None and params > request.max_params:
        over = Stop("OverBudget", f"{params:,} parameters, at most {request.max_params:,} are allowed")
        return _stopped("build", over, outcome, params, flops, figures)
    if request.max_flops is not None and (flops is None or flops > request.max_flops):
        counted = f"{flops:,} FLOPs" if flops is not None else "FLOPs that could not be counted"
        over = Stop("OverBudget", f"{counted}, at most {request.max_flops:,} are allowed")
        return _stopped("forward", over, outcome, params, flops, figures)
    return Verdict(ok=True, stage="backward", params=params, flops=flops, seconds=outcome.wall_s, figures=figures)


def _stopped(
    stage: Stage,
    stop: Stop,
    outcome: Outcome,
    params: int | None = None,
    flops: int | None = None,
    figures: dict[str, Any] | None = None,
) -> Verdict:
    fields: dict[str, Any] = {"error_class": stop.error_class, "message": stop.message, "line": stop.line}
    fields["figures"] = figures or {}
    return Verdict(ok=False, stage=stage, params=params, flops=flops, seconds=outcome.wall_s, **fields)


def stage_of(told: object) -> Stage:
    """The stage that a note or result names; ``parse``, the first in the sandbox, when it names none."""
    return told if told in STAGES else "parse"
