"""The morning report of a campaign: its records and its journal in one page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..memory.records import Records
from ..tools.report import CampaignReport
from ..tools.report.morning import morning_report
from ..tools.report.morning_model import Interruption
from ..tools.report.morning_write import MorningFiles, write_morning_files
from .journal import Happening, happenings
from .sizes import campaign_sizes


def write_morning(report: CampaignReport, records: Records, folder: Path, target: Path) -> MorningFiles:
    """Write ``morning.html`` and ``morning.md``.

    Args:
        folder: the campaign's own, with its journal.
        target: where the files go.
    """
    broken = list(interruptions(happenings(folder)))
    used = campaign_sizes(records, folder).used
    morning = morning_report(report, records, broken, folder=target, disk_mb=used)
    return write_morning_files(morning, report.config, target)


def interruptions(lines: Iterable[Happening]) -> Iterable[Interruption]:
    """What kept a campaign from its work: a wait lasts until it is recovered from, stopped or given up."""
    waits: Happening | None = None
    for one in lines:
        if waits is not None and one.what in ("recovered", "waiting", "killed", "stopped", "failed", "ended"):
            lasted = (one.at - waits.at).total_seconds()
            told = f"{waits.kind}: {waits.reason}"
            yield Interruption(at=waits.at, what="waited", reason=told, seconds=lasted, tries=one.tries)
            waits = None
        if one.what == "waiting":
            waits = one
        elif one.what in ("killed", "stopped", "failed"):
            yield Interruption(at=one.at, what=one.what, reason=one.reason, seconds=one.seconds)
