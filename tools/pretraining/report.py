"""The record of a training run, and the page's tables made from such records."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from pydantic import BaseModel, ConfigDict

from .benchmark import Benchmark, Share
from .trainer import PretrainSettings

REPORT = "training-report.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_PACKAGES = ("torch", "transformers", "tokenizers", "netwright")


class CorpusFacts(BaseModel):
    """Which corpus a model was trained on. ``sha256`` is over all headers and sources in order."""

    model_config = ConfigDict(frozen=True)

    seed: int
    programs: int
    sha256: str
    mean_tokens: float
    longest_tokens: int


class TrainingReport(BaseModel):
    """Everything that is published about one training run.

    Attributes:
        command: what reproduces the weights.
        parameters: of the decoder, tied embeddings counted once.
        tokens: seen in training, padding left out.
        cpu_s, wall_s: seconds of the training steps, without tokenising and benchmarking.
        curve: (last step, mean loss in nats per token) of consecutive groups of steps.
        weights_sha256: of ``model.safetensors``.
    """

    model_config = ConfigDict(frozen=True)

    command: str
    seed: int
    settings: PretrainSettings
    corpus: CorpusFacts
    versions: dict[str, str]
    machine: dict[str, str | int]
    precision: str
    parameters: int
    steps: int
    tokens: int
    cpu_s: float
    wall_s: float
    curve: list[tuple[int, float]]
    weights_sha256: str
    benchmark: Benchmark | None = None

    def write(self, folder: Path) -> Path:
        """Write :data:`REPORT` to ``folder``."""
        path = folder / REPORT
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> TrainingReport:
        """Read a report; ``path`` is the file or the folder that holds it."""
        file = path / REPORT if path.is_dir() else path
        return cls.model_validate_json(file.read_text(encoding="utf-8"))


def versions() -> dict[str, str]:
    """Versions of what decides the weights."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def machine() -> dict[str, str | int]:
    """Processor, cores and the instruction set that torch uses."""
    return {
        "cpu": _processor(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def curve(losses: Sequence[float], every: int) -> list[tuple[int, float]]:
    """Means of consecutive groups of ``every`` losses, each with its last step (from 1)."""
    points = []
    for start in range(0, len(losses), every):
        group = losses[start : start + every]
        points.append((start + len(group), round(sum(group) / len(group), 4)))
    return points


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _percent(share: Share) -> str:
    return f"{100 * share.share:.1f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"


def tables(reports: Sequence[TrainingReport]) -> str:
    """Markdown: the benchmark by seed, the loss curves, and what stopped the invalid samples."""
    reports = sorted(reports, key=lambda report: report.seed)
    lines = [
        "| seed | valid | distinct | copies | near copies | right size | steps | tokens | CPU-minutes | samples/s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports:
        table = report.benchmark
        if table is None:
            raise ValueError(f"the report of seed {report.seed} has no benchmark; run the benchmark first")
        shares = (table.valid, table.distinct, table.copies, table.near_copies, table.right_size)
        cells = [str(report.seed), *map(_percent, shares), f"{report.steps:,}", f"{report.tokens:,}"]
        lines.append("| " + " | ".join([*cells, f"{report.cpu_s / 60:.1f}", f"{table.programs_per_s:.1f}"]) + " |")
    lines += ["", "Loss in nats per token of the program, mean of the steps since the row above:", ""]
    lines += _curve_table(reports)
    lines += ["", "What stopped the invalid samples:", ""]
    for report in reports:
        errors = report.benchmark.errors if report.benchmark else {}
        listed = ", ".join(f"{name} ×{count}" for name, count in errors.items()) or "none"
        lines.append(f"* seed {report.seed}: {listed}")
    first = reports[0]
    lines += [
        "",
        f"Machine: {first.machine['cpu']}, one thread, {first.precision}; torch {first.versions['torch']}.",
    ]
    return "\n".join(lines)


def _curve_table(reports: Sequence[TrainingReport], rows: int = 10) -> list[str]:
    steps = max(report.steps for report in reports)
    edges = [round(steps * (row + 1) / rows) for row in range(rows)]
    lines = ["| step | " + " | ".join(f"seed {report.seed}" for report in reports) + " |"]
    lines.append("|---|" + "---|" * len(reports))
    for before, edge in zip([0, *edges], edges, strict=False):
        cells = []
        for report in reports:
            points = [loss for step, loss in report.curve if before < step <= edge]
            cells.append(f"{sum(points) / len(points):.3f}" if points else "")
        lines.append(f"| {edge} | " + " | ".join(cells) + " |")
    return lines


def publish(page: Path, reports: Sequence[TrainingReport]) -> None:
    """Put the tables between the page's two markers.

    Raises:
        ValueError: the page lacks the markers.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no place for the tables; add the lines {BEGIN} and {END}")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{tables(reports)}\n\n{END}{tail}", encoding="utf-8")
