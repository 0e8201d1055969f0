"""The statistics as files: ``statistics.json``, a self-contained ``statistics.html``, and one PNG per figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment
from markupsafe import Markup

from ..report.pages import page_environment
from ..report.text import number, percent, shown
from .export_folder import new_folder
from .stats_model import Statistics
from .stats_plots import pictures

MARKER: Final = "statistics.json"  # a folder with this file in it is one of ours, and may be replaced


class StatisticsFiles(NamedTuple):
    """Where statistics were written."""

    json: Path
    html: Path
    figures: tuple[Path, ...]


def write_statistics(statistics: Statistics, folder: Path) -> StatisticsFiles:
    """Draw everything and write it into ``folder``, which appears at once and whole.

    Raises:
        ExportError: the folder holds something that is not such statistics.
    """
    with new_folder(folder, marker=MARKER, replace=True) as unfinished:
        drawn = list(pictures(statistics))
        (unfinished / MARKER).write_text(statistics_json(statistics), encoding="utf-8")
        page = _environment().get_template("statistics.html.j2")
        # The drawings are made by us; names in them are escaped by matplotlib.
        figures = [(one.title, one.note, Markup(one.svg)) for one in drawn]
        text = page.render(stats=statistics, figures=figures)
        (unfinished / "statistics.html").write_text(text, encoding="utf-8")
        for one in drawn:
            (unfinished / f"{one.name}.png").write_bytes(one.png)
    figures_at = tuple(folder / f"{one.name}.png" for one in drawn)
    return StatisticsFiles(folder / MARKER, folder / "statistics.html", figures_at)


def statistics_json(statistics: Statistics) -> str:
    """The statistics as JSON text in ASCII: names may hold what UTF-8 cannot."""
    return json.dumps(statistics.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"


def _environment() -> Environment:
    return page_environment(__package__ or "netwright.tools.corpus", percent=percent, shown=shown, number=number)
