"""The corpus as a data set: ``netwright.data`` gives networks and their results in LEMUR's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .records import Records
from .score_query import (
    ScoreRow,
    Wanted,
    code_texts,
    hyperparameters,
    network_figures,
    network_sources,
    query,
)

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS: Final = (
    "task", "dataset", "metric", "metric_code", "nn", "nn_code", "epoch", "accuracy", "duration", "prm",
    "transform_code",
)  # fmt: skip
"""LEMUR's, in LEMUR's order."""
CODE_COLUMNS: Final = ("metric_code", "nn_code", "transform_code")
STATISTICS: Final = (
    "total_params", "trainable_params", "frozen_params", "total_layers", "leaf_layers", "max_depth", "flops",
    "model_size_mb", "buffer_size_mb", "total_memory_mb", "dropout_count", "has_attention", "has_residual",
    "is_resnet_like", "is_vgg_like", "is_inception_like", "is_densenet_like", "is_unet_like", "is_transformer_like",
    "is_mobilenet_like", "is_efficientnet_like", "code_length", "num_classes", "num_functions", "uses_sequential",
    "uses_modulelist", "uses_moduledict", "stats_meta", "stats_error",
)  # fmt: skip
"""Names of LEMUR's ``nn_*`` columns without the prefix, in LEMUR's order."""

Words = str | Sequence[str] | None


def data(
    only_best_accuracy: bool = False,
    task: Words = None,
    dataset: Words = None,
    metric: Words = None,
    nn: Words = None,
    epoch: int | Sequence[int] | None = None,
    max_rows: int | None = None,
    *,
    nn_prefixes: Words = None,
    unique_nn: bool = False,
    include_nn_stats: bool = False,
    include_code: bool = True,
    records: Records | str | None = None,
) -> DataFrame:
    """Networks with their results, one row per network, task, training and epoch, as ``ab.nn.api.data`` gives them.

    Own trials (complete ones) and imported records stand side by side.

    Args:
        only_best_accuracy: of each (task, dataset, metric, nn, epoch) only the row with the highest accuracy.
        task, dataset, metric: one word or several; case, hyphens and underscores in them do not matter, and ``acc``
            and ``accuracy`` are one metric.
        nn: exact name of a network, or several.
        epoch: one or several.
        max_rows: at most so many rows, the first in order.
        nn_prefixes: only networks whose names begin with one of these.
        unique_nn: of each network only its best row among those that fit.
        include_nn_stats: with the ``nn_*`` columns: figures that were imported, else those of a verdict on record.
        include_code: without it the three columns of source text are left out.
        records: an open :class:`.records.Records`, or a SQLAlchemy URL; by default the records of the data directory.

    Returns:
        :data:`COLUMNS`, ordered by task, dataset, metric, nn, epoch, then the best first. ``duration`` is in
        nanoseconds since the start of the training (missing where nobody measured it); ``prm`` is a dict of the
        hyperparameters with ``batch``, ``lr`` and ``transform``; code is ``None`` where it is not on record. No row
        fits: the columns without rows.

    Raises:
        ValueError: ``max_rows`` below 1.
        RecordsError: the records cannot be opened.
    """
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"max_rows must be at least 1, not {max_rows}; leave it out for all rows")
    wanted = Wanted(
        task=_several(task),
        dataset=_several(dataset),
        metric=_several(metric),
        nn=_several(nn),
        nn_prefixes=_several(nn_prefixes),
        epoch=None if epoch is None else (epoch,) if isinstance(epoch, int) else tuple(epoch),
        only_best_accuracy=only_best_accuracy,
        unique_nn=unique_nn,
        max_rows=max_rows,
    )
    if isinstance(records, Records):
        return _frame(records, wanted, include_code, include_nn_stats)
    with Records(records) as opened:
        return _frame(opened, wanted, include_code, include_nn_stats)


def _several(words: Words) -> tuple[str, ...] | None:
    if words is None:
        return None
    return (words,) if isinstance(words, str) else tuple(words)


def _frame(records: Records, wanted: Wanted, code: bool, figures: bool) -> DataFrame:
    """The frame, built column by column; each text and each ``prm`` is one object, however many rows show it."""
    import pandas as pd

    tasks, names, rows = query(records, wanted)
    prms = hyperparameters(records, {row.prm_id for row in rows})
    transforms = [prms[row.prm_id].get("transform") for row in rows]
    columns: dict[str, Any] = {
        "task": [tasks[row.task_id].task for row in rows],
        "dataset": [tasks[row.task_id].dataset for row in rows],
        "metric": [tasks[row.task_id].metric for row in rows],
        "nn": [names[row.network_id].name for row in rows],
        "epoch": pd.array([row.epoch for row in rows], dtype="int64"),
        "accuracy": pd.array([row.accuracy for row in rows], dtype="float64"),
        "duration": _durations(rows),
        "prm": [dict(prms[row.prm_id]) for row in rows],
    }
    if code:
        columns |= _codes(records, rows, names, columns["metric"], transforms)
    if figures:
        columns |= _statistics(records, rows, names)
    order = [*(c for c in COLUMNS if c in columns), *(f"nn_{name}" for name in STATISTICS if figures)]
    return pd.DataFrame({name: pd.Series(columns[name], dtype=_dtype(name, bool(rows))) for name in order})


def _dtype(name: str, rows: bool) -> str | None:
    # pandas' own type for text would hold a copy of the same code in each row.
    return "object" if name in CODE_COLUMNS else None if rows else _EMPTY[name]


_EMPTY: Final = {"epoch": "int64", "accuracy": "float64", "duration": "int64"} | dict.fromkeys(
    (*(c for c in COLUMNS if c not in ("epoch", "accuracy", "duration")), *(f"nn_{name}" for name in STATISTICS)),
    "object",
)


def _durations(rows: Sequence[ScoreRow]) -> list[int | None]:
    return [row.duration if row.duration >= 0 else None for row in rows]


def _codes(
    records: Records, rows: Sequence[ScoreRow], names: Any, metrics: Iterable[str], transforms: Iterable[Any]
) -> dict[str, Any]:
    sources = network_sources(records, {names[row.network_id].candidate_id for row in rows})
    of_metrics, of_transforms = code_texts(records, "metric"), code_texts(records, "transform")
    return {
        "metric_code": [of_metrics.get(name) for name in metrics],
        "nn_code": [sources.get(names[row.network_id].candidate_id) for row in rows],
        "transform_code": [of_transforms.get(name) if isinstance(name, str) else None for name in transforms],
    }


def _statistics(records: Records, rows: Sequence[ScoreRow], names: Any) -> dict[str, Any]:
    figures = network_figures(records, {names[row.network_id] for row in rows})
    each = [figures.get(names[row.network_id].name, {}) for row in rows]
    return {f"nn_{name}": [one.get(name) for one in each] for name in STATISTICS}
