"""What language models cost: tokens by agent and model, times the prices that somebody names.

No price is built in: they differ by contract and change. A model without a price has tokens and no cost, and a sum
that leaves one out says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from ..memory.rows import Account
from ..memory.types import Frozen

PER: Final = 1_000_000
"""Tokens that a price is for, as providers state theirs."""


class Price(BaseModel):
    """Of a million tokens of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(ge=0, description="price of a million tokens that the model reads")
    completion: float = Field(ge=0, description="price of a million tokens that it writes")


class CostLine(Frozen):
    """One agent with one model. ``cost`` is ``None`` where there is no price, or prompt and completion are not known
    apart."""

    agent: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    tokens: int
    cost: float | None = None


class Costs(Frozen):
    """What a campaign's models cost.

    Attributes:
        cost: of all lines that have one; ``None`` where none has.
        unpriced: models with tokens that are not in ``cost``.
    """

    currency: str
    lines: tuple[CostLine, ...]
    tokens_in: int
    tokens_out: int
    tokens: int
    cost: float | None
    unpriced: tuple[str, ...]


def costs_of(accounts: Iterable[Account], prices: Mapping[str, Price], currency: str) -> Costs:
    """The costs of what was spent, by agent and model.

    Args:
        prices: by the model's name as the records have it (``model.name`` of the configuration).
    """
    lines = tuple(_line(one, prices.get(one.model)) for one in accounts)
    known = [line.cost for line in lines if line.cost is not None]
    return Costs(
        currency=currency,
        lines=lines,
        tokens_in=sum(line.tokens_in for line in lines),
        tokens_out=sum(line.tokens_out for line in lines),
        tokens=sum(line.tokens for line in lines),
        cost=sum(known) if known else None,
        unpriced=tuple(sorted({line.model or "unknown" for line in lines if line.cost is None})),
    )


def _line(account: Account, price: Price | None) -> CostLine:
    cost = None
    if price is not None and account.tokens == account.tokens_in + account.tokens_out:
        cost = (account.tokens_in * price.prompt + account.tokens_out * price.completion) / PER
    return CostLine(**account.model_dump(), cost=cost)
