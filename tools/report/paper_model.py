"""What a report in the paper's form says, as types."""

from __future__ import annotations

from pydantic import Field

from ...memory.types import Frozen
from .paper_groups import Group
from .paper_series import Series


class PaperTable(Frozen):
    """One table as it is shown: a number of the paper's, or a name of ours."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class PaperFigure(Frozen):
    """One figure; its PNG stands beside the report."""

    name: str
    title: str
    caption: str


class PaperReport(Frozen):
    """Campaigns in the paper's tables and figures.

    Attributes:
        series: each campaign's numbers, cycle by cycle.
        groups: seeds pooled, variants side by side.
    """

    title: str
    version: str
    series: tuple[Series, ...]
    groups: tuple[Group, ...]
    tables: tuple[PaperTable, ...]
    figures: tuple[PaperFigure, ...] = Field(default=())
