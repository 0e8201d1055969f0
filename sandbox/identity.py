"""User ids for workers: numbers that nothing else on the machine uses."""

from __future__ import annotations

import os
from pathlib import Path

_FIRST_UID, _UIDS = 1_900_000_000, 1 << 27
"""User ids above those that systemd hands out (up to 0x6FFFFFFF) and below 2^31."""
_PER_HOST = 64
_RESERVED = 1000
"""Ids at the end of a small range (65534 among them) that have an owner by custom."""


def unused(slot: int, end: int) -> int | None:
    """An id below ``end``, one per worker: limits per user do not add up across workers. ``None`` if there is none."""
    wanted = _FIRST_UID + (os.getpid() * _PER_HOST + slot % _PER_HOST) % _UIDS
    if wanted < end:
        return wanted
    return end - _RESERVED - slot % _PER_HOST if end > 2 * _RESERVED else None


def identity(slot: int) -> int | None:
    """The id that root gives to a worker.

    ``None`` if we are not root, or root of a user namespace that has no other ids: then we are some
    unprivileged user already.
    """
    if os.geteuid() != 0:
        return None
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return unused(slot, max(int(first) + int(count) for first, _, count in ranges))
