"""Which errors are trouble that passes (a full disk, too little memory, a server away), and which are faults."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, Literal

from ..memory.home import home
from ..memory.types import Frozen
from ..tools.serving.client import RequestRefused, ServerUnreachable

Kind = Literal["disk", "memory", "model", "records"]

ADVICE: Final[dict[Kind, str]] = {
    "disk": "make room on the disk of the data directory, or set retention.adapters",
    "memory": "stop other programs, or lower sandbox.workers or evaluation.memory_mb",
    "model": "start the model's server, or check its address, key, quota and network",
    "records": "see that the database answers and that no other program holds its lock",
}

_PROVIDERS: Final = frozenset(
    {"openai", "anthropic", "cohere", "groq", "mistralai", "google", "fireworks", "together", "botocore", "ollama"}
    | {"httpx", "httpcore", "requests", "urllib3", "aiohttp"}
)
_AWAY: Final = ("Timeout", "Connect", "Unreachable", "Network", "RemoteProtocol", "ReadError", "WriteError")
_PASSING: Final = frozenset({408, 425, 429, 529})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS: Final = ("no space left on device", "database or disk is full", "disk quota exceeded")
_MEMORY_WORDS: Final = ("cannot allocate memory", "can't allocate memory", "out of memory")
_CUT: Final = 400


class DiskLow(OSError):
    """Less disk is free than a campaign wants to see."""

    def __str__(self) -> str:
        return self.strerror or ""


class Trouble(Frozen):
    """What a campaign waits for.

    Attributes:
        retry_after_s: seconds that the server asked to be left alone for.
    """

    kind: Kind
    reason: str
    retry_after_s: float | None = None

    @property
    def advice(self) -> str:
        """What a person can do about it."""
        return ADVICE[self.kind]


def trouble_of(error: BaseException) -> Trouble | None:
    """What kind of trouble an error is; ``None`` for a fault of the program or its settings, which stays one.

    What an error was raised *from* counts too. What it only came up beside does not: a fault in the handling of an
    outage is a fault.
    """
    for one in _causes(error):
        kind = _kind(one)
        if kind is not None:
            told = " ".join(f"{type(one).__name__}: {one}".split())[:_CUT]
            return Trouble(kind=kind, reason=told, retry_after_s=_retry_after(one) if kind == "model" else None)
    return None


def check_disk(floor_mb: float) -> None:
    """See that enough disk is free where the data directory is.

    Raises:
        DiskLow: it is not.
    """
    free = free_mb(home())
    if free < floor_mb:
        raise DiskLow(errno.ENOSPC, f"{free:.0f} MiB of disk are free, supervision.disk_floor_mb wants {floor_mb:g}")


def free_mb(folder: Path) -> float:
    """MiB of free disk below a folder."""
    return shutil.disk_usage(folder).free / 2**20


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: list[BaseException | None] = [error]
    while following:
        one = following.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        following.append(one.__cause__)
        if isinstance(one, BaseExceptionGroup):
            following.extend(one.exceptions)


def _kind(error: BaseException) -> Kind | None:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return "memory"
    if isinstance(error, OSError) and error.errno in _FULL:
        return "disk"
    text = str(getattr(error, "orig", None) or error).lower()
    root = type(error).__module__.partition(".")[0]
    if any(words in text for words in _FULL_WORDS):
        return "disk"
    if root in {"sqlalchemy", "sqlite3", "psycopg"}:
        return _of_database(error, text)
    if isinstance(error, RuntimeError) and any(words in text for words in _MEMORY_WORDS):
        return "memory"
    return "model" if _is_outage(error, root) else None


def _of_database(error: BaseException, text: str) -> Kind | None:
    """SQLite says of a full disk that it cannot write; a lock or a server that is away passes."""
    if "disk i/o error" in text:
        return "disk" if free_mb(home()) < 1 else None
    lost = bool(getattr(error, "connection_invalidated", False))
    away = any(words in text for words in ("is locked", "connection refused", "server closed", "timeout expired"))
    return "records" if lost or away else None


def _is_outage(error: BaseException, root: str) -> bool:
    if isinstance(error, ConnectionError):
        return True
    status = _status(error)
    if status is not None and (root in _PROVIDERS or isinstance(error, RequestRefused)):
        spent = getattr(error, "code", None) == "insufficient_quota"  # no waiting brings money
        return not spent and (status in _PASSING or status >= 500)
    return isinstance(error, ServerUnreachable) or (
        root in _PROVIDERS and any(word in kind.__name__ for kind in type(error).__mro__ for word in _AWAY)
    )


def _status(error: BaseException) -> int | None:
    held = (error, getattr(error, "response", None))
    found: list[Any] = [getattr(one, name, None) for one in held for name in ("status_code", "status", "code")]
    return next((one for one in found if isinstance(one, int) and 100 <= one < 600), None)


def _retry_after(error: BaseException) -> float | None:
    """``Retry-After`` of an answer: seconds, or a moment."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    told = headers.get("retry-after") if headers is not None else None
    if not told:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None  # neither of the two forms: as if nothing had been said
