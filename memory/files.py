"""Files that appear whole or not at all."""

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
