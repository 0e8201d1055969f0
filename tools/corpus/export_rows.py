"""What exports and statistics read from the records: a selection of results, and who descends from whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from ...memory.descent import Ancestry, ancestry, exemplar_counts, written_in
from ...memory.records import Records
from ...memory.results import results, sources
from ...memory.score_query import code_texts
from .export_folder import ExportError
from .export_networks import Texts


class Selection(NamedTuple):
    """Which results; ``None`` and empty are all of them.

    Attributes:
        nn_prefixes: starts of networks' names.
        campaigns: ids of campaigns, of which only valid networks count.
    """

    task: str | None = None
    dataset: str | None = None
    metric: str | None = None
    epoch: int | None = None
    nn_prefixes: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()

    def told(self) -> dict[str, str]:
        """The filters in words, as far as there are any."""
        named = {"task": self.task, "dataset": self.dataset, "metric": self.metric, "epoch": self.epoch}
        told = {name: str(value) for name, value in named.items() if value is not None}
        told |= {"networks": ", ".join(f"{one}*" for one in self.nn_prefixes)} if self.nn_prefixes else {}
        return told | ({"campaigns": ", ".join(self.campaigns)} if self.campaigns else {})


class Networks(NamedTuple):
    """The networks on record without their texts, by id, and the names under which their results stand."""

    all: list[Ancestry]

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """Network's name -> names of its parents that are on record."""
        names = {one.id: one.name for one in self.all}
        return {one.name: tuple(names[key] for key in one.parents if key in names) for one in self.all if one.parents}

    @property
    def blocks(self) -> dict[str, tuple[str, ...]]:
        """Network's name -> ids of the library's blocks in it."""
        return {one.name: one.blocks for one in self.all if one.blocks}


def read_networks(records: Records) -> Networks:
    """All networks on record."""
    return Networks(ancestry(records))


def read_exemplars(records: Records, networks: Networks) -> dict[str, int]:
    """Network's name -> how many networks its prompt showed, of those that campaigns wrote."""
    counts = exemplar_counts(records)
    return {one.name: counts[one.id] for one in networks.all if one.id in counts}


def read_results(records: Records, selection: Selection, networks: Networks) -> pd.DataFrame:
    """The selected rows of the data set view, without the code, which is most of it.

    Raises:
        ExportError: there is no such result.
        RecordsError: there is no such campaign.
    """
    for one in selection.campaigns:
        records.get_campaign(one)
    rows = results(
        records,
        task=selection.task,
        dataset=selection.dataset,
        metric=selection.metric,
        epoch=selection.epoch,
        nn_prefixes=selection.nn_prefixes,
    )
    if selection.campaigns:
        ids = written_in(records, list(selection.campaigns))
        rows = rows[rows["nn"].isin({one.name for one in networks.all if one.id in ids})]
    if rows.empty:
        raise ExportError(_nothing(selection.told()))
    return rows.reset_index(drop=True)


def read_texts(records: Records, rows: pd.DataFrame) -> Texts:
    """The code that belongs to rows."""
    return Texts(
        nn=sources(records, rows["nn"].unique()),
        metric=code_texts(records, "metric"),
        transform=code_texts(records, "transform"),
    )


def _nothing(told: Mapping[str, str]) -> str:
    if not told:
        return (
            "there is no result on record yet: 'netwright evaluate', 'netwright campaign run' and "
            "'netwright import lemur' make some"
        )
    filters = ", ".join(f"{name} {value}" for name, value in told.items())
    return f"no result on record fits {filters}"
