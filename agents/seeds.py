"""Seeds of everything random in a campaign, derived from the one seed in its record."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *path: str | int) -> int:
    """A 31-bit seed for one purpose, e.g. ``derive_seed(0, "write", cycle, batch)``.

    Stable across processes and machines (SHA-256, not Python's salted hash).
    """
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
