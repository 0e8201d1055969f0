"""Reports in the paper's form as files: JSON, Markdown, one HTML page, PNG; and as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from rich import box
from rich.table import Table
from rich.text import Text

from ...memory.files import write_whole
from .pages import page
from .paper_model import PaperReport, PaperTable
from .pictures import Drawn
from .text import shown


class PaperFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    markdown: Path
    html: Path
    figures: tuple[Path, ...]


def write_paper(report: PaperReport, figures: Sequence[Drawn], folder: Path, name: str) -> PaperFiles:
    """Write ``<name>.json``, ``<name>.md``, ``<name>.html`` and a PNG of each figure, each in one step; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = PaperFiles(
        folder / f"{name}.json",
        folder / f"{name}.md",
        folder / f"{name}.html",
        tuple(folder / f"{one.name}.png" for one in figures),
    )
    write_whole(files.json, report.model_dump_json(indent=1, ensure_ascii=True).encode() + b"\n")
    write_whole(files.markdown, paper_markdown(report).encode())
    write_whole(files.html, paper_html(report, figures).encode())
    for path, one in zip(files.figures, figures, strict=True):
        write_whole(path, one.png)
    return files


def paper_markdown(report: PaperReport) -> str:
    """Tables and links to the figures beside the file."""
    parts = [f"# {_cell(report.title)}"]
    for table in report.tables:
        parts.append(f"## {_cell(table.title)}\n\n{_cell(table.caption)}\n\n{markdown_table(table)}")
    for figure in report.figures:
        parts.append(
            f"## {_cell(figure.title)}\n\n![{_cell(figure.title)}]({figure.name}.png)\n\n{_cell(figure.caption)}"
        )
    parts.append(f"Made by netwright {report.version} from the records.")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: PaperTable) -> str:
    """The rows of a table as Markdown, without its title and caption."""
    return "\n".join([_row(table.columns), _row(("---",) * len(table.columns)), *map(_row, table.rows)])


def paper_html(report: PaperReport, figures: Sequence[Drawn]) -> str:
    """One page without scripts, which loads nothing."""
    drawn = {one.name: Markup(one.svg) for one in figures}  # made by us, no model text
    return page("paper.html.j2", report=report, drawn=drawn)


def paper_table(table: PaperTable) -> Table:
    """A table for the terminal."""
    made = Table(
        title=Text(shown(table.title)), caption=Text(shown(table.caption)), box=box.SIMPLE_HEAD, show_edge=False
    )
    for place, column in enumerate(table.columns):
        made.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(shown(cell)) for cell in row))
    return made


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(shown(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
