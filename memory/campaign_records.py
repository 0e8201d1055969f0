"""Records of campaigns: their budgets, cycles, admissions and adapters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, select

from . import tables as t
from .database import RecordsError, Store, insert_missing, same_json, writing
from .rows import Adapter, Admission, Campaign, Cycle, now
from .spending import Spending, spend_all

_SET_ONCE = ("config", "seed", "task_id", "protocol_hash", "limits_hash", "initial_corpus")
_CHANGEABLE = ("state", "stop_reason")

OPERATION: Final = ("budget", "supervision", "retention", "notify", "tracking", "accounting")
"""Parts of a campaign's configuration that make no result and may therefore change from one run to the next."""


class CampaignRecords(Store):
    """Campaigns, spending, cycles, admissions, adapters."""

    def create_campaign(self, campaign: Campaign) -> Campaign:
        """Remember a campaign; the stored one. What does not make results may differ from the given one's.

        Raises:
            RecordsError: its id is taken by one of another configuration, or its task or protocol is unknown.
        """
        values = campaign.model_dump()
        with writing(self._engine) as connection:
            insert_missing(connection, t.campaigns, [values])
            stored = _campaign(connection, campaign.id)
        for name in _SET_ONCE:
            if not same_json(_results_of(getattr(stored, name)), _results_of(values[name])):
                raise RecordsError(f"campaign {campaign.id} exists with another {name}: resume it or choose a new id")
        return stored

    def get_campaign(self, campaign_id: str) -> Campaign:
        """Raises: RecordsError: no such campaign."""
        with self._engine.connect() as connection:
            return _campaign(connection, campaign_id)

    def list_campaigns(self) -> list[Campaign]:
        """All campaigns, oldest first."""
        rows = self._rows(select(t.campaigns).order_by(t.campaigns.c.created, t.campaigns.c.id))
        return [Campaign.model_validate(dict(row._mapping)) for row in rows]

    def update_campaign(self, campaign_id: str, **changes: Any) -> Campaign:
        """Change ``state`` or ``stop_reason``; the campaign as it is then. Budgets grow by :meth:`spend`."""
        if unknown := set(changes) - set(_CHANGEABLE):
            raise ValueError(f"a campaign's {sorted(unknown)} cannot be changed, only {_CHANGEABLE}")
        with writing(self._engine) as connection:
            stored = _campaign(connection, campaign_id)
            Campaign.model_validate(stored.model_dump() | changes)
            row = t.campaigns.c.id == campaign_id
            connection.execute(t.campaigns.update().where(row).values(**changes, updated=now()))
            return _campaign(connection, campaign_id)

    def spend(
        self,
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
    ) -> Campaign:
        """Add to what a campaign has spent, once per ``key``: a node that runs twice counts once.

        Args:
            key: names the piece of work, e.g. ``"3/generate/0"``.
            wall_s: seconds.
            tokens: where the tokens of prompt and completion are not known apart.
            agent, model, tokens_in, tokens_out: who had whom read and write how much, for :meth:`accounts`.
        """
        with writing(self._engine) as connection:
            one = Spending(campaign_id, key, wall_s, tokens, candidates, agent, model, tokens_in, tokens_out)
            spend_all(connection, [one])
            return _campaign(connection, campaign_id)

    def set_operation(self, campaign_id: str, parts: dict[str, Any]) -> Campaign:
        """Replace parts of a campaign's configuration, of those in :data:`OPERATION`; budgets, say."""
        if unknown := set(parts) - set(OPERATION):
            raise ValueError(f"a campaign's {sorted(unknown)} cannot be changed, only {OPERATION}")
        with writing(self._engine) as connection:
            config = _campaign(connection, campaign_id).config | parts
            row = t.campaigns.c.id == campaign_id
            connection.execute(t.campaigns.update().where(row).values(config=config, updated=now()))
            return _campaign(connection, campaign_id)

    def put_cycle(self, cycle: Cycle) -> Cycle:
        """Remember a cycle if it is new; the stored one."""
        with writing(self._engine) as connection:
            insert_missing(connection, t.cycles, [cycle.model_dump()])
            return _cycle(connection, cycle.campaign_id, cycle.n)

    def update_cycle(self, campaign_id: str, n: int, **changes: Any) -> Cycle:
        """Change fields of a cycle; ``timings`` are merged by stage, everything else is replaced."""
        if {"campaign_id", "n"} & set(changes):
            raise ValueError("a cycle keeps its campaign and its number")
        with writing(self._engine) as connection:
            stored = _cycle(connection, campaign_id, n)
            if "timings" in changes:
                changes["timings"] = stored.timings | changes["timings"]
            updated = Cycle.model_validate(stored.model_dump() | changes)
            row = (t.cycles.c.campaign_id == campaign_id) & (t.cycles.c.n == n)
            connection.execute(t.cycles.update().where(row).values(**updated.model_dump(include=set(changes))))
            return updated

    def cycles(self, campaign_id: str) -> list[Cycle]:
        """Cycles of a campaign in order."""
        rows = self._rows(select(t.cycles).where(t.cycles.c.campaign_id == campaign_id).order_by(t.cycles.c.n))
        return [Cycle.model_validate(dict(row._mapping)) for row in rows]

    def put_admission(self, admission: Admission) -> None:
        """Remember an admission if it is new."""
        self.put_admissions([admission])

    def put_admissions(self, admissions: Iterable[Admission]) -> None:
        """Remember admissions in one transaction; decisions already made stay."""
        rows = [{**one.model_dump(), "reasons": list(one.reasons)} for one in admissions]
        with writing(self._engine) as connection:
            insert_missing(connection, t.admissions, rows)

    def admissions(self, campaign_id: str, cycle: int | None = None) -> list[Admission]:
        """Admission decisions of a campaign, or of one cycle, by cycle and candidate."""
        query = select(t.admissions).where(t.admissions.c.campaign_id == campaign_id)
        if cycle is not None:
            query = query.where(t.admissions.c.cycle == cycle)
        rows = self._rows(query.order_by(t.admissions.c.cycle, t.admissions.c.candidate_id))
        return [Admission.model_validate(dict(row._mapping)) for row in rows]

    def put_adapter(self, adapter: Adapter) -> Adapter:
        """Remember an adapter; the stored one. A rolled-back adapter of the same cycle is replaced."""
        values = adapter.model_dump()
        row = (t.adapters.c.campaign_id == adapter.campaign_id) & (t.adapters.c.cycle == adapter.cycle)
        with writing(self._engine) as connection:
            connection.execute(t.adapters.delete().where(row, t.adapters.c.state == "rolled_back"))
            insert_missing(connection, t.adapters, [values])
            stored = connection.execute(select(t.adapters).where(row)).one()
        return Adapter.model_validate(dict(stored._mapping))

    def adapters(self, campaign_id: str) -> list[Adapter]:
        """All adapters of a campaign by cycle, rolled-back ones too."""
        query = select(t.adapters).where(t.adapters.c.campaign_id == campaign_id)
        rows = self._rows(query.order_by(t.adapters.c.cycle))
        return [Adapter.model_validate(dict(row._mapping)) for row in rows]

    def forget_adapters(self, campaign_id: str, cycles: Iterable[int]) -> None:
        """Mark adapters as pruned: their files are about to go, and nothing may go on from them."""
        row = (t.adapters.c.campaign_id == campaign_id) & t.adapters.c.cycle.in_(list(cycles))
        with writing(self._engine) as connection:
            connection.execute(t.adapters.update().where(row).values(state="pruned"))

    def active_adapter(self, campaign_id: str) -> Adapter | None:
        """The newest adapter that was not rolled back."""
        active = [one for one in self.adapters(campaign_id) if one.state == "active"]
        return active[-1] if active else None

    def rollback_adapters(self, campaign_id: str, to_cycle: int) -> list[Adapter]:
        """Mark every adapter of a later cycle than ``to_cycle`` as rolled back; those that were active."""
        later = [a for a in self.adapters(campaign_id) if a.state == "active" and a.cycle > to_cycle]
        row = (t.adapters.c.campaign_id == campaign_id) & (t.adapters.c.cycle > to_cycle)
        with writing(self._engine) as connection:
            connection.execute(t.adapters.update().where(row).values(state="rolled_back"))
        return later


def _results_of(value: Any) -> Any:
    """What of a configuration makes results; anything else as it is."""
    return {key: item for key, item in value.items() if key not in OPERATION} if isinstance(value, dict) else value


def _campaign(connection: Connection, campaign_id: str) -> Campaign:
    row = connection.execute(select(t.campaigns).where(t.campaigns.c.id == campaign_id)).first()
    if row is None:
        raise RecordsError(f"no campaign {campaign_id!r} in these records")
    return Campaign.model_validate(dict(row._mapping))


def _cycle(connection: Connection, campaign_id: str, n: int) -> Cycle:
    key = (t.cycles.c.campaign_id == campaign_id) & (t.cycles.c.n == n)
    row = connection.execute(select(t.cycles).where(key)).first()
    if row is None:
        raise RecordsError(f"campaign {campaign_id!r} has no cycle {n}")
    return Cycle.model_validate(dict(row._mapping))
