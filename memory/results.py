"""Results of trainings as a table without source text: one row per network, task and epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from . import tables as t
from .dataset_view import data
from .records import Records
from .score_query import network_sources

if TYPE_CHECKING:
    import pandas as pd


def results(
    records: Records,
    *,
    task: str | None = None,
    dataset: str | None = None,
    metric: str | None = None,
    epoch: int | None = None,
    nn_prefixes: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows of :func:`.dataset_view.data` without the columns of code; filters as there."""
    return data(
        task=task,
        dataset=dataset,
        metric=metric,
        epoch=epoch,
        nn_prefixes=nn_prefixes or None,
        include_code=False,
        records=records,
    )


def sources(records: Records, names: Iterable[str]) -> dict[str, str]:
    """Network's name -> its source, of those that have results on record."""
    wanted = set(names)
    n = t.networks.c
    ids = {row.name: row.candidate_id for row in records._rows(select(n.name, n.candidate_id)) if row.name in wanted}
    found = network_sources(records, set(ids.values()))
    return {name: found[ids[name]] for name in sorted(ids)}
