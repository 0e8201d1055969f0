"""The networks of an export: which are left out and why, which split each belongs to."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import pandas as pd

from .export_private import Private

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")


class Texts(NamedTuple):
    """Source texts beside the rows, each once: a network's stands in hundreds of rows.

    Attributes:
        nn: network's name -> its code.
        metric: metric -> its code, where it is known.
        transform: the name in ``prm["transform"]`` -> its code, where it is known.
    """

    nn: Mapping[str, str]
    metric: Mapping[str, str]
    transform: Mapping[str, str]

    def column(self, name: str, rows: pd.DataFrame) -> list[str | None]:
        """One of LEMUR's code columns for some rows.

        Args:
            name: ``nn_code``, ``metric_code`` or ``transform_code``.
        """
        if name == "nn_code":
            return [self.nn.get(one) for one in rows["nn"]]
        if name == "metric_code":
            return [self.metric.get(one) for one in rows["metric"]]
        return [self.transform.get(transform_of(prm)) for prm in rows["prm"]]


def transform_of(prm: Any) -> str:
    """The name of the transform in a row's hyperparameters; empty where there is none."""
    return str(prm.get("transform", "")) if isinstance(prm, Mapping) else ""


@dataclass(frozen=True)
class Chosen:
    """What is exported.

    Attributes:
        rows: LEMUR's columns without code, in a fixed order; only networks that are exported.
        best: of ``rows`` one for each network on each data set, its best result.
        texts: the code.
        split: network's name -> split; empty where none were asked for.
        left_out: reason -> networks.
    """

    rows: pd.DataFrame
    best: pd.DataFrame
    texts: Texts
    split: Mapping[str, Split] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def networks(self) -> list[str]:
        """Names of the networks, sorted."""
        return sorted(self.best["nn"].unique())


@dataclass(frozen=True)
class Clustered:
    """What deduplication says: the networks that are kept, and the split of each network."""

    kept: frozenset[str]
    split: Mapping[str, Split]


Clusters = Callable[[Mapping[str, str], Mapping[str, str]], Clustered]
"""Called with network's name -> its code, and network's name -> a data set that it was trained for."""


def choose(rows: pd.DataFrame, texts: Texts, clusters: Clusters | None = None, *, dedup: bool = False) -> Chosen:
    """The rows that may leave this machine, near duplicates dropped if that is asked for.

    Args:
        rows: LEMUR's columns without code, see :func:`fixed_order`.
        clusters: ``None`` where neither splits nor deduplication are needed.
        dedup: keep one network of each cluster of near duplicates.
    """
    faults = _faults(rows, texts)
    left_out = Counter(faults.values())
    rows = rows[~rows["nn"].isin(faults)]
    split: Mapping[str, Split] = {}
    if clusters is not None and len(rows):
        firsts = rows.drop_duplicates("nn")
        datasets = dict(zip(firsts["nn"], firsts["dataset"], strict=True))
        found = clusters({name: texts.nn.get(name, "") for name in datasets}, datasets)
        split = found.split
        if dedup:
            rows = rows[rows["nn"].isin(found.kept)]
            left_out["a near duplicate of another"] = len(datasets) - rows["nn"].nunique()
    rows = rows.reset_index(drop=True)
    return Chosen(rows, _best(rows), texts, split, {reason: n for reason, n in sorted(left_out.items()) if n})


def _faults(rows: pd.DataFrame, texts: Texts) -> dict[str, str]:
    """Networks that hold something private -> what it is."""
    private = Private()
    beside = {name: private.fault(text) for name, text in texts.transform.items()}
    metrics = {name: private.fault(text) for name, text in texts.metric.items()}
    found: dict[str, str] = {}
    for name in rows["nn"].unique():
        if (fault := private.fault(name, texts.nn.get(name))) is not None:
            found[name] = fault
    settings: dict[str, str | None] = {}
    for name, metric, prm in zip(rows["nn"], rows["metric"], rows["prm"], strict=True):
        text = str(prm)
        if text not in settings:
            settings[text] = private.fault(text) or beside.get(transform_of(prm))
        fault = settings[text] or metrics.get(metric)
        if fault is not None:
            found.setdefault(name, fault)
    return found


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the best results, whole; of equals the earliest epoch, then the first."""
    keys = ["task", "dataset", "metric"]
    ordered = rows.sort_values([*keys, "nn", "accuracy", "epoch"], ascending=[True] * 4 + [False, True], kind="stable")
    return ordered.drop_duplicates([*keys, "nn"]).reset_index(drop=True)


def fixed_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without their code, in an order that depends on nothing but what they say."""
    text = rows["prm"].map(prm_text)
    ordered = rows.assign(_prm=text).sort_values(
        ["task", "dataset", "metric", "nn", "epoch", "_prm", "accuracy", "duration"], kind="stable"
    )
    return ordered.drop(columns="_prm").reset_index(drop=True)


def prm_text(prm: Any) -> str:
    """Hyperparameters as JSON with sorted keys; a number that is not finite becomes null."""
    values = dict(prm) if isinstance(prm, Mapping) else {}
    plain = {str(key): None if isinstance(v, float) and not math.isfinite(v) else v for key, v in values.items()}
    return json.dumps(plain, sort_keys=True, allow_nan=False, default=str)
