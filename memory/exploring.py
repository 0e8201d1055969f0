"""The networks on record as a table to look around in: filtered, sorted and paged by the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, cast, func, literal, null, or_, select, union_all
from sqlalchemy.types import Float, Integer, String

from . import tables as t
from .descent import network_name
from .records import Records

Sort = Literal["metric", "params", "flops", "created", "name"]
SORTS: Final[tuple[Sort, ...]] = ("metric", "params", "flops", "created", "name")


class Line(NamedTuple):
    """One network on one data set.

    Attributes:
        valid: whether it passed all stages; ``None`` where it was never judged on this data set.
        metric: its best result on the data set.
    """

    id: str
    name: str
    origin: str
    dataset: str
    valid: bool | None
    params: int | None
    flops: int | None
    metric: float | None
    created: datetime


class Page(NamedTuple):
    """A part of the lines that fit, and how many fit in all."""

    lines: tuple[Line, ...]
    total: int


@dataclass(frozen=True)
class Looked:
    """What is looked for; ``None`` and empty: anything.

    Attributes:
        text: part of a network's name, or the beginning of its id.
        campaign: only networks that this campaign wrote.
        valid: only valid ones, or only invalid ones.
        metric: its least value.
    """

    dataset: str | None = None
    origin: str | None = None
    campaign: str | None = None
    text: str = ""
    valid: bool | None = None
    params_from: int | None = None
    params_to: int | None = None
    metric: float | None = None
    sort: Sort = "metric"
    descending: bool = True


def explore(records: Records, looked: Looked, *, offset: int = 0, limit: int | None = 50) -> Page:
    """The lines that fit, in order; networks without a value of what they are sorted by come last.

    Args:
        limit: most lines; ``None``: all of them.
    """
    lines = _lines(looked)
    total = records._first(select(func.count()).select_from(lines.subquery()))
    column: ColumnElement[Any] = lines.selected_columns[looked.sort]
    order = column.desc() if looked.descending else column.asc()
    names = lines.selected_columns
    ordered = lines.order_by(case((column.is_(None), 1), else_=0), order, names["name"], names["dataset"])
    ordered = ordered.offset(offset) if limit is None else ordered.offset(offset).limit(limit)
    found = tuple(_line(row) for row in records._rows(ordered))
    return Page(found, int(total[0]) if total is not None else 0)


def choices(records: Records) -> dict[str, list[str]]:
    """What there is to choose from: ``dataset``, ``origin``, ``campaign``, each in order."""
    judged = select(t.tasks.c.content["dataset"].as_string().label("dataset"))
    datasets = union_all(judged, select(t.score_tasks.c.dataset)).subquery()
    named = select(t.campaigns.c.id).where(t.campaigns.c.config["campaign"].as_string().is_not(None))
    return {
        "dataset": [
            row[0] for row in records._rows(select(datasets.c.dataset).distinct().order_by(datasets.c.dataset))
        ],
        "origin": [
            row[0] for row in records._rows(select(t.candidates.c.origin).distinct().order_by(t.candidates.c.origin))
        ],
        "campaign": [row[0] for row in records._rows(named.order_by(t.campaigns.c.created.desc()))],
    }


def _facts() -> Subquery:
    """What is known of a network on a data set, from verdicts and from scores, one row for both."""
    v, s, n = t.verdicts.c, t.scores.c, t.networks.c
    judged = select(
        v.candidate_id,
        t.tasks.c.content["dataset"].as_string().label("dataset"),
        cast(v.ok, Integer).label("ok"),
        v.params,
        v.flops,
        cast(null(), Float).label("metric"),
    ).join_from(t.verdicts, t.tasks, v.task_id == t.tasks.c.id)
    best = (
        select(s.network_id, s.task_id, func.max(s.accuracy).label("metric"))
        .group_by(s.network_id, s.task_id)
        .subquery()
    )
    scored = (
        select(
            n.candidate_id,
            t.score_tasks.c.dataset,
            cast(null(), Integer).label("ok"),
            n.figures["total_params"].as_integer().label("params"),
            n.figures["flops"].as_integer().label("flops"),
            best.c.metric,
        )
        .join_from(best, t.networks, best.c.network_id == n.id)
        .join(t.score_tasks, best.c.task_id == t.score_tasks.c.id)
    )
    both = union_all(judged, scored).subquery()
    columns = [func.max(both.c[name]).label(name) for name in ("ok", "params", "flops", "metric")]
    return (
        select(both.c.candidate_id, both.c.dataset, *columns).group_by(both.c.candidate_id, both.c.dataset).subquery()
    )


def _names() -> Subquery:
    """One name for each network that has one: of its own results, else the first it was imported by."""
    n = t.networks.c
    own = func.min(case((n.own, n.name)))
    return (
        select(n.candidate_id, func.coalesce(own, func.min(n.name)).label("name")).group_by(n.candidate_id).subquery()
    )


def _lines(looked: Looked) -> Select[Any]:
    facts, names, c = _facts(), _names(), t.candidates.c
    made = c.origin.concat(func.substr(c.id, 1, 12))
    name = func.coalesce(names.c.name, made, type_=String).label("name")
    f = facts.c
    lines = (
        select(c.id, name, c.origin, f.dataset, f.ok, f.params, f.flops, f.metric, c.created)
        .join_from(facts, t.candidates, f.candidate_id == c.id)
        .outerjoin(names, names.c.candidate_id == c.id)
    )
    wanted: list[ColumnElement[bool]] = []
    if looked.dataset:
        wanted.append(f.dataset == looked.dataset)
    if looked.origin:
        wanted.append(c.origin == looked.origin)
    if looked.campaign:
        g = t.generations.c
        wrote = select(literal(1)).where(g.candidate_id == c.id, g.campaign_id == looked.campaign)
        wanted.append(wrote.exists())
    if looked.text.strip():
        text = looked.text.strip()
        wanted.append(
            or_(name.element.icontains(text, autoescape=True), c.id.startswith(text.lower(), autoescape=True))
        )
    if looked.valid is not None:
        wanted.append(f.ok == int(looked.valid))
    for column, low, high in ((f.params, looked.params_from, looked.params_to), (f.metric, looked.metric, None)):
        if low is not None:
            wanted.append(column >= low)
        if high is not None:
            wanted.append(column <= high)
    return lines.where(and_(True, *wanted))


def _line(row: Any) -> Line:
    name = row.name or network_name(row.origin, row.id)
    valid = None if row.ok is None else bool(row.ok)
    return Line(row.id, name, row.origin, row.dataset, valid, row.params, row.flops, row.metric, row.created)
