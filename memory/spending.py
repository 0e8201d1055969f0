"""What a campaign has spent, counted once per piece of work and in the transaction that stores the work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from . import tables as t
from .database import Store, insert_new
from .rows import Account, now


def spend_once(
    connection: Connection,
    campaign_id: str,
    key: str,
    *,
    wall_s: float = 0.0,
    tokens: int = 0,
    candidates: int = 0,
    agent: str = "",
    model: str = "",
    tokens_in: int = 0,
    tokens_out: int = 0,
) -> None:
    """Add to a campaign's counters unless ``key`` was counted before.

    Args:
        connection: a writing transaction; what it stores and what it cost then stand or fall together.
        key: names the piece of work, e.g. ``"write/3/17"``.
        wall_s: seconds.
        tokens: of prompts and completions together; what ``tokens_in`` and ``tokens_out`` say is added.
        agent, model: who asked whom, for :meth:`AccountRecords.accounts`.
        tokens_in, tokens_out: of the prompt and of the completion, where they are known apart.

    Raises:
        ValueError: a negative amount.
    """
    amounts = {"wall_s": wall_s, "tokens": tokens + tokens_in + tokens_out, "candidates": candidates}
    if min(*amounts.values(), tokens, tokens_in, tokens_out) < 0:
        raise ValueError(f"what is spent cannot be taken back: {amounts}")
    told = {"agent": agent or None, "model": model or None, "tokens_in": tokens_in, "tokens_out": tokens_out}
    if insert_new(connection, t.spending, {"campaign_id": campaign_id, "key": key, **amounts, **told, "at": now()}):
        spent = t.campaigns.c
        grown = {name: spent[name] + amount for name, amount in amounts.items()}
        connection.execute(t.campaigns.update().where(spent.id == campaign_id).values(**grown, updated=now()))


class AccountRecords(Store):
    """Tokens by agent and model."""

    def accounts(self, campaign_id: str) -> list[Account]:
        """What each agent of a campaign (or design request) had each model read and write, by agent and model."""
        spent = t.spending.c
        columns: list[ColumnElement[Any]] = [
            func.coalesce(spent.agent, "").label("agent"),
            func.coalesce(spent.model, "").label("model"),
            func.count().label("calls"),
            *(func.sum(spent[name]).label(name) for name in ("tokens_in", "tokens_out", "tokens")),
        ]
        asked = spent.campaign_id == campaign_id
        query = select(*columns).where(asked, spent.tokens > 0).group_by(spent.agent, spent.model)
        query = query.order_by(spent.agent, spent.model)
        return [Account.model_validate(dict(row._mapping)) for row in self._rows(query)]
