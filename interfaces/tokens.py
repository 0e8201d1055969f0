"""The token that clients of every server must have: where it comes from, and whether a client has it.

The data directory's own is made once and kept in a file that only its owner reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..memory.home import home

TOKEN_VARIABLE: Final = "NETWRIGHT_TOKEN"
FILE: Final = "http-token"

_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,512}")


class TokenError(ValueError):
    """The token cannot be used."""


@dataclass(frozen=True)
class Token:
    """A token and where it comes from.

    Attributes:
        source: the file or variable, for people.
        made: it was made here, so it may be shown on the terminal of whoever starts the server.
    """

    value: str
    source: str
    made: bool = False


def find_token(file: Path | None = None) -> Token:
    """The token of ``file``, else of ``NETWRIGHT_TOKEN``, else the data directory's own, which is made if need be.

    Raises:
        TokenError: it is too short or long, has characters that no header carries, or others may read its file.
    """
    if file is not None:
        return Token(_checked(_read(file), str(file)), str(file))
    given = _given()
    if given is not None:
        return given
    own = home() / FILE
    if not os.path.lexists(own):
        _make(own)
    return Token(_checked(_read(own), str(own)), str(own), made=True)


def new_token() -> Token:
    """The token of ``NETWRIGHT_TOKEN``, else one of 256 random bits that is kept nowhere.

    Raises:
        TokenError: see :func:`find_token`.
    """
    return _given() or Token(secrets.token_urlsafe(32), "this start", made=True)


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing about them."""
    # Digests are of equal length, so that not even the length shows in the time taken.
    return secrets.compare_digest(_digest(one), _digest(other))


def bears(given: Sequence[str], token: str) -> bool:
    """Whether a request has the token.

    Args:
        given: its ``Authorization`` headers, of which there must be one.
    """
    scheme, _, value = (given[0] if len(given) == 1 else "").partition(" ")
    return same(value.strip(), token) and scheme.lower() == "bearer"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _given() -> Token | None:
    value = os.environ.get(TOKEN_VARIABLE)
    return None if value is None else Token(_checked(value.strip(), TOKEN_VARIABLE), TOKEN_VARIABLE)


def _make(file: Path) -> None:
    """Write a new token, unless another process is first; the file is there as a whole or not at all."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
            handle.write(f"{secrets.token_urlsafe(32)}\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)  # unlike a renaming, it takes nobody's place
    finally:
        draft.unlink(missing_ok=True)


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
