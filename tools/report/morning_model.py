"""What a morning report says, as types."""

from __future__ import annotations

from datetime import datetime

from ...memory.types import Frozen


class FoundNetwork(Frozen):
    """One of the networks worth a look.

    Attributes:
        front: no other network of the campaign is better with as few parameters.
        file: its code, beside the report.
    """

    id: str
    name: str
    cycle: int
    metric: float
    params: int | None
    flops: int | None
    front: bool
    file: str
    code: str


class FailureClass(Frozen):
    """What stopped networks, how often, and one message of it.

    Attributes:
        step: ``writing`` (never valid), or ``training``.
    """

    step: str
    error_class: str
    count: int
    example: str


class Interruption(Frozen):
    """Something that kept the campaign from its work.

    Attributes:
        what: ``killed``, ``waited``, ``stopped`` or ``failed``.
        seconds: how long; ``None`` where nobody knows.
    """

    at: datetime
    what: str
    reason: str
    seconds: float | None = None
    tries: int | None = None


class Advice(Frozen):
    """One thing to try next.

    Attributes:
        why: the numbers behind it.
        command: to copy; ``None`` where there is nothing to type.
    """

    what: str
    why: str
    command: str | None = None


class Morning(Frozen):
    """A night in one page.

    Attributes:
        valid: share valid as written, over all cycles.
        failed_trials: of the trained and failed together.
        waited_s: seconds of waiting for disk, memory or a model.
    """

    campaign: str
    dataset: str
    metric: str
    state: str
    reason: str
    begun: datetime
    ended: datetime
    wall_s: float
    waited_s: float
    tokens: int
    candidates: int
    cycles: int
    valid: float | None
    trained: int
    failed_trials: int
    admitted: int
    means: tuple[float | None, ...]
    disk_mb: float
    found: tuple[FoundNetwork, ...]
    failures: tuple[FailureClass, ...]
    interruptions: tuple[Interruption, ...]
    advice: tuple[Advice, ...]
