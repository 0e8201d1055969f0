"""What a campaign has spent, counted once per piece of work and in the transaction that stores the work."""

from __future__ import annotations

from sqlalchemy import Connection

from . import tables as t
from .database import insert_new
from .rows import now


def spend_once(
    connection: Connection,
    campaign_id: str,
    key: str,
    *,
    wall_s: float = 0.0,
    tokens: int = 0,
    candidates: int = 0,
) -> None:
    """Add to a campaign's counters unless ``key`` was counted before.

    Args:
        connection: a writing transaction; what it stores and what it cost then stand or fall together.
        key: names the piece of work, e.g. ``"write/3/17"``.
        wall_s: seconds.

    Raises:
        ValueError: a negative amount.
    """
    amounts = {"wall_s": wall_s, "tokens": tokens, "candidates": candidates}
    if min(amounts.values()) < 0:
        raise ValueError(f"what is spent cannot be taken back: {amounts}")
    if insert_new(connection, t.spending, {"campaign_id": campaign_id, "key": key, **amounts, "at": now()}):
        spent = t.campaigns.c
        grown = {name: spent[name] + amount for name, amount in amounts.items()}
        connection.execute(t.campaigns.update().where(spent.id == campaign_id).values(**grown, updated=now()))
