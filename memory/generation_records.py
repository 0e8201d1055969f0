"""Records of what the model wrote: one row per slot of a cycle, and the repairs of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select

from . import tables as t
from .database import RecordsError, Store, insert_missing, writing
from .rows import Generation, RepairAttempt
from .spending import Spending, spend_all


class GenerationRecords(Store):
    """Generations and repair attempts."""

    def put_generation(self, generation: Generation) -> Generation:
        """Remember a generation if its slot is free; the stored one."""
        return self.put_generations([generation])[0]

    def put_generations(self, generations: Iterable[Generation], model: str = "") -> list[Generation]:
        """Remember generations whose slots are free, and what they cost; the stored ones, in order.

        One transaction: a budget counts exactly the answers that are on record.

        Args:
            model: name of the one that answered; the designer is charged for it.
        """
        wanted = list(generations)
        with writing(self._engine) as connection:
            insert_missing(connection, t.generations, [one.model_dump() for one in wanted])
            spend_all(connection, [_written(one, model) for one in wanted])
            return _stored(connection, wanted)

    def update_generation(self, campaign_id: str, cycle: int, slot: int, **changes: Any) -> Generation:
        """Change fields of one stored generation; the generation as it is then."""
        with writing(self._engine) as connection:
            stored = _load(connection, _key(campaign_id, cycle, slot))
            updated = Generation.model_validate(stored.model_dump() | changes)
            _store(connection, [updated])
        return updated

    def update_generations(self, generations: Iterable[Generation]) -> None:
        """Replace stored generations by these, in one transaction."""
        with writing(self._engine) as connection:
            _store(connection, list(generations))

    def get_generation(self, campaign_id: str, cycle: int, slot: int) -> Generation | None:
        row = self._first(select(t.generations).where(_key(campaign_id, cycle, slot)))
        return None if row is None else Generation.model_validate(dict(row._mapping))

    def generations(self, campaign_id: str, cycle: int | None = None) -> list[Generation]:
        """Generations of a campaign, or of one cycle, by cycle and slot."""
        query = select(t.generations).where(t.generations.c.campaign_id == campaign_id)
        if cycle is not None:
            query = query.where(t.generations.c.cycle == cycle)
        rows = self._rows(query.order_by(t.generations.c.cycle, t.generations.c.slot))
        return [Generation.model_validate(dict(row._mapping)) for row in rows]

    def put_repair(self, attempt: RepairAttempt) -> RepairAttempt:
        """Remember a repair attempt if it is new; the stored one."""
        self.put_repairs([attempt])
        row = self._first(select(t.repair_attempts).where(_try_key(attempt)))
        assert row is not None  # put above
        return RepairAttempt.model_validate(dict(row._mapping))

    def put_repairs(self, attempts: Iterable[RepairAttempt], model: str = "") -> None:
        """Remember repair attempts that are new, and what they cost, in one transaction.

        Args:
            model: name of the one that answered; the repair agent is charged for it.
        """
        wanted = list(attempts)
        with writing(self._engine) as connection:
            insert_missing(connection, t.repair_attempts, [_repair_values(one) for one in wanted])
            spend_all(connection, [_repaired(one, model) for one in wanted])

    def judge_repair(self, attempt: RepairAttempt) -> None:
        """Store what a kept attempt came to: its candidate and its verdict.

        Raises:
            RecordsError: the attempt was never put.
        """
        values = {name: _repair_values(attempt)[name] for name in ("candidate_id", "verdict")}
        with writing(self._engine) as connection:
            statement = t.repair_attempts.update().where(_try_key(attempt)).values(**values)
            if connection.execute(statement).rowcount != 1:
                raise RecordsError("no such repair attempt: put_repairs comes before judge_repair")

    def repairs(self, campaign_id: str, cycle: int | None = None) -> list[RepairAttempt]:
        """Repair attempts of a campaign, or of one cycle, by cycle, slot and try."""
        table = t.repair_attempts.c
        query = select(t.repair_attempts).where(table.campaign_id == campaign_id)
        if cycle is not None:
            query = query.where(table.cycle == cycle)
        rows = self._rows(query.order_by(table.cycle, table.slot, table.try_no))
        return [RepairAttempt.model_validate(dict(row._mapping)) for row in rows]


def _written(one: Generation, model: str) -> Spending:
    return Spending(one.campaign_id, f"write/{one.cycle}/{one.slot}", candidates=1, **_cost(one, "designer", model))


def _repaired(one: RepairAttempt, model: str) -> Spending:
    return Spending(one.campaign_id, f"repair/{one.cycle}/{one.slot}/{one.try_no}", **_cost(one, "repair", model))


def _cost(answer: Generation | RepairAttempt, agent: str, model: str) -> dict[str, Any]:
    """What an answer cost; nobody is charged for what no model wrote."""
    if not answer.tokens_in + answer.tokens_out:
        return {}
    return {"agent": agent, "model": model, "tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out}


def _repair_values(attempt: RepairAttempt) -> dict[str, Any]:
    verdict = None if attempt.verdict is None else attempt.verdict.model_dump(mode="json")
    return {**attempt.model_dump(exclude={"verdict"}), "verdict": verdict}


def _try_key(attempt: RepairAttempt) -> ColumnElement[bool]:
    table = t.repair_attempts.c
    return (
        (table.campaign_id == attempt.campaign_id)
        & (table.cycle == attempt.cycle)
        & (table.slot == attempt.slot)
        & (table.try_no == attempt.try_no)
    )


def _key(campaign_id: str, cycle: int, slot: int) -> ColumnElement[bool]:
    table = t.generations.c
    return (table.campaign_id == campaign_id) & (table.cycle == cycle) & (table.slot == slot)


def _load(connection: Connection, key: ColumnElement[bool]) -> Generation:
    row = connection.execute(select(t.generations).where(key)).first()
    if row is None:
        raise RecordsError("no such generation: put_generation comes before update_generation")
    return Generation.model_validate(dict(row._mapping))


def _stored(connection: Connection, wanted: list[Generation]) -> list[Generation]:
    """The stored rows of these slots, in order, read by cycle."""
    table, found = t.generations.c, dict[tuple[str, int, int], Generation]()
    for campaign, cycle in {(one.campaign_id, one.cycle): None for one in wanted}:
        slots = [one.slot for one in wanted if (one.campaign_id, one.cycle) == (campaign, cycle)]
        asked = (table.campaign_id == campaign) & (table.cycle == cycle) & table.slot.in_(slots)
        for row in connection.execute(select(t.generations).where(asked)):
            one = Generation.model_validate(dict(row._mapping))
            found[campaign, cycle, one.slot] = one
    return [found[one.campaign_id, one.cycle, one.slot] for one in wanted]


def _store(connection: Connection, generations: list[Generation]) -> None:
    """Replace rows in one statement."""
    if not generations:
        return
    keys = ("campaign_id", "cycle", "slot")
    table = t.generations.c
    same = [table[name] == bindparam(f"key_{name}") for name in keys]
    rows = [
        {(f"key_{name}" if name in keys else name): value for name, value in one.model_dump().items()}
        for one in generations
    ]
    named: dict[str, Any] = {name: bindparam(name) for name in Generation.model_fields if name not in keys}
    if connection.execute(t.generations.update().where(*same).values(**named), rows).rowcount != len(rows):
        raise RecordsError("no such generation: put_generation comes before update_generation")
