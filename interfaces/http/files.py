"""Reading files of the data directory, and no others, for clients who name them."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG, errno.ENXIO})


class TooLarge(ValueError):
    """The file is larger than may be read."""


def read_inside(root: Path, *parts: str, most: int) -> bytes | None:
    """Read a regular file below a folder; ``None`` if there is none.

    Every part is opened relative to the one before and no link is followed, so that nothing outside of the folder is
    read whatever the parts say, and whatever lies there.

    Args:
        root: absolute.
        parts: names of folders and, last, the file.
        most: bytes.

    Raises:
        TooLarge: the file has more.
    """
    if not parts or any(not part or part in {".", ".."} or "/" in part or "\0" in part for part in parts):
        return None
    try:
        with ExitStack() as stack:
            place = _open(stack, str(root), os.O_DIRECTORY, None)
            for part in parts[:-1]:
                place = _open(stack, part, os.O_DIRECTORY | os.O_NOFOLLOW, place)
            # Not blocking: opening a pipe would wait for somebody who writes into it.
            last = _open(stack, parts[-1], os.O_NOFOLLOW | os.O_NONBLOCK, place)
            if not stat.S_ISREG(os.fstat(last).st_mode):
                return None
            with os.fdopen(os.dup(last), "rb") as file:
                content = file.read(most + 1)
    except UnicodeEncodeError:
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    if len(content) > most:
        raise TooLarge(f"{'/'.join(parts)} has more than {most:,} bytes")
    return content


def _open(stack: ExitStack, name: str, flags: int, place: int | None) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=place)
    stack.callback(os.close, descriptor)
    return descriptor
