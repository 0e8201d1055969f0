"""Reads scores: which rows are wanted, and what they refer to, each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Select, and_, bindparam, func, or_, select

from . import tables as t
from .records import Records

_CHUNK: Final = 2_000  # numbers per query: below every database's limit of bound values
_MANY: Final = 1_000  # keys from which one pass over a table is faster, if they are a good part of it
_PART: Final = 4  # at least one row in so many
_METRICS: Final = {"acc": "accuracy"}  # LEMUR's word and ours


class ScoreTask(NamedTuple):
    """Task, data set and metric in the words of whoever measured."""

    task: str
    dataset: str
    metric: str


class ScoreRow(NamedTuple):
    """One score by the numbers of what it refers to; ``duration`` below 0 is unknown."""

    network_id: int
    task_id: int
    epoch: int
    accuracy: float
    duration: int
    prm_id: int


class Named(NamedTuple):
    """A network's name and its program."""

    name: str
    candidate_id: str


class Found(NamedTuple):
    """Rows, and the tasks and networks that they refer to, by number."""

    tasks: dict[int, ScoreTask]
    names: dict[int, Named]
    rows: list[ScoreRow]


@dataclass(frozen=True)
class Wanted:
    """Which scores; ``None`` is any. See :func:`.dataset_view.data`."""

    task: Sequence[str] | None = None
    dataset: Sequence[str] | None = None
    metric: Sequence[str] | None = None
    nn: Sequence[str] | None = None
    nn_prefixes: Sequence[str] | None = None
    epoch: Sequence[int] | None = None
    only_best_accuracy: bool = False
    unique_nn: bool = False
    max_rows: int | None = None


def spelling(name: str) -> str:
    """A task's, data set's or metric's name without its spelling: ``CIFAR-10`` and ``cifar10`` are one name."""
    plain = "".join(sign for sign in name.casefold() if sign.isalnum() or sign == ",")
    return _METRICS.get(plain, plain)


def query(records: Records, wanted: Wanted) -> Found:
    """The rows that are wanted, in order: by task, name and epoch, the best first."""
    stored = records._rows(select(t.score_tasks))
    tasks = {row.id: ScoreTask(row.task, row.dataset, row.metric) for row in stored}
    fit = {key: one for key, one in tasks.items() if _fits(one, wanted)}
    if wanted.unique_nn:  # of all tasks together
        parts: list[list[int] | None] = [None if len(fit) == len(tasks) else sorted(fit)]
    else:
        parts = [[key] for key in sorted(fit, key=fit.__getitem__)]
    found = Found(fit, {}, [])
    for part in parts:
        selected = _selected(wanted, part)
        if wanted.max_rows is None:
            found.rows.extend(ScoreRow._make(row) for row in records._rows(selected))
        elif len(found.rows) < wanted.max_rows:
            found.rows.extend(_first(records, selected, wanted.max_rows - len(found.rows)))
    found.names.update(names_of(records, {row.network_id for row in found.rows}))
    if wanted.max_rows is None:
        _sort(found)
    return found


def names_of(records: Records, networks: Iterable[int]) -> dict[int, Named]:
    """Names and programs of networks by their numbers."""
    n = t.networks.c
    rows = _in_parts(records, select(n.id, n.name, n.candidate_id), n.id, networks)
    return {row.id: Named(row.name, row.candidate_id) for row in rows}


def hyperparameters(records: Records, prms: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """Hyperparameters by their numbers."""
    return {row.id: row.content for row in _in_parts(records, select(t.prms), t.prms.c.id, prms)}


def network_sources(records: Records, candidates: Iterable[str]) -> dict[str, str]:
    """Source texts by candidate."""
    c = t.candidates.c
    return {row.id: row.source for row in _in_parts(records, select(c.id, c.source), c.id, candidates)}


def code_texts(records: Records, kind: str) -> dict[str, str]:
    """All source texts of a kind (``transform`` or ``metric``) by name."""
    c = t.codes.c
    return {row.name: row.source for row in records._rows(select(c.name, c.source).where(c.kind == kind))}


def network_figures(records: Records, networks: Iterable[Named]) -> dict[str, Mapping[str, Any]]:
    """Static figures by network's name: what was imported, else what the first verdict that has some says."""
    n, v = t.networks.c, t.verdicts.c
    by_name = {one.name: one.candidate_id for one in networks}
    imported = _in_parts(records, select(n.name, n.figures), n.name, by_name)
    found: dict[str, Mapping[str, Any]] = {row.name: row.figures for row in imported if row.figures}
    missing = {key for name, key in by_name.items() if name not in found}
    judged: dict[str, Mapping[str, Any]] = {}
    order = (v.candidate_id, v.ok.desc(), v.task_id, v.limits_hash)
    verdicts = select(v.candidate_id, v.figures, v.params, v.flops).order_by(*order)
    for row in _in_parts(records, verdicts, v.candidate_id, missing):
        told = {**row.figures, "total_params": row.figures.get("total_params", row.params)}
        told["flops"] = row.figures.get("flops", row.flops)
        if row.figures or row.params is not None:
            judged.setdefault(row.candidate_id, told)
    return {name: judged[key] for name, key in by_name.items() if key in judged} | found


def _fits(one: ScoreTask, wanted: Wanted) -> bool:
    pairs = ((wanted.task, one.task), (wanted.dataset, one.dataset), (wanted.metric, one.metric))
    return all(words is None or spelling(value) in {spelling(word) for word in words} for words, value in pairs)


def _selected(wanted: Wanted, tasks: Sequence[int] | None) -> Select[Any]:
    """The scores that are wanted, of some tasks or of all, in any order."""
    s = t.scores.c
    fields = [s[name] for name in ScoreRow._fields]
    # No condition for all tasks: it would keep the database from the index that has networks in order.
    condition = and_(True, *([] if tasks is None else [s.task_id.in_(tasks)]), *_conditions(wanted))
    if not (wanted.unique_nn or wanted.only_best_accuracy):
        return select(*fields).where(condition)
    group = (s.network_id,) if wanted.unique_nn else (s.task_id, s.network_id, s.epoch)
    best = select(*group, func.max(s.accuracy).label("best")).where(condition).group_by(*group).subquery()
    same = [s[column.name] == best.c[column.name] for column in group]
    # Equals are few: only among them does the order matter, which is the same whenever they were recorded.
    place = func.row_number().over(partition_by=group, order_by=(s.epoch, s.duration, s.task_id, s.prm_id))
    joined = t.scores.join(best, and_(*same, s.accuracy == best.c.best))
    equals = select(*fields, place.label("place")).select_from(joined).where(condition).subquery()
    return select(*(equals.c[name] for name in ScoreRow._fields)).where(equals.c.place == 1)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    s, n = t.scores.c, t.networks.c
    if wanted.epoch is not None:
        yield s.epoch.in_(wanted.epoch)
    if wanted.nn is not None:
        yield s.network_id.in_(select(n.id).where(n.name.in_(wanted.nn)))
    if wanted.nn_prefixes is not None:
        begins = (func.substr(n.name, 1, len(prefix)) == prefix for prefix in wanted.nn_prefixes)
        yield s.network_id.in_(select(n.id).where(or_(False, *begins)))


def _first(records: Records, selected: Select[Any], limit: int) -> list[ScoreRow]:
    """The first of the selected rows, in an order that is total."""
    part = selected.subquery()
    k = t.score_tasks.c
    words: list[ColumnElement[Any]] = [k.task, k.dataset, k.metric, t.networks.c.name]
    if records._engine.dialect.name == "postgresql":
        words = [word.collate("C") for word in words]  # a database's own order depends on where it runs
    joined = part.join(t.networks, t.networks.c.id == part.c.network_id)
    joined = joined.join(t.score_tasks, k.id == part.c.task_id)
    order = (*words, part.c.epoch, part.c.accuracy.desc(), part.c.duration, part.c.prm_id)
    rows = records._rows(select(part).select_from(joined).order_by(*order).limit(limit))
    return [ScoreRow._make(row) for row in rows]


def _sort(found: Found) -> None:
    """Bring the rows into the same order, which a database makes slowly of many."""
    ordered = sorted((one.name, key) for key, one in found.names.items())
    by_name = {key: place for place, (_, key) in enumerate(ordered)}
    by_task = {key: place for place, key in enumerate(sorted(found.tasks, key=found.tasks.__getitem__))}
    found.rows.sort(key=lambda r: (by_task[r[1]], by_name[r[0]], r[2], -r[3], r[4], r[5]))


def _in_parts(records: Records, selected: Select[Any], column: Any, keys: Iterable[Any]) -> Iterator[Any]:
    """Rows of a query whose first column, ``column``, is one of many keys."""
    ordered = sorted(keys)
    if len(ordered) >= _MANY:
        size = records._rows(select(func.count()).select_from(column.table))[0][0]
        if len(ordered) * _PART >= size:
            asked = set(ordered)
            yield from (row for row in records._rows(selected) if row[0] in asked)
            return
        if records._engine.dialect.name == "postgresql":  # one array is read faster than thousands of values
            array = bindparam("keys", ordered, type_=ARRAY(column.type))
            yield from records._rows(selected.where(column == func.any(array)))
            return
    for start in range(0, len(ordered), _CHUNK):
        yield from records._rows(selected.where(column.in_(ordered[start : start + _CHUNK])))
