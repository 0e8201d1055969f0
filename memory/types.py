"""The words of the design as types: task, request, protocol, candidate, verdict, trial.

Everything here is small, immutable and JSON-serialisable; source text, logs and weights live in the records.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Stage = Literal["extract", "parse", "contract", "build", "forward", "backward"]
STAGES: tuple[Stage, ...] = ("extract", "parse", "contract", "build", "forward", "backward")

TaskKind = Literal["img-classification", "img-segmentation", "img-captioning", "txt-generation", "txt-image"]
Origin = Literal["llm-", "alt-nn3-", "ast-", "rl-", "ga-", "frac-", "moe-", "rag-", "hand-"]
TrialState = Literal["waiting", "running", "complete", "failed", "pruned"]
ValidBy = Literal["generation", "cleanup", "repair", "none"]


class Frozen(BaseModel):
    """Base of the immutable words: unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(Frozen):
    """What a network must do.

    Attributes:
        in_shape: one sample's shape without the batch, (channels, height, width) for images.
        out_shape: starts with the number of outputs, (classes,) for classification.
    """

    kind: TaskKind = "img-classification"
    dataset: str
    metric: str = "accuracy"
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    @property
    def id(self) -> str:
        """LEMUR's folder name of a task: ``<kind>_<dataset>_<metric>``."""
        return f"{self.kind}_{self.dataset}_{self.metric}"


class RequestLimits(Frozen):
    """Limits that a request puts on the network itself.

    Attributes:
        max_flops: of one forward pass of one sample, as a verdict counts them; absent where it is not limited, so that
            what was recorded before keeps its hash.
    """

    min_params: int | None = Field(default=None, ge=1)
    max_params: int | None = Field(default=None, ge=1)
    max_flops: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)


class Request(Frozen):
    """What a person (or a campaign) asked for."""

    task: Task
    limits: RequestLimits = RequestLimits()
    text: str = ""


Precision = Literal["fp32", "bf16", "auto"]


class Protocol(Frozen):
    """How a candidate is trained and measured. Results compare only under equal :attr:`hash`."""

    name: str
    epochs: int = Field(default=1, ge=1)
    batch: int = Field(default=64, ge=1)
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0)
    transform: str = "normalise"
    seed: int = 0
    train_limit: int | None = Field(default=None, ge=1, description="use only the first N shuffled samples")
    test_limit: int | None = Field(default=None, ge=1)
    time_limit_s: float = Field(default=120.0, gt=0, description="CPU seconds of one trial")
    precision: Precision = Field(
        default="fp32", description="auto: bf16 and channels_last where the machine gains; the trial says what it was"
    )
    rungs: tuple[int, ...] = Field(
        default=(), description="training samples of successive halving before the whole training; empty: none"
    )
    prm: dict[str, float | int] = Field(
        default_factory=dict, description="values of further hyperparameters that a network supports (dropout, ...)"
    )

    @property
    def hash(self) -> str:
        """Twelve hex digits over every field. Fields that came later count only where they are set, so that an
        older record keeps its hash."""
        added = {"precision": "fp32", "rungs": (), "prm": {}}
        fields = {key: value for key, value in self.model_dump().items() if key not in added or value != added[key]}
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def normalise_source(source: str) -> str:
    """Source with layout taken out: indentation as nesting depth, runs of blanks as one, no empty lines.

    Two texts that differ only in white space normalise to the same string; nesting is kept because it
    carries meaning in Python. Works on any text, valid Python or not.
    """
    lines: list[str] = []
    indents = [0]
    for line in source.expandtabs(8).splitlines():
        words = line.split()
        if not words:
            continue
        width = len(line) - len(line.lstrip(" "))
        while len(indents) > 1 and width < indents[-1]:
            indents.pop()
        if width > indents[-1]:
            indents.append(width)
        lines.append("\t" * (len(indents) - 1) + " ".join(words))
    return "\n".join(lines)


def candidate_id(source: str) -> str:
    """SHA-256 of the normalised source, in hex."""
    return hashlib.sha256(normalise_source(source).encode("utf-8", "surrogatepass")).hexdigest()


class Candidate(Frozen):
    """One network as source text. ``id`` is derived from the source, so equal programs are one candidate.

    Attributes:
        blocks: ids of the library's blocks in it; a network that has any is of origin ``rag-``.
    """

    source: str
    origin: Origin = "llm-"
    parents: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return candidate_id(self.source)

    @property
    def name(self) -> str:
        """LEMUR-style name: origin prefix and the first twelve digits of the id."""
        return f"{self.origin}{self.id[:12]}"


class Verdict(Frozen):
    """How far a candidate got.

    Attributes:
        stage: the last stage that was passed if ``ok``, else the stage that stopped it.
        error_class: exception class, or one of ``Timeout``, ``CpuLimit``, ``MemoryLimit``, ``OutputLimit``,
            ``ResultLimit``, ``Crash``, ``ContractError``, ``OverBudget`` and the like.
        line: line of the candidate's source, where known.
        params: trainable and frozen parameters.
        flops: multiply-adds times two of one forward pass of one sample (torch's counter).
        figures: static figures of the network, by name: depth, counts of layers, flags.
    """

    ok: bool
    stage: Stage
    error_class: str | None = None
    message: str | None = None
    line: int | None = None
    params: int | None = None
    flops: int | None = None
    seconds: float = 0.0
    figures: dict[str, Any] = Field(default_factory=dict)

    @property
    def reason(self) -> str:
        """One line for a person: ``ok`` or ``stage: ErrorClass: message``."""
        if self.ok:
            return "ok"
        where = f" (line {self.line})" if self.line else ""
        return f"{self.stage}: {self.error_class}: {self.message}{where}"


class Trial(Frozen):
    """One training of one candidate under one protocol. A complete or failed trial never changes.

    Attributes:
        metric: final value of the task's metric in [0, 1]; ``None`` unless ``state == "complete"``.
        epochs: one dict per epoch, e.g. ``{"epoch": 1, "accuracy": .91, "train_loss": .4, "seconds": 1.2}``.
        cpu_s, wall_s: seconds; peak_mb: MiB.
        setting: how it was run where the protocol leaves that open: device, precision, memory layout.
    """

    candidate_id: str
    task_id: str
    protocol_hash: str
    state: TrialState
    metric: float | None = None
    epochs: tuple[dict[str, Any], ...] = ()
    error_class: str | None = None
    message: str | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float | None = None
    setting: dict[str, Any] = Field(default_factory=dict)
