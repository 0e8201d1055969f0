"""``report.json`` and a self-contained ``report.html``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from ...memory.files import write_whole
from .model import CampaignReport
from .pages import page
from .text import shown


class ReportFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    html: Path


def write_report(report: CampaignReport, folder: Path) -> ReportFiles:
    """Write ``report.json`` and ``report.html`` into ``folder``, each in one step; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = ReportFiles(folder / "report.json", folder / "report.html")
    write_whole(files.json, report_json(report).encode())
    write_whole(files.html, report_html(report).encode())
    return files


def report_json(report: CampaignReport) -> str:
    """The report as JSON text in ASCII: text of a model may hold what UTF-8 cannot."""
    return json.dumps(report.model_dump(), indent=1, default=_json_value, allow_nan=False) + "\n"


def report_html(report: CampaignReport) -> str:
    """The report as one HTML page without scripts, which loads nothing. All text of models is escaped."""
    from .plots import plots

    drawn = [(plot.title, plot.note, Markup(plot.svg)) for plot in plots(report)]  # made by us, no model text
    return page("report.html.j2", {"pretty": _pretty}, report=report, plots=drawn)


def _json_value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a report holds no {type(value).__name__}")


def _pretty(value: Any) -> str:
    return shown(json.dumps(value, indent=2, ensure_ascii=False, default=str))
