"""Trials that a dead process left as running go back to waiting; never those of a process that lives."""

from __future__ import annotations

import logging

from ..memory.home import home
from ..memory.records import Records
from .locking import is_held

_log = logging.getLogger(__name__)


def recover_trials(records: Records, own: str) -> int:
    """Put stale trials back; how many.

    A trial has no owner, but its network has campaigns and design requests that wrote it. It is stale when no process
    works on any of them.

    Args:
        own: a campaign whose lock this process holds: it trains nothing yet.
    """
    alive: dict[str, bool] = {own: False}

    def is_alive(run: str) -> bool:
        if run not in alive:
            alive[run] = any(is_held(home() / place / run) for place in ("campaigns", "designs"))
        return alive[run]

    stale = [one for one in records.running_trials() if one.writers and not any(map(is_alive, one.writers))]
    recovered = records.release_trials(stale)
    if recovered:
        _log.info("%d trials of processes that died are waiting again", recovered)
    return recovered
