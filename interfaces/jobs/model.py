"""What is known of a job, as data."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

JobState = Literal["queued", "running", "complete", "failed", "cancelled", "interrupted"]
"""``failed``: the tool said that it cannot. ``interrupted``: its process died before it said anything."""

CANCELLED: Final = "cancelled by the caller"
ENDED: Final[frozenset[str]] = frozenset({"complete", "failed", "cancelled", "interrupted"})

_ID: Final = re.compile(r"job-[0-9a-f]{16}-[0-9a-f]{8}")


class Progress(BaseModel):
    """How far a job is: so much done, of so much where that is known, and what is being done."""

    model_config = ConfigDict(frozen=True)

    done: float = 0.0
    total: float | None = None
    message: str = ""


class Job(BaseModel):
    """One job; its arguments and its result are kept beside it and asked for separately, they may be long.

    Attributes:
        error: why it failed, was cancelled or interrupted; ``None`` otherwise.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="names the job in all other calls")
    tool: str
    state: JobState
    created: str = Field(description="ISO 8601, UTC")
    started: str | None = None
    ended: str | None = None
    progress: Progress | None = None
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing about it will change any more."""
        return self.state in ENDED


class JobError(RuntimeError):
    """There is no such job, or it has no result (yet); the message says what to do."""


class QueueFull(JobError):
    """So many jobs wait already that another one is refused."""


def new_id() -> str:
    """An id that sorts by the time at which it was made."""
    return f"job-{time.time_ns():016x}-{secrets.token_hex(4)}"


def is_id(text: str) -> bool:
    """Whether a text can be the id of a job, and so the name of its folder and of nothing else."""
    return _ID.fullmatch(text) is not None
