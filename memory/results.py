"""Results of trainings as a table without source text: one row per network, task and epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd
from sqlalchemy import select

from . import tables as t
from .descent import network_name
from .records import Records
from .types import Protocol, Task

COLUMNS: Final = ("task", "dataset", "metric", "nn", "epoch", "accuracy", "duration", "prm")
_NANOSECONDS: Final = 1_000_000_000
_METRICS: Final = {"acc": "accuracy"}  # LEMUR's word and ours


def results(
    records: Records,
    *,
    task: str | None = None,
    dataset: str | None = None,
    metric: str | None = None,
    epoch: int | None = None,
    nn_prefixes: Sequence[str] = (),
) -> pd.DataFrame:
    """Complete trials, one row per epoch, in LEMUR's columns without code.

    Spelling does not matter in ``dataset`` and ``metric``: ``CIFAR-10`` and ``cifar10``, ``acc`` and ``accuracy``.

    Returns:
        :data:`COLUMNS`; ``duration`` is that of the training until the end of the epoch, in nanoseconds; ``prm`` holds
        what the protocol set.
    """
    tasks = {key: one for key, one in _tasks(records).items() if _fits(one, task, dataset, metric)}
    protocols = {key: _prm(one) for key, one in _protocols(records).items()}
    c = t.trials.c
    names = select(t.candidates.c.id, t.candidates.c.origin)
    known = {row.id: network_name(row.origin, row.id) for row in records._rows(names)}
    query = (
        select(c.candidate_id, c.task_id, c.protocol_hash, c.epochs)
        .where(c.state == "complete", c.task_id.in_(tasks))
        .order_by(c.task_id, c.candidate_id, c.protocol_hash)
    )
    rows: list[tuple[Any, ...]] = []
    for row in records._rows(query):
        name, one = known[row.candidate_id], tasks[row.task_id]
        if nn_prefixes and not name.startswith(tuple(nn_prefixes)):
            continue
        for number, value, seconds in _epochs(row.epochs, one.metric):
            if epoch in (None, number):
                nanoseconds = None if seconds is None else round(seconds * _NANOSECONDS)
                prm = protocols[row.protocol_hash]
                rows.append((one.kind, one.dataset, one.metric, name, number, value, nanoseconds, prm))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sources(records: Records, names: Iterable[str]) -> dict[str, str]:
    """Network's name -> its source, of those that are on record."""
    wanted = set(names)
    c = t.candidates.c
    found = {network_name(row.origin, row.id): row.id for row in records._rows(select(c.id, c.origin))}
    ids = {key: name for name, key in found.items() if name in wanted}
    return {ids[key]: one.source for key, one in records.get_candidates(sorted(ids)).items()}


def _tasks(records: Records) -> dict[str, Task]:
    rows = records._rows(select(t.tasks).order_by(t.tasks.c.id))
    return {row.id: Task.model_validate(row.content) for row in rows}


def _protocols(records: Records) -> dict[str, Protocol]:
    rows = records._rows(select(t.protocols).order_by(t.protocols.c.hash))
    return {row.hash: Protocol.model_validate(row.content) for row in rows}


def _fits(one: Task, task: str | None, dataset: str | None, metric: str | None) -> bool:
    pairs = ((task, one.kind), (dataset, one.dataset), (metric, one.metric))
    return all(wanted is None or _key(wanted) == _key(value) for wanted, value in pairs)


def _key(name: str) -> str:
    plain = "".join(sign for sign in name.casefold() if sign.isalnum())
    return _METRICS.get(plain, plain)


def _epochs(epochs: Sequence[dict[str, Any]], metric: str) -> Iterable[tuple[int, float, float | None]]:
    """``(epoch, metric, seconds since the start)`` of every epoch that was measured."""
    passed: float | None = 0.0
    for place, one in enumerate(epochs, start=1):
        seconds = one.get("seconds")
        passed = passed + seconds if passed is not None and isinstance(seconds, int | float) else None
        value = one.get(metric, one.get("accuracy"))
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield int(one.get("epoch", place)), float(value), passed


def _prm(protocol: Protocol) -> dict[str, Any]:
    fields = {"lr": protocol.lr, "momentum": protocol.momentum, "batch": protocol.batch, "epoch": protocol.epochs}
    return {**protocol.prm, **fields, "transform": protocol.transform}
