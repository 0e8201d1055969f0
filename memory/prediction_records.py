"""Records of predictions, and what a predictor learns from: finished trials and static figures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from . import tables as t
from .candidate_records import _chunks
from .database import Store, insert_missing, writing
from .rows import Prediction
from .trial_records import _FIELDS, _trial
from .types import Protocol, Trial, Verdict


class PredictionRecords(Store):
    """Predictions of campaigns, and the trials of all records that they are learned from."""

    def put_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Remember what was predicted, all in one transaction; predictions already made stay."""
        rows = [one.model_dump() for one in predictions]
        with writing(self._engine) as connection:
            insert_missing(connection, t.predictions, rows)

    def predictions(self, campaign_id: str, cycle: int | None = None) -> list[Prediction]:
        """Predictions of a campaign, or of one cycle, by cycle, place and candidate."""
        c = t.predictions.c
        query = select(t.predictions).where(c.campaign_id == campaign_id)
        if cycle is not None:
            query = query.where(c.cycle == cycle)
        rows = self._rows(query.order_by(c.cycle, c.place, c.candidate_id))
        return [Prediction.model_validate(dict(row._mapping)) for row in rows]

    def complete_trials(self, task_id: str, protocol_hash: str, before: datetime | None = None) -> list[Trial]:
        """Complete trials of a task under one protocol, by candidate.

        Args:
            before: only those that ended before this moment.
        """
        c = t.trials.c
        query = select(*_FIELDS).where(c.task_id == task_id, c.protocol_hash == protocol_hash, c.state == "complete")
        if before is not None:
            query = query.where(c.updated < before)
        return [_trial(row._mapping) for row in self._rows(query.order_by(c.candidate_id))]

    def protocols(self, task_id: str) -> list[Protocol]:
        """Protocols under which something of a task was trained, by hash."""
        used = select(t.trials.c.protocol_hash).where(t.trials.c.task_id == task_id).distinct()
        query = select(t.protocols.c.content).where(t.protocols.c.hash.in_(used)).order_by(t.protocols.c.hash)
        return [Protocol.model_validate(row.content) for row in self._rows(query)]

    def passed_verdicts(self, ids: Iterable[str], task_id: str) -> dict[str, Verdict]:
        """A verdict for each candidate that passed under any limits; of several the first by their hash."""
        c = t.verdicts.c
        fields = [c[name] for name in Verdict.model_fields]
        found: dict[str, Verdict] = {}
        for part in _chunks(ids):
            query = select(c.candidate_id, *fields).where(c.candidate_id.in_(part), c.task_id == task_id, c.ok)
            for row in self._rows(query.order_by(c.candidate_id, c.limits_hash)):
                values = {name: row._mapping[name] for name in Verdict.model_fields}
                found.setdefault(row.candidate_id, Verdict.model_validate(values))
        return found
