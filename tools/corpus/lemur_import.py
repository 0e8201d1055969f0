"""Import of a checkout of the LEMUR data set: networks, transforms, metrics, records. Done twice, as if done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...memory.records import Records
from ...memory.scores import Score
from ...memory.types import Candidate, Origin
from .lemur_checkout import (
    Problem,
    epoch_files,
    find_root,
    read_json,
    read_programs,
    record_folders,
)
from .lemur_records import read_score, read_statistics, split_name

BATCH: Final = 20_000  # scores of one transaction
_NETWORKS: Final = 500  # networks of one transaction: their texts are held meanwhile
_ORIGINS: Final[dict[str, Origin]] = {
    "alt-nn3-": "alt-nn3-",
    "alt-": "llm-",  # language models wrote all of LEMUR's alternatives
    "llm-": "llm-",
    "ast-": "ast-",
    "rl-": "rl-",
    "ga-": "ga-",
    "frac": "frac-",
    "moe-": "moe-",
    "rag-": "rag-",
}
Tell = Callable[[str, int, int], None]
"""Called with what is read, how much of it is done, and how much there is."""


@dataclass
class Imported:
    """What came of an import.

    Attributes:
        networks, transforms, metrics, records: found and in order.
        new_records: of these, not on record before; ``None`` for a dry run.
        statistics: networks with static figures.
        changed: names whose program is another one than before.
        problems: what was left out, and why.
    """

    networks: int = 0
    transforms: int = 0
    metrics: int = 0
    statistics: int = 0
    records: int = 0
    new_records: int | None = None
    changed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def report(self, path: str, reason: str) -> None:
        """Note something that was left out."""
        self.problems.append(Problem(path, reason))


def import_lemur(
    folder: Path, records: Records, *, dry_run: bool = False, tell: Tell = lambda what, done, total: None
) -> Imported:
    """Read a checkout into the records. Nothing of it is executed; what is malformed is listed and left out.

    Interrupted or done again it goes on: what is on record already stays as it is.

    Args:
        folder: the checkout, or its folder ``ab/nn``.
        dry_run: read and check everything, write nothing.

    Raises:
        NoCheckout: the folder is none.
        RecordsError: the records cannot be written.
    """
    root = find_root(folder)
    done = Imported()
    before = records.count_scores()
    codes = {kind: dict(read_programs(root / kind, root, done.report)) for kind in ("transform", "metric")}
    done.transforms, done.metrics = len(codes["transform"]), len(codes["metric"])
    if not dry_run:
        for kind, texts in codes.items():
            records.put_codes(kind, texts)
    names = _networks(root, records, done, dry_run, tell)
    transforms = _Transforms(codes["transform"])
    batch: list[Score] = []
    for found in _scores(root, names, codes["metric"], transforms, done, tell):
        batch += found
        done.records += len(found)
        if len(batch) >= BATCH and not dry_run:
            records.put_scores(batch)
        if len(batch) >= BATCH:
            batch = []
    if not dry_run:
        records.put_scores(batch)
        done.new_records = records.count_scores() - before
    return done


def origin_of(name: str) -> Origin:
    """Where a network of LEMUR comes from, by the prefix of its name; a name without one was written by hand."""
    return next((origin for prefix, origin in _ORIGINS.items() if name.lower().startswith(prefix)), "hand-")


class _Transforms(dict[str, bool]):
    """Whether a transform is known: the checkout has it, or this project knows the name."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(dict.fromkeys(texts, True))

    def __missing__(self, name: str) -> bool:
        from ..payload.transforms import TransformError, resolve  # here, because it imports torchvision

        try:
            resolve(name)
            self[name] = True
        except TransformError:
            self[name] = False
        return self[name]


def _networks(root: Path, records: Records, done: Imported, dry_run: bool, tell: Tell) -> set[str]:
    """Import the networks; their names."""
    names: set[str] = set()
    batch: dict[str, Candidate] = {}
    total = sum(1 for _ in (root / "nn").glob("*.py"))

    def write() -> None:
        for name in sorted(records.own_names(batch)):
            done.report(f"nn/{name}.py", "its name is that of a network of this project's own")
            names.remove(name)
            del batch[name]
        figures = _figures(root, batch, done)
        if not dry_run:
            ids = dict(zip(batch, records.add_candidates(batch.values()), strict=True))
            done.changed += records.put_networks(ids, figures)
        batch.clear()

    for name, source in read_programs(root / "nn", root, done.report):
        names.add(name)
        batch[name] = Candidate(source=source, origin=origin_of(name))
        if len(batch) == _NETWORKS:
            write()
            tell("networks", len(names), total)
    write()
    done.networks = len(names)
    return names


def _figures(root: Path, names: Mapping[str, Candidate], done: Imported) -> dict[str, Any]:
    """Static figures of some networks, where the checkout has them."""
    found: dict[str, Any] = {}
    for name in names:
        path = root / "stat" / "nn" / f"{name}.json"
        if not path.is_file():
            continue
        try:
            found[name] = read_statistics(read_json(path))
        except ValueError as error:
            done.report(path.relative_to(root).as_posix(), str(error))
    done.statistics += len(found)
    return found


def _scores(
    root: Path, names: set[str], metrics: Mapping[str, str], transforms: _Transforms, done: Imported, tell: Tell
) -> Iterator[list[Score]]:
    """The scores of the checkout, file by file."""
    folders = record_folders(root, done.report)
    for number, folder in enumerate(folders, start=1):
        where = folder.relative_to(root).as_posix()
        try:
            parts = split_name(folder.name, names, metrics)
        except ValueError as error:
            done.report(where, str(error))
            continue
        for epoch, path in epoch_files(folder, root, done.report):
            file = f"{where}/{path.name}"
            try:
                told = read_json(path)
                if not isinstance(told, list):
                    raise ValueError("not a list of records")
            except ValueError as error:
                done.report(file, str(error))
                continue
            found: list[Score] = []
            for place, one in enumerate(told, start=1):
                try:
                    found.append(read_score(one, parts, epoch, transforms))
                except ValueError as error:
                    done.report(f"{file}#{place}", str(error))
            yield found
        tell("folders of records", number, len(folders))
