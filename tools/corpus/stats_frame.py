"""The table that all statistics start from: results without code, names made comparable, each with its group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pandas as pd

from ..tasks import UnknownDataset, task_info

KEY: Final = ["task", "dataset", "metric"]
COLUMNS: Final = (*KEY, "nn", "epoch", "accuracy", "duration")
HAND: Final = "hand"  # the group of LEMUR's unprefixed names: networks that people wrote
_METRICS: Final = {"acc": "accuracy"}  # LEMUR's word and ours
_EXEMPLARS: Final = re.compile(r"alt-nn(\d{1,3})-")
_GROUP: Final = re.compile(r"(alt-nn\d{1,3}|[a-z]{2,5}|C\d{1,3}C-[A-Za-z]+|FractalNet)-")


def group_of(name: str) -> str:
    """The prefix group of a network's name: ``alt-nn3`` of ``alt-nn3-0a1b2c``, ``ga`` of ``ga-115``, else ``hand``.

    The captioning networks' prefixes are those of LEMUR 2, supplement, table 1 (``C5C-RESNETLSTM``).
    """
    found = _GROUP.match(name)
    return found[1] if found else HAND


def exemplars_of(name: str) -> int | None:
    """How many networks the prompt showed, where the name says so: 3 of ``alt-nn3-…`` (supplement 10.1)."""
    found = _EXEMPLARS.match(name)
    return int(found[1]) if found else None


def prepare(rows: pd.DataFrame, exemplars: Mapping[str, int]) -> pd.DataFrame:
    """The rows that count, with ``group`` and ``exemplars`` (NA where unknown) beside them, in a fixed order.

    Args:
        rows: at least the columns :data:`COLUMNS`; ``duration`` in seconds or missing.
        exemplars: network's name -> exemplars that its prompt showed, where the records know.

    A row without a finite accuracy or an epoch is no result and is left out. Spellings of one data set or metric
    (``cifar-10``, ``acc``) become one.
    """
    frame = rows.loc[:, list(COLUMNS)].copy()
    frame["accuracy"] = pd.to_numeric(frame["accuracy"], errors="coerce").astype("float64")
    frame["epoch"] = pd.to_numeric(frame["epoch"], errors="coerce")
    frame["duration"] = pd.to_numeric(frame["duration"], errors="coerce").astype("float64")
    frame = frame[frame["accuracy"].abs().lt(float("inf")) & frame["epoch"].notna()]
    frame["epoch"] = frame["epoch"].astype("int64")
    frame["dataset"] = _renamed(frame["dataset"], {name: _dataset(name) for name in frame["dataset"].unique()})
    frame["metric"] = _renamed(frame["metric"], _METRICS)
    names = frame["nn"].unique()
    counts = {name: exemplars_of(name) for name in names}
    counts |= {name: exemplars[name] for name in names if counts[name] is None and name in exemplars}
    frame["group"] = frame["nn"].map({name: group_of(name) for name in names})
    frame["exemplars"] = frame["nn"].map(counts).astype("Int64")
    return frame.sort_values([*KEY, "nn", "epoch", "accuracy"], kind="stable").reset_index(drop=True)


def best_results(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each network on each data set: its best result, of equals that of the earliest epoch."""
    ordered = frame.sort_values([*KEY, "accuracy", "epoch", "nn"], ascending=[True] * 3 + [False, True, True])
    return ordered.drop_duplicates([*KEY, "nn"]).reset_index(drop=True)


def _renamed(column: pd.Series, names: Mapping[str, str]) -> pd.Series:
    return column.map(lambda name: names.get(name, name))


def _dataset(name: str) -> str:
    try:
        return task_info(name).dataset
    except UnknownDataset:
        return name
