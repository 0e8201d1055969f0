"""Scores: what was measured after an epoch, one row each; of own trials and of imported records alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite

from . import tables as t
from .database import to_json
from .types import Protocol

UNKNOWN: Final = -1  # duration that nobody measured; a database lets null be twice in a unique row
NANOSECONDS: Final = 1_000_000_000
MAX_NAME: Final = 200
_ROWS: Final = 20_000  # of one statement


@dataclass(frozen=True)
class Score:
    """One record: a network's metric after one epoch.

    Attributes:
        network: its name.
        accuracy: value of the metric.
        duration: nanoseconds from the start of the training to the end of the epoch.
        prm: hyperparameters, the transform's name among them.
    """

    network: str
    task: str
    dataset: str
    metric: str
    epoch: int
    accuracy: float
    duration: int | None = None
    prm: Mapping[str, Any] = field(default_factory=dict)


def number_of(*words: str) -> int:
    """A number of 63 bits made of words; the same words give the same number on every machine."""
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def own_prm(protocol: Protocol) -> dict[str, Any]:
    """A protocol as LEMUR's ``prm``; of the fields that LEMUR lacks only those that are set."""
    plain = Protocol(name=protocol.name)
    extra = {
        name: getattr(protocol, name)
        for name in ("seed", "train_limit", "test_limit", "precision")
        if getattr(protocol, name) != getattr(plain, name)
    }
    fields = {"lr": protocol.lr, "momentum": protocol.momentum, "batch": protocol.batch, "epoch": protocol.epochs}
    return {**protocol.prm, **extra, **fields, "transform": protocol.transform}


def epoch_values(epochs: Sequence[Mapping[str, Any]], metric: str) -> Iterator[tuple[int, float, int | None]]:
    """``(epoch, metric, nanoseconds since the start)`` of every epoch of a trial that was measured."""
    passed: float | None = 0.0
    for place, one in enumerate(epochs, start=1):
        seconds = one.get("seconds")
        passed = passed + seconds if passed is not None and isinstance(seconds, int | float) else None
        value = one.get(metric, one.get("accuracy"))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield int(one.get("epoch", place)), float(value), None if passed is None else round(passed * NANOSECONDS)


def name_networks(
    connection: Connection, names: Mapping[str, str], *, own: bool, figures: Mapping[str, Any] | None = None
) -> None:
    """Give candidates names (name -> candidate id); a name that is taken stays with its candidate."""
    known = figures or {}
    rows = [
        {"id": number_of(name), "name": name, "candidate_id": key, "own": own, "figures": known.get(name)}
        for name, key in names.items()
    ]
    _insert(connection, t.networks, rows)


def own_name(connection: Connection, candidate_id: str, origin: str) -> str:
    """The name under which this project's own results of a candidate stand; made of origin and id if it has none."""
    c = t.networks.c
    query = select(c.name).where(c.candidate_id == candidate_id, c.own).order_by(c.id).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found or f"{origin}{candidate_id[:12]}"


def insert_scores(connection: Connection, scores: Iterable[Score]) -> int:
    """Insert the scores that are not there yet, and what they refer to but their networks; how many were given.

    Their networks must have names already, see :func:`name_networks`.
    """
    tasks: dict[int, dict[str, Any]] = {}
    prms: dict[int, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for score in scores:
        words = (score.task, score.dataset, score.metric)
        task_id = number_of(*words)
        tasks.setdefault(task_id, {"id": task_id, **dict(zip(("task", "dataset", "metric"), words, strict=True))})
        prm = dict(sorted(score.prm.items()))
        prm_id = number_of(to_json(prm))
        prms.setdefault(prm_id, {"id": prm_id, "content": prm})
        if score.network not in numbers:
            numbers[score.network] = number_of(score.network)
        rows.append(
            {
                "network_id": numbers[score.network],
                "task_id": task_id,
                "epoch": score.epoch,
                "accuracy": score.accuracy,
                "duration": UNKNOWN if score.duration is None else score.duration,
                "prm_id": prm_id,
            }
        )
    _insert(connection, t.score_tasks, list(tasks.values()))
    _insert(connection, t.prms, [prms[key] for key in sorted(prms)])
    _insert(connection, t.scores, rows)
    return len(rows)


def insert_codes(connection: Connection, kind: str, texts: Mapping[str, str]) -> None:
    """Remember source texts of transforms or metrics by name; a newer text replaces the older one."""
    rows = [{"kind": kind, "name": name, "source": text} for name, text in texts.items()]
    if rows:
        insert = _insert_into(connection, t.codes)
        key = list(t.codes.primary_key.columns)
        changed = insert.on_conflict_do_update(index_elements=key, set_={"source": insert.excluded.source})
        connection.execute(changed, rows)


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows that contradict no key."""
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        if connection.dialect.name == "postgresql":
            _insert_arrays(connection, table, part)
        else:
            connection.execute(_insert_into(connection, table).on_conflict_do_nothing(), [dict(row) for row in part])


def _insert_arrays(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same in one statement with an array for each column: a server's round trip per row takes most of the time."""
    names = list(rows[0])
    arrays: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    fields, sources = [], []
    for name in names:
        kind = table.c[name].type.compile(connection.dialect)
        if kind == "JSON":
            arrays[name] = [None if value is None else to_json(value) for value in arrays[name]]
        sources.append(f"CAST(:{name} AS {'TEXT' if kind == 'JSON' else kind}[])")
        fields.append(f"CAST(r.{name} AS {kind})")
    rest = f"SELECT {', '.join(fields)} FROM unnest({', '.join(sources)}) AS r({', '.join(names)})"
    connection.execute(text(f"INSERT INTO {table.name} ({', '.join(names)}) {rest} ON CONFLICT DO NOTHING"), arrays)


def _insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
