"""Folders and files that appear whole or not at all, and never in the place of something else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

_UNFINISHED: Final = ".unfinished"


class ExportError(ValueError):
    """An export refuses: something is in its place, or there is nothing to export."""


@contextmanager
def new_folder(target: Path, *, marker: str, replace: bool) -> Iterator[Path]:
    """A folder beside ``target`` to write into, which takes its name when the block ends well.

    Args:
        marker: name of a file that tells a folder written here from any other; only such a one is ever replaced.
        replace: whether one that is there may be.

    Raises:
        ExportError: ``target`` is there and may not be replaced.
    """
    target = target.absolute()
    _check_free(target, marker, replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(target)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}{_UNFINISHED}")
    unfinished.mkdir()
    try:
        yield unfinished
        _put(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def new_file(target: Path, *, replace: bool) -> Iterator[Path]:
    """A file beside ``target`` to write into, which takes its name when the block ends well.

    Raises:
        ExportError: ``target`` is there and may not be replaced, or is no file.
    """
    target = target.absolute()
    if target.is_dir() or (target.exists() and not target.is_file()):
        raise ExportError(f"{target.name} is a folder, not a file: name another --out")
    if target.exists() and not replace:
        raise ExportError(f"{target.name} exists: --force replaces it")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}{_UNFINISHED}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _check_free(target: Path, marker: str, replace: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ExportError(f"{target.name} is no folder: name another --out")
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / marker).is_file():
        raise ExportError(f"folder {target.name} holds something else: name an empty or a new one")
    if not replace:
        raise ExportError(f"folder {target.name} exists: --force replaces it")


def _put(unfinished: Path, target: Path) -> None:
    """Two renames where something is there: no file system here swaps two folders in one step."""
    old = unfinished.with_suffix(".old")
    if target.exists():
        os.rename(target, old)
    os.rename(unfinished, target)
    shutil.rmtree(old, ignore_errors=True)


def _remove_left(target: Path) -> None:
    """What runs left behind that were killed."""
    for path in sorted(target.parent.glob(f".{target.name}.*{_UNFINISHED}")):
        number = path.name.removesuffix(_UNFINISHED).rpartition(".")[2]
        if path.is_dir() and number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)
