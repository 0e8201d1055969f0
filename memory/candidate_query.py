"""Networks on record by what is known of them: data set, metric, parameters, origin, campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from . import tables as t
from .records import Records
from .types import Frozen, Trial, Verdict

Order = Literal["metric", "params", "newest"]
"""Best metric first, fewest parameters first, or the newest first."""
_MOST_LIKE: Final = 5


class Filter(Frozen):
    """Which networks; ``None`` is any.

    Attributes:
        metric: name of the metric that the trial measured.
        least_metric, most_metric: of the trial, in [0, 1]; networks that were not trained have none.
        campaign: only what this campaign or design request wrote.
        trained: ``True``: only those with a complete trial; ``False``: only those without.
        candidate: only the network of this id.
    """

    dataset: str | None = None
    metric: str | None = None
    least_metric: float | None = None
    most_metric: float | None = None
    least_params: int | None = None
    most_params: int | None = None
    origin: str | None = None
    campaign: str | None = None
    trained: bool | None = None
    candidate: str | None = None


class Row(Frozen):
    """One network with its result on one task under one protocol; a network has a row for each of these.

    Attributes:
        metric, epochs: of the complete trial; ``None`` and 0 where there is none.
        params, flops: of its verdict on the task, where it has one.
    """

    id: str
    origin: str
    parents: tuple[str, ...] = ()
    created: datetime
    task_id: str | None = None
    dataset: str | None = None
    protocol_hash: str | None = None
    metric_name: str | None = None
    metric: float | None = None
    epochs: int = 0
    params: int | None = None
    flops: int | None = None


def ids_like(records: Records, beginning: str) -> list[str]:
    """Ids of networks that begin so, at most five: one where it names one, none where it is no beginning."""
    if not beginning or not set(beginning) <= set("0123456789abcdef"):
        return []
    c = t.candidates.c
    query = select(c.id).where(c.id >= beginning, c.id < beginning + "g").order_by(c.id).limit(_MOST_LIKE)
    return [row.id for row in records._rows(query)]


def find_networks(
    records: Records, wanted: Filter, *, order: Order = "metric", limit: int = 50, offset: int = 0
) -> list[Row]:
    """The networks that fit, in order; equals by their id, so that pages do not overlap."""
    query = _query(records, wanted, order).limit(limit).offset(offset)
    return [
        Row(
            id=row.id,
            origin=row.origin,
            parents=tuple(row.parents),
            created=row.created,
            task_id=row.task_id,
            dataset=(row.content or {}).get("dataset"),
            protocol_hash=row.protocol_hash,
            metric_name=(row.content or {}).get("metric"),
            metric=row.metric,
            epochs=len(row.epochs or ()),
            params=row.params,
            flops=row.flops,
        )
        for row in records._rows(query)
    ]


def count_networks(records: Records, wanted: Filter) -> int:
    """How many rows :func:`find_networks` has in all."""
    found = _query(records, wanted, None).subquery()
    row = records._first(select(func.count().label("n")).select_from(found))
    return int(row.n) if row is not None else 0


def results_of(records: Records, candidate_id: str, limit: int = 50) -> list[Row]:
    """What one network reached, best first."""
    return find_networks(records, Filter(candidate=candidate_id), limit=limit)


def verdicts_of(records: Records, candidate_id: str) -> list[tuple[str, Verdict]]:
    """Every verdict on a network, with the id of its task."""
    v = t.verdicts.c
    query = select(v.task_id, *(v[name] for name in Verdict.model_fields)).where(v.candidate_id == candidate_id)
    rows = records._rows(query.order_by(v.task_id, v.limits_hash))
    return [(row.task_id, Verdict.model_validate({n: getattr(row, n) for n in Verdict.model_fields})) for row in rows]


def trials_of(records: Records, candidate_id: str) -> list[Trial]:
    """Every training of a network, the newest first."""
    c = t.trials.c
    query = select(*(c[name] for name in Trial.model_fields)).where(c.candidate_id == candidate_id)
    rows = records._rows(query.order_by(c.updated.desc(), c.task_id, c.protocol_hash))
    return [Trial.model_validate(dict(row._mapping)) for row in rows]


def _query(records: Records, wanted: Filter, order: Order | None) -> Select[Any]:
    c, trial, v = t.candidates.c, t.trials.c, t.verdicts.c
    complete = and_(trial.candidate_id == c.id, trial.state == "complete")
    # One row for each task: a network may have been judged under several limits, with the same figures each time.
    judged = (
        select(v.candidate_id, v.task_id, func.max(v.params).label("params"), func.max(v.flops).label("flops"))
        .group_by(v.candidate_id, v.task_id)
        .subquery()
    )
    on_task = and_(judged.c.candidate_id == c.id, or_(trial.task_id.is_(None), judged.c.task_id == trial.task_id))
    task_id = func.coalesce(trial.task_id, judged.c.task_id)
    joined = (
        t.candidates.outerjoin(t.trials, complete)
        .outerjoin(judged, on_task)
        .outerjoin(t.tasks, t.tasks.c.id == task_id)
    )
    query = select(
        c.id,
        c.origin,
        c.parents,
        c.created,
        task_id.label("task_id"),
        t.tasks.c.content,
        trial.protocol_hash,
        trial.metric,
        trial.epochs,
        judged.c.params,
        judged.c.flops,
    ).select_from(joined)
    query = query.where(*_conditions(records, wanted, judged.c.params, task_id))
    if order is None:
        return query
    first: dict[str, list[ColumnElement[Any]]] = {
        "metric": [trial.metric.is_(None), trial.metric.desc()],
        "params": [judged.c.params.is_(None), judged.c.params, trial.metric.desc()],
        "newest": [c.created.desc()],
    }
    return query.order_by(*first[order], c.id, task_id, trial.protocol_hash)


def _conditions(
    records: Records, wanted: Filter, params: ColumnElement[Any], task_id: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    c, trial = t.candidates.c, t.trials.c
    found: list[ColumnElement[bool]] = []
    if wanted.dataset is not None or wanted.metric is not None:
        found.append(task_id.in_(_tasks(records, wanted.dataset, wanted.metric)))
    if wanted.least_metric is not None:
        found.append(trial.metric >= wanted.least_metric)
    if wanted.most_metric is not None:
        found.append(trial.metric <= wanted.most_metric)
    if wanted.least_params is not None:
        found.append(params >= wanted.least_params)
    if wanted.most_params is not None:
        found.append(params <= wanted.most_params)
    if wanted.origin is not None:
        found.append(c.origin == wanted.origin)
    if wanted.trained is not None:
        found.append(trial.metric.is_not(None) if wanted.trained else trial.metric.is_(None))
    if wanted.candidate is not None:
        found.append(c.id == wanted.candidate)
    if wanted.campaign is not None:
        g = t.generations.c
        found.append(c.id.in_(select(g.candidate_id).where(g.campaign_id == wanted.campaign)))
    return found


def _tasks(records: Records, dataset: str | None, metric: str | None) -> list[str]:
    """Ids of the tasks on a data set, measured by a metric; there are few."""
    rows = records._rows(select(t.tasks.c.id, t.tasks.c.content))
    return [
        row.id for row in rows if dataset in (None, row.content["dataset"]) and metric in (None, row.content["metric"])
    ]
