"""A predictor judged and written down: numbers as JSON, calibration as PNG and as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ...memory.files import write_whole
from ...memory.types import Frozen, Protocol, Task
from ..report.text import percent
from .evaluation import Quality, forward, held_out
from .examples import Example
from .model import Predictor
from .plots import calibration_plot

NAME: Final = "prediction"


class PredictorReport(Frozen):
    """A predictor and how good it is.

    Attributes:
        predictor: names what it learned from; predictions on record name it too.
        held_out: by families.
        forward: each cycle of the campaign from those before; ``None`` without a campaign, or with too few cycles.
    """

    task: str
    protocol: str
    protocol_hash: str
    predictor: str
    seed: int
    learned_from: int
    families: int
    features: int
    held_out: Quality
    forward: Quality | None = None


class PredictorFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    html: Path
    png: Path


def predictor_report(
    examples: Sequence[Example],
    task: Task,
    protocol: Protocol,
    *,
    seed: int = 0,
    cycles: Mapping[str, int] | None = None,
) -> PredictorReport:
    """Learn from all examples, and judge by holding some out.

    Args:
        cycles: of the examples of one campaign, for the judgement cycle by cycle.

    Raises:
        PredictionError: too few examples.
    """
    quality = held_out(examples, seed)
    predictor = Predictor(examples, seed)
    return PredictorReport(
        task=task.id,
        protocol=protocol.name,
        protocol_hash=protocol.hash,
        predictor=predictor.identity,
        seed=seed,
        learned_from=predictor.learned_from,
        families=quality.groups,
        features=len(predictor.feature_names),
        held_out=quality,
        forward=forward(examples, cycles, seed) if cycles else None,
    )


def write_predictor(report: PredictorReport, folder: Path) -> PredictorFiles:
    """Write ``prediction.json``, ``prediction.html`` and ``prediction.png``, each in one step; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = PredictorFiles(*(folder / f"{NAME}.{ending}" for ending in ("json", "html", "png")))
    parts = [("Held out by families", report.held_out)]
    if report.forward is not None:
        parts.append(("Each cycle from the cycles before", report.forward))
    drawn = [(title, quality, calibration_plot(quality)) for title, quality in parts]
    environment = Environment(
        loader=PackageLoader(__package__ or "netwright.tools.prediction", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(percent=percent, fixed=_fixed)
    rows = [(title, quality, Markup(plot.svg)) for title, quality, plot in drawn]
    page = environment.get_template(f"{NAME}.html.j2").render(told=report, parts=rows)
    write_whole(files.json, report.model_dump_json(indent=1).encode() + b"\n")
    write_whole(files.html, page.encode())
    write_whole(files.png, drawn[0][2].png)
    return files


def read_predictor(folder: Path) -> PredictorReport | None:
    """The report in a folder, ``None`` where there is none."""
    path = folder / f"{NAME}.json"
    return PredictorReport.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def _fixed(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
