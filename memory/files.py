"""Files that appear whole or not at all, and folders brought to disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write a file in one step: a reader sees the old one or the new one, after a loss of power too.

    Args:
        flush: wait until it is on the disk; without it a loss of power may leave the old one, or none.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)  # half a file on a full disk is no use to anyone
        raise


def flush_folder(folder: Path) -> None:
    """Bring the files below a folder to disk, before the folder is named as one that others trust."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
