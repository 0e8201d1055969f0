"""A checkout of the LEMUR data set as files: what is where, and what is no part of it. Nothing in it is executed."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...memory.scores import MAX_NAME
from ..execution import SourceRefused, read_source
from ..outcomes import text

MAX_JSON_BYTES: Final = 16 * 2**20
# Folders of `stat` that hold other statistics than those of trainings.
_OTHERS: Final = frozenset({"nn", "run", "prun", "tflite", "onnx", "layer"})
_DEPTH: Final = 3  # levels below `stat` where folders of records are looked for
_EPOCH: Final = re.compile(r"[0-9]{1,6}\Z")


@dataclass(frozen=True)
class Problem:
    """Something of the checkout that is left out.

    Attributes:
        path: relative to ``ab/nn``, and for one record of a file its place in it, counted from 1 (``….json#2``).
    """

    path: str
    reason: str


Report = Callable[[str, str], None]
"""Called with the path and the reason of what is left out."""


class NoCheckout(ValueError):
    """A folder is no checkout of the data set."""


def find_root(folder: Path) -> Path:
    """The folder ``ab/nn`` of a checkout, which may be given itself.

    Raises:
        NoCheckout: there is none, with what was looked for.
    """
    for root in (folder / "ab" / "nn", folder / "nn", folder):
        if (root / "nn").is_dir() and not (root / "nn").is_symlink():
            return root
    raise NoCheckout(f"{folder} is no checkout of the LEMUR data set: it has no folder ab/nn/nn with networks")


def read_programs(folder: Path, root: Path, report: Report) -> Iterator[tuple[str, str]]:
    """``(name, source)`` of every Python file of a folder that parses, by name."""
    for path in _entries(folder):
        where = path.relative_to(root).as_posix()
        if path.suffix != ".py" or path.name == "__init__.py":
            continue
        fault = _odd(path)
        if fault is None:
            try:
                source = read_source(path)
                fault = _unparsable(source)
            except SourceRefused as refused:
                fault = refused.verdict.message or "cannot be read"
                fault = fault.replace(str(path), path.name)
        if fault is None:
            yield path.stem, source
        else:
            report(where, fault)


def record_folders(root: Path, report: Report) -> list[Path]:
    """Folders of records, as in ``stat/train/<task>_<dataset>_<metric>_<nn>`` or without ``train``, by path."""
    found: list[Path] = []

    def look(folder: Path, depth: int) -> None:
        for path in _entries(folder):
            where = path.relative_to(root).as_posix()
            if path.is_symlink():
                report(where, "a symbolic link")
            elif not _plain_name(path):
                report(where, "an odd name")
            elif path.is_dir():
                if depth == 0 and path.name in _OTHERS:
                    continue
                if path.name == "train" or (depth + 1 < _DEPTH and "_" not in path.name and not _holds_files(path)):
                    look(path, depth + 1)
                else:
                    found.append(path)
            elif path.suffix == ".json":
                report(where, "not in a folder of records")

    stat_folder = root / "stat"
    if stat_folder.is_dir() and not stat_folder.is_symlink():
        look(stat_folder, 0)
    return sorted(found)


def epoch_files(folder: Path, root: Path, report: Report) -> Iterator[tuple[int, Path]]:
    """``(epoch, file)`` of a folder of records, by epoch."""
    found: list[tuple[int, Path]] = []
    for path in _entries(folder):
        where = path.relative_to(root).as_posix()
        fault = _odd(path)
        if fault is None and path.suffix != ".json":
            fault = "no JSON file"
        if fault is None and (not _EPOCH.match(path.stem) or int(path.stem) < 1):
            fault = "its name is not the number of an epoch"
        if fault is None:
            found.append((int(path.stem), path))
        else:
            report(where, fault)
    yield from sorted(found)


def read_json(path: Path) -> Any:
    """The JSON document in a file.

    Raises:
        ValueError: why it cannot be read.
    """
    fault = _odd(path)
    if fault is not None:
        raise ValueError(fault)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_JSON_BYTES:
        raise ValueError(f"more than {MAX_JSON_BYTES} bytes")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"broken JSON: {text(str(error), 120)}") from error


def finite(value: object) -> float | None:
    """A finite number, else None; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name; nothing where there is no such folder."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(entry.path) for entry in found if not entry.name.startswith((".", "__pycache__")))
    except OSError:
        return []


def _holds_files(folder: Path) -> bool:
    return any(path.suffix == ".json" for path in _entries(folder))


def _plain_name(path: Path) -> bool:
    return len(path.name) <= MAX_NAME and path.name.isprintable()


def _odd(path: Path) -> str | None:
    """Why a path is not looked at, if it is not."""
    if not _plain_name(path):
        return "an odd name"
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return None if stat.S_ISREG(mode) else "not an ordinary file"


def _unparsable(source: str) -> str | None:
    """Why a text is no Python, if it is none. It is parsed, not executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return f"does not parse: {text(error.msg, 120)} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"does not parse: {type(error).__name__}"
    return None
