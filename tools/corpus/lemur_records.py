"""LEMUR's records: names of their folders taken apart, one JSON object checked and made a score."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, get_args

from ...memory.scores import Score
from ...memory.types import TaskKind
from ..outcomes import text
from ..static_figures import FLAGS
from ..static_figures import read as read_figures
from .lemur_checkout import finite

_KINDS: Final = frozenset(get_args(TaskKind))
_METRICS: Final = frozenset({"acc", "accuracy", "iou", "miou", "bleu", "meteor", "cider", "mae", "psnr", "ssim", "fid"})
_NOT_PRM: Final = frozenset({"uid", "accuracy", "duration"})  # what LEMUR takes out before it stores the rest
_MAX_PRMS: Final = 200
_MAX_TEXT: Final = 1_000
_MAX_NANOSECONDS: Final = 2**63 - 1
_DEFAULT_TRANSFORM: Final = "default"
_RENAMED: Final = {
    "has_residual_connections": "has_residual",
    "num_classes_defined": "num_classes",
    "num_functions_defined": "num_functions",
    "nn_depth": "depth",
    "meta": "stats_meta",
}


@dataclass(frozen=True)
class Parts:
    """The four words of a folder of records."""

    task: str
    dataset: str
    metric: str
    nn: str


def split_name(folder: str, networks: Collection[str], metrics: Collection[str] = ()) -> Parts:
    """``<task>_<dataset>_<metric>_<nn>`` taken apart, where each of the four may hold underscores.

    What decides is in this order: a network of this name is there; the metric is there, or known; the task is a known
    kind; network, metric and task are short.

    Args:
        networks: names of those that are there.
        metrics: names of those that are there.

    Raises:
        ValueError: fewer than four words, or no network of this name.
    """
    words = folder.split("_")
    if len(words) < 4 or not all(words):
        raise ValueError("the name of the folder is not <task>_<dataset>_<metric>_<nn>")
    best: tuple[tuple[int, ...], Parts] | None = None
    for a, b, c in combinations(range(1, len(words)), 3):
        parts = Parts("_".join(words[:a]), "_".join(words[a:b]), "_".join(words[b:c]), "_".join(words[c:]))
        place = (
            int(parts.nn not in networks),
            max(0 if word in metrics else 1 if word in _METRICS else 2 for word in parts.metric.split(",")),
            int(parts.task not in _KINDS),
            len(words) - c,
            c - b,
            a,
        )
        if best is None or place < best[0]:
            best = place, parts
    assert best is not None  # four words or more can be taken apart
    if best[0][0]:
        raise ValueError(f"its network is not there: nn/{best[1].nn}.py is missing, or was left out")
    return best[1]


def read_score(told: object, parts: Parts, epoch: int, transforms: Mapping[str, bool]) -> Score:
    """One record of a file.

    Args:
        transforms: name -> whether it is known, asked for the record's own.

    Raises:
        ValueError: why it is left out.
    """
    if not isinstance(told, dict):
        raise ValueError("not an object")
    if "accuracy" not in told:
        raise ValueError("no accuracy")
    accuracy = finite(told["accuracy"])
    if accuracy is None:
        raise ValueError("its accuracy is not a finite number")
    if not 0.0 <= accuracy <= 1.0:
        raise ValueError(f"its accuracy {accuracy:.4g} is not in [0, 1]")
    prm = _prm(told)
    transform = prm.get("transform")
    if transform not in (None, _DEFAULT_TRANSFORM) and not (isinstance(transform, str) and transforms[transform]):
        raise ValueError(f"unknown transform {text(str(transform), 80)!r}")
    return Score(
        network=parts.nn,
        task=parts.task,
        dataset=parts.dataset,
        metric=parts.metric,
        epoch=epoch,
        accuracy=accuracy,
        duration=_duration(told),
        prm=prm,
    )


def read_statistics(told: object) -> dict[str, Any]:
    """Static figures of a network from a file of ``stat/nn``, under this project's names.

    Raises:
        ValueError: there are none in it.
    """
    if not isinstance(told, dict):
        raise ValueError("not an object")
    renamed: dict[str, Any] = {str(_RENAMED.get(name, name)): value for name, value in told.items()}
    renamed |= {name: bool(renamed[name]) for name in FLAGS if renamed.get(name) in (0, 1)}
    if "error" in renamed:
        renamed["stats_error"] = renamed["error"]
    flops = renamed.get("flops")
    known = isinstance(flops, int) and not isinstance(flops, bool) and 0 <= flops <= 10**18
    figures = read_figures(renamed, flops if known else None)
    if not figures:
        raise ValueError("no static figures in it")
    return figures


def _duration(told: Mapping[str, Any]) -> int | None:
    value = told.get("duration")
    if value is None:
        return None
    number = finite(value)
    if number is None or not 0 <= number <= _MAX_NANOSECONDS:
        raise ValueError("its duration is not a number of nanoseconds")
    return value if isinstance(value, int) else round(number)


def _prm(told: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters: everything that is one value; LEMUR keeps tables of other things in the same object."""
    plain = {k: v for k, v in told.items() if k not in _NOT_PRM and not isinstance(v, dict | list)}
    if len(plain) > _MAX_PRMS:
        raise ValueError(f"more than {_MAX_PRMS} hyperparameters")
    for name, value in plain.items():
        if isinstance(value, float | int) and finite(value) is None and not isinstance(value, bool):
            raise ValueError(f"its {text(name, 40)} is not a finite number")
        if len(name) > _MAX_TEXT or (isinstance(value, str) and len(value) > _MAX_TEXT):
            raise ValueError("a hyperparameter is a long text")
    return plain
