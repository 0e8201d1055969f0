"""How much disk a campaign takes: its folder by part, and what the records have grown since it began."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from ..memory.files import write_whole
from ..memory.records import Records
from ..memory.types import Frozen

BEGAN: Final = "records-began.txt"
_MIB: Final = 2**20


class Sizes(Frozen):
    """MiB on disk.

    Attributes:
        records: the whole database with its log, of all campaigns; 0 where it is not a file.
        grown: what it has grown since this campaign began, what others wrote meanwhile included.
        other: reports, and whatever else lies in the campaign's folder.
    """

    records: float
    grown: float
    checkpoints: float
    adapters: float
    logs: float
    other: float

    @property
    def used(self) -> float:
        """What counts against ``budget.disk_mb``."""
        return self.grown + self.checkpoints + self.adapters + self.logs + self.other


def campaign_sizes(records: Records, folder: Path) -> Sizes:
    """Measured now."""
    parts = dict.fromkeys(("checkpoints", "adapters", "logs", "other"), 0)
    for path, size in _files(folder):
        parts[_part(path.relative_to(folder))] += size
    database = records_bytes(records)
    try:
        began = int((folder / BEGAN).read_text())
    except (FileNotFoundError, ValueError):
        began = database  # not begun yet
    return Sizes(
        records=round(database / _MIB, 3),
        grown=round(max(0, database - began) / _MIB, 3),
        **{name: round(size / _MIB, 3) for name, size in parts.items()},
    )


def mark_beginning(records: Records, folder: Path) -> None:
    """Write down, once, how large the records are where a campaign begins."""
    if not (folder / BEGAN).exists():
        write_whole(folder / BEGAN, str(records_bytes(records)).encode())


def records_bytes(records: Records) -> int:
    """Bytes of the database's file and of SQLite's files beside it; 0 for a server's."""
    url = make_url(records.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return 0
    held = (Path(url.database + suffix) for suffix in ("", "-wal"))
    return sum(path.stat().st_size for path in held if path.exists())


def _part(path: Path) -> str:
    first = path.parts[0]
    if first.startswith("checkpoints.db"):
        return "checkpoints"
    if first == "adapters":
        return "adapters"
    return "logs" if ".log" in first or first.endswith(".jsonl") else "other"


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                yield path, path.lstat().st_size
            except FileNotFoundError:
                continue  # rotated or replaced in this moment
