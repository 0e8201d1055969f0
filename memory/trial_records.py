"""Records of trainings. A finished trial is never changed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select

from . import tables as t
from .candidate_records import _chunks
from .database import RecordsError, Store, insert_missing, same_json, writing
from .rows import now
from .scores import Score, epoch_values, insert_scores, name_networks, own_name, own_prm
from .types import Protocol, Task, Trial

FINISHED: Final = ("complete", "failed", "pruned")
_FIELDS: Final = [t.trials.c[name] for name in Trial.model_fields]
_PLACE: Final = (t.trials.c.candidate_id, t.trials.c.task_id, t.trials.c.protocol_hash, t.trials.c.updated)


@dataclass(frozen=True)
class RunningTrial:
    """A trial on record as running.

    Attributes:
        updated: when it was claimed.
        writers: campaigns and design requests that wrote its network; none where a person gave it.
    """

    candidate_id: str
    task_id: str
    protocol_hash: str
    updated: datetime
    writers: frozenset[str]


class TrialRecords(Store):
    """Trials, one per candidate, task and protocol."""

    def queue_trials(self, candidate_ids: Iterable[str], task_id: str, protocol_hash: str) -> None:
        """Add waiting trials in one transaction; those that exist in any state stay as they are."""
        rows = [_waiting(candidate_id, task_id, protocol_hash) for candidate_id in candidate_ids]
        with writing(self._engine) as connection:
            insert_missing(connection, t.trials, rows)

    def start_trial(self, candidate_id: str, task_id: str, protocol_hash: str) -> Trial:
        """Claim a trial: the one to train (``state == "running"``), or the finished one as it is stored.

        A trial that is absent, waiting, or running (left by a process that died) becomes running, with one
        more attempt. Callers train only what comes back as running.
        """
        key = _key(candidate_id, task_id, protocol_hash)
        with writing(self._engine) as connection:
            insert_missing(connection, t.trials, [_waiting(candidate_id, task_id, protocol_hash)])
            connection.execute(
                t.trials.update()
                .where(key, t.trials.c.state.not_in(FINISHED))
                .values(state="running", attempts=t.trials.c.attempts + 1, updated=now())
            )
            stored = _load(connection, key)
        assert stored is not None  # inserted above, in the same transaction
        return stored

    def finish_trial(self, trial: Trial) -> Trial:
        """Store the end of a started trial; the same end again changes nothing.

        Raises:
            ValueError: not a finished state, or a score where there must be none (or none where there must).
            RecordsError: never started, or finished already with different content.
        """
        _check_finished(trial)
        key = _key(trial.candidate_id, trial.task_id, trial.protocol_hash)
        where = f"trial of {trial.candidate_id[:12]} on {trial.task_id} under {trial.protocol_hash}"
        with writing(self._engine) as connection:
            stored = _load(connection, key)
            if stored is None:
                raise RecordsError(f"{where} was never started: call start_trial first")
            if stored.state in FINISHED:
                if not same_json(stored.model_dump(), trial.model_dump()):
                    raise RecordsError(f"{where} is finished ({stored.state}) and never changes")
                return stored
            values = trial.model_dump(exclude={"candidate_id", "task_id", "protocol_hash"})
            connection.execute(t.trials.update().where(key).values(**values, updated=now()))
            if trial.state == "complete":
                _add_scores(connection, trial)
        return trial

    def get_trial(self, candidate_id: str, task_id: str, protocol_hash: str) -> Trial | None:
        return self.get_trials([candidate_id], task_id, protocol_hash).get(candidate_id)

    def get_trials(self, ids: Iterable[str], task_id: str, protocol_hash: str) -> dict[str, Trial]:
        """Trials by candidate id; candidates without one are left out."""
        found: dict[str, Trial] = {}
        for part in _chunks(ids):
            query = select(*_FIELDS).where(
                t.trials.c.candidate_id.in_(part),
                t.trials.c.task_id == task_id,
                t.trials.c.protocol_hash == protocol_hash,
            )
            found |= {row.candidate_id: _trial(row._mapping) for row in self._rows(query)}
        return found

    def best_trials(self, task_id: str, protocol_hash: str, limit: int, campaign_id: str | None = None) -> list[Trial]:
        """Complete trials of a task under one protocol, best metric first: only these compare.

        Args:
            campaign_id: only those that this campaign may know: ended before it began, or trained by itself. What
                others do meanwhile on the same records is not among them, so a seed gives the same campaign.
        """
        same = (t.trials.c.task_id == task_id) & (t.trials.c.protocol_hash == protocol_hash)
        if campaign_id is not None:
            begun = select(t.campaigns.c.created).where(t.campaigns.c.id == campaign_id).scalar_subquery()
            # What it decided on without training it may have been trained by another one since.
            trained = (t.admissions.c.campaign_id == campaign_id) & t.admissions.c.metric.is_not(None)
            own = select(t.admissions.c.candidate_id).where(trained)
            same &= (t.trials.c.updated < begun) | t.trials.c.candidate_id.in_(own)
        query = (
            select(*_FIELDS)
            .where(same, t.trials.c.state == "complete")
            .order_by(t.trials.c.metric.desc(), t.trials.c.candidate_id)
            .limit(limit)
        )
        return [_trial(row._mapping) for row in self._rows(query)]

    def trial_attempts(self, candidate_id: str, task_id: str, protocol_hash: str) -> int:
        """How often a trial was started; 0 when it never was."""
        key = _key(candidate_id, task_id, protocol_hash)
        row = self._first(select(t.trials.c.attempts).where(key))
        return 0 if row is None else int(row.attempts)

    def running_trials(self) -> list[RunningTrial]:
        """Trials that are on record as running, by whatever process, with the runs that wrote their networks."""
        written = select(t.generations.c.candidate_id, t.generations.c.campaign_id).distinct().subquery()
        query = (
            select(*_PLACE, written.c.campaign_id)
            .select_from(t.trials.outerjoin(written, written.c.candidate_id == t.trials.c.candidate_id))
            .where(t.trials.c.state == "running")
        )
        writers: dict[tuple[str, str, str, datetime], set[str]] = {}
        for row in self._rows(query):
            place = (row.candidate_id, row.task_id, row.protocol_hash, row.updated)
            writers.setdefault(place, set()).update([row.campaign_id] if row.campaign_id else [])
        return [RunningTrial(*place, frozenset(runs)) for place, runs in writers.items()]

    def release_trials(self, stale: Iterable[RunningTrial]) -> int:
        """Put trials back to waiting that nobody trains; those that have changed meanwhile stay. How many it were."""
        released = 0
        with writing(self._engine) as connection:
            for one in stale:
                same = _key(one.candidate_id, one.task_id, one.protocol_hash) & (t.trials.c.updated == one.updated)
                changed = t.trials.update().where(same, t.trials.c.state == "running")
                released += connection.execute(changed.values(state="waiting", updated=now())).rowcount
        return released


def _add_scores(connection: Connection, trial: Trial) -> None:
    """What the data set view shows of a complete trial: a row for each epoch."""
    query = (
        select(t.candidates.c.origin, t.tasks.c.content, t.protocols.c.content.label("protocol"))
        .select_from(t.trials.join(t.candidates).join(t.tasks).join(t.protocols))
        .where(_key(trial.candidate_id, trial.task_id, trial.protocol_hash))
    )
    row = connection.execute(query).one()
    task, prm = Task.model_validate(row.content), own_prm(Protocol.model_validate(row.protocol))
    name = own_name(connection, trial.candidate_id, row.origin)
    name_networks(connection, {name: trial.candidate_id}, own=True)
    measured = epoch_values(trial.epochs, task.metric)
    words = (name, task.kind, task.dataset, task.metric)
    insert_scores(connection, (Score(*words, epoch, value, nanoseconds, prm) for epoch, value, nanoseconds in measured))


def _waiting(candidate_id: str, task_id: str, protocol_hash: str) -> dict[str, Any]:
    trial = Trial(candidate_id=candidate_id, task_id=task_id, protocol_hash=protocol_hash, state="waiting")
    return {**trial.model_dump(), "attempts": 0, "updated": now()}


def _key(candidate_id: str, task_id: str, protocol_hash: str) -> ColumnElement[bool]:
    return (
        (t.trials.c.candidate_id == candidate_id)
        & (t.trials.c.task_id == task_id)
        & (t.trials.c.protocol_hash == protocol_hash)
    )


def _load(connection: Connection, key: ColumnElement[bool]) -> Trial | None:
    row = connection.execute(select(*_FIELDS).where(key)).first()
    return None if row is None else _trial(row._mapping)


def _trial(values: Any) -> Trial:
    return Trial.model_validate(dict(values))


def _check_finished(trial: Trial) -> None:
    if trial.state not in FINISHED:
        raise ValueError(f"a trial cannot finish as {trial.state}: use one of {FINISHED}")
    scored = trial.metric is not None and math.isfinite(trial.metric)
    if trial.state == "complete" and not scored:
        raise ValueError(f"a complete trial needs a finite metric, not {trial.metric}")
    if trial.state != "complete" and trial.metric is not None:
        raise ValueError(f"a {trial.state} trial never has a metric, but got {trial.metric}")
