"""What a campaign has spent, counted once per piece of work and in the transaction that stores the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from . import tables as t
from .database import Store, insert_new
from .rows import Account, now


@dataclass(frozen=True)
class Spending:
    """What one piece of work cost.

    Attributes:
        key: names the piece of work within its campaign, e.g. ``"write/3/17"``.
        wall_s: seconds.
        tokens: of prompts and completions together; what ``tokens_in`` and ``tokens_out`` say is added.
        agent, model: who asked whom, for :meth:`AccountRecords.accounts`.
        tokens_in, tokens_out: of the prompt and of the completion, where they are known apart.
    """

    campaign_id: str
    key: str
    wall_s: float = 0.0
    tokens: int = 0
    candidates: int = 0
    agent: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def amounts(self) -> dict[str, Any]:
        """What a campaign's counters grow by.

        Raises:
            ValueError: a negative amount.
        """
        total = self.tokens + self.tokens_in + self.tokens_out
        amounts = {"wall_s": self.wall_s, "tokens": total, "candidates": self.candidates}
        if min(*amounts.values(), self.tokens, self.tokens_in, self.tokens_out) < 0:
            raise ValueError(f"what is spent cannot be taken back: {amounts}")
        return amounts


def spend_all(connection: Connection, spent: Iterable[Spending]) -> None:
    """Add to campaigns' counters what was not counted before under its key.

    Args:
        connection: a writing transaction; what it stores and what it cost then stand or fall together.
    """
    grown: dict[str, Counter[str]] = {}
    for one in spent:
        told = {
            "agent": one.agent[:32] or None,
            "model": one.model[:200] or None,
            "tokens_in": one.tokens_in,
            "tokens_out": one.tokens_out,
        }
        row = {"campaign_id": one.campaign_id, "key": one.key, **one.amounts, **told, "at": now()}
        if insert_new(connection, t.spending, row):
            grown.setdefault(one.campaign_id, Counter()).update(one.amounts)
    campaigns = t.campaigns.c
    for campaign, amounts in grown.items():
        values = {name: campaigns[name] + amount for name, amount in amounts.items()}
        connection.execute(t.campaigns.update().where(campaigns.id == campaign).values(**values, updated=now()))


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
