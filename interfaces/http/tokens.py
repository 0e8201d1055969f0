"""The token that clients of the HTTP server must have: made once, kept in a file that only its owner reads."""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from ...memory.home import home

VARIABLE = "NETWRIGHT_TOKEN"
FILE = "http-token"

_TOKEN = re.compile(r"[\x21-\x7e]{16,512}")


class TokenError(ValueError):
    """The token cannot be used."""


@dataclass(frozen=True)
class Token:
    """A token and where it comes from.

    Attributes:
        source: the file or variable, for people.
        made: it is the data directory's own, so it may be shown on the terminal of whoever starts the server.
    """

    value: str
    source: str
    made: bool = False


def find_token(file: Path | None = None) -> Token:
    """The token of ``file``, else of ``NETWRIGHT_TOKEN``, else the data directory's own, which is made if need be.

    Raises:
        TokenError: it is too short, has characters that no header carries, or others may read its file.
    """
    if file is not None:
        return Token(_checked(_read(file), str(file)), str(file))
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Token(_checked(given.strip(), VARIABLE), VARIABLE)
    own = home() / FILE
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return Token(_checked(_read(own), str(own)), str(own), made=True)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(f"{secrets.token_urlsafe(32)}\n")
    return Token(_read(own), str(own), made=True)


def _read(file: Path) -> str:
    """The file's one line.

    Raises:
        TokenError: it cannot be read, or others than its owner can read it.
    """
    try:
        with file.open("rb") as handle:
            mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
            text = handle.read(1024)
    except OSError as error:
        raise TokenError(f"cannot read the token file {file}: {error.strerror}") from error
    if mode & 0o077:
        raise TokenError(f"others may read the token file {file} (mode {mode:04o}): chmod 600 {file}")
    return text.decode("utf-8", "replace").strip()


def _checked(value: str, source: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise TokenError(
            f"the token of {source} must be 16 to 512 visible ASCII characters without spaces; "
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return value
