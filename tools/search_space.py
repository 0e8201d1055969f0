"""What a hyperparameter search may choose from: LEMUR's ranges, for what a network supports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..memory.types import Protocol
from ..sandbox.protocol import Job, Sandbox
from . import outcomes
from .execution import VALIDATION_LIMITS, refuse
from .protocols import OWN_FIELDS, changed
from .tasks import TaskInfo

if TYPE_CHECKING:
    import optuna

# LEMUR's ranges, the defaults of its trainer (ab/nn/util/Const.py and Train.py in its repository): lr 1e-5…1 on a
# logarithmic scale, momentum 0…1, dropout 0…0.5, batch a power of two up to 4096, any other name 0…1.
_LR = (1e-5, 1.0)
_MOMENTUM = (0.0, 1.0)
_RANGES = {"dropout": (0.0, 0.5)}
_OTHER = (0.0, 1.0)
# Smaller batches than 8, which LEMUR also draws, cost an epoch many times the CPU time; fewer than 16 steps learn
# nothing in one epoch, which is what counts on a small data set.
_BATCH_POWERS = range(3, 13)
_LEAST_STEPS = 16
# No weights are ever downloaded, so there is nothing to choose.
_FIXED = frozenset({"pretrained", "epoch_max"})
_MAX_NAME_CHARS = 100
MAX_NAMES = 64
"""Hyperparameters of one network; more are refused with its verdict."""


class SearchError(RuntimeError):
    """There is nothing to search: the network does not say what it supports."""


def supported_names(sandbox: Sandbox, source: str) -> dict[str, float]:
    """What a network's ``supported_hyperparameters()`` returns, asked in the sandbox.

    Returns:
        The names, each with the value that the network gets where a protocol says nothing of it.

    Raises:
        SearchError: the network fails before it answers, or the answer is no set of names.
    """
    stop = refuse(source)
    if stop is None:
        job = Job(handler="hyperparameters.names", payload={"source": source}, limits=VALIDATION_LIMITS)
        outcome = sandbox.run(job)
        stop = outcomes.stop_of(outcome, VALIDATION_LIMITS)
        if stop is None:
            return _names(outcome.result)
    raise SearchError(f"the network's hyperparameters cannot be asked for: {stop.error_class}: {stop.message}")


def _names(told: object) -> dict[str, float]:
    """The names that a handler told; it shares its process with the network, so they are looked at again."""
    result = told if isinstance(told, dict) else {}
    if result.get("ok") is False:
        why = f"{outcomes.name(result.get('error_class'))}: {outcomes.text(result.get('message'))}"
        raise SearchError(f"the network's hyperparameters cannot be asked for: {why}")
    names = result.get("names")
    if not isinstance(names, dict) or len(names) > MAX_NAMES:
        raise SearchError(f"the network's hyperparameters are no set of at most {MAX_NAMES} names")
    for name, value in names.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME_CHARS or not name.isprintable():
            raise SearchError("one of the network's hyperparameters has no name that can be printed")
        if name not in OWN_FIELDS and outcomes.number(value) is None:
            raise SearchError(f"the network's hyperparameter {name!r} has no value")
    return {name: outcomes.number(names[name]) or 0.0 for name in sorted(names)}


@dataclass(frozen=True)
class Space:
    """The choices for one network on one data set.

    Attributes:
        base: the protocol that the search starts from; what is not chosen stays as it is there.
        defaults: what the network supports, each with the value that it gets where the protocol says nothing.
        batches, transforms: what is chosen from.
    """

    base: Protocol
    defaults: Mapping[str, float]
    batches: tuple[int, ...]
    transforms: tuple[str, ...]

    @classmethod
    def of(cls, base: Protocol, defaults: Mapping[str, float], info: TaskInfo, transforms: Sequence[str] = ()) -> Space:
        """The space around a protocol, which is always a point of it."""
        size = training_size(base, info)
        powers = {2**n for n in _BATCH_POWERS if 2**n * _LEAST_STEPS <= size}
        return cls(
            base, defaults, tuple(sorted(powers | {base.batch})), tuple(dict.fromkeys((base.transform, *transforms)))
        )

    @property
    def further(self) -> tuple[str, ...]:
        """Names beside those that are fields of a protocol."""
        return tuple(name for name in sorted(self.defaults) if name not in OWN_FIELDS | _FIXED)

    def start(self) -> dict[str, Any]:
        """The protocol's own values: the point that every other one has to beat."""
        values: dict[str, Any] = {"lr": self.base.lr, "momentum": self.base.momentum, "batch": self.base.batch}
        values |= {"transform": self.base.transform}
        for name in self.further:
            values[_key(name)] = self.base.prm.get(name, self.defaults[name])
        return values

    def suggest(self, trial: optuna.Trial) -> Protocol:
        """Let Optuna choose; the protocol that its choice makes.

        Values that the network does not support are not chosen, and keep the protocol's value.
        """
        changes: dict[str, Any] = {"batch": trial.suggest_categorical("batch", self.batches)}
        if "lr" in self.defaults:
            changes["lr"] = trial.suggest_float("lr", *_LR, log=True)
        if "momentum" in self.defaults:
            changes["momentum"] = trial.suggest_float("momentum", *_MOMENTUM)
        if len(self.transforms) > 1:
            changes["transform"] = trial.suggest_categorical("transform", self.transforms)
        chosen = {name: trial.suggest_float(_key(name), *_RANGES.get(name, _OTHER)) for name in self.further}
        if trial.number == 0:
            return self.base  # its values, by the same name and so under the same hash as outside the search
        return changed(self.base, **changes, prm={**self.base.prm, **chosen})


def training_size(chosen: Protocol, info: TaskInfo) -> int:
    """Training images of one epoch."""
    return min(info.train_size, chosen.train_limit or info.train_size)


def _key(name: str) -> str:
    """Optuna's name of a further hyperparameter, apart from those of the fields."""
    return f"prm.{name}"
