"""Campaigns in the paper's tables and figures, and side by side: what the commands of ``campaign`` print and write."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.markup import escape

from ...memory.home import home_folder
from ...memory.records import Records
from .console import out, print_json
from .live import activity

Kind = Literal["paper", "comparison"]
_NAME_CHARS = 120


def report_many(
    records: Records, ids: Sequence[str], kind: Kind, to: Path | None, threshold: float | None, as_json: bool
) -> None:
    """Draw campaigns from their records, write the files, print the tables.

    Args:
        to: folder of the files; by default the campaign's, or one of the comparison's own.
        threshold: for the shares above, in place of the campaigns' own.
    """
    from ...tools.report.paper_compare import comparison, paper_report
    from ...tools.report.paper_write import paper_table, write_paper

    with activity("reading the records", hidden=as_json) as tell:
        report, figures = (paper_report if kind == "paper" else comparison)(records, ids, threshold)
        tell("drawing")
        files = write_paper(report, figures, to or _folder(ids), kind)
    if as_json:
        print_json({**report.model_dump(mode="json"), "files": files._asdict()})
        return
    for table in report.tables:
        out.print(paper_table(table))
    written = f"page: {files.html}\n  text: {files.markdown}\n  data: {files.json}"
    out.print(escape(f"{written}\n  {len(files.figures)} figures beside them"), soft_wrap=True)


def _folder(ids: Sequence[str]) -> Path:
    if len(ids) == 1:
        return home_folder("campaigns", ids[0])
    name = "+".join(ids)
    if len(name) > _NAME_CHARS:
        name = f"{name[:_NAME_CHARS]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return home_folder("comparisons", name)
