"""One process per campaign or design request."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CampaignBusy(RuntimeError):
    """Another process works on this campaign."""


@contextmanager
def one_process(folder: Path, run: str, what: str = "campaign") -> Iterator[None]:
    """Hold a run's lock, which dies with its holder.

    Args:
        folder: the run's own, where the lock file lies.
        what: it is, for the error.

    Raises:
        CampaignBusy: another process holds it.
    """
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CampaignBusy(f"{what} {run} is being run by another process; stop that one first") from error
        yield
