"""What a predictor learns from: networks on record with their text, figures, early metrics and final metric."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ...memory.records import Records
from ...memory.scores import epoch_values
from ...memory.types import Protocol, Task, Trial, Verdict, candidate_id

_COST_FIELDS: Final = frozenset({"name", "epochs", "train_limit", "rungs", "time_limit_s"})
"""Fields of a protocol in which a cheaper one may differ from a whole one; its results are then early metrics."""


@dataclass(frozen=True)
class Example:
    """One network under one protocol.

    Attributes:
        figures: static figures of its verdict with ``params`` and ``flops``; empty where there is no verdict.
        early: metrics after a part of the training, by (epochs, samples), the cheapest first; ``samples`` of the
            whole training split are infinite.
        parents: networks from which it was made.
        metric: what it reached; ``None`` where that is asked for.
    """

    key: str
    source: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    early: Mapping[tuple[int, float], float] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    metric: float | None = None


def known_examples(
    records: Records,
    task: Task,
    protocol: Protocol,
    *,
    before: datetime | None = None,
    also: Collection[str] = (),
) -> list[Example]:
    """Networks with a complete trial of a task under one protocol, by candidate.

    Args:
        before: only trials that ended before this moment, and those of ``also``.
        also: candidates whose trials count whenever they ended.
    """
    trials = {one.candidate_id: one for one in records.complete_trials(task.id, protocol.hash, before)}
    for key, trial in records.get_trials(also, task.id, protocol.hash).items():
        if trial.state == "complete":
            trials[key] = trial
    return _examples(records, sorted(trials), task, protocol, trials)


def asked_examples(records: Records, ids: Iterable[str], task: Task, protocol: Protocol) -> list[Example]:
    """Networks on record whose metric is asked for, in the order of ``ids``."""
    return _examples(records, list(dict.fromkeys(ids)), task, protocol, {})


def example_of(records: Records, source: str, verdict: Verdict, task: Task, protocol: Protocol) -> Example:
    """A network that need not be on record, with its verdict; what is on record of it early is told."""
    key = candidate_id(source)
    early = early_metrics(records, [key], task, protocol).get(key, {})
    return Example(key, source, _figures(verdict), {cost: early[cost] for cost in sorted(early)})


def _figures(verdict: Verdict | None) -> dict[str, Any]:
    return {} if verdict is None else {**verdict.figures, "params": verdict.params, "flops": verdict.flops}


def _examples(
    records: Records, ids: Sequence[str], task: Task, protocol: Protocol, trials: Mapping[str, Trial]
) -> list[Example]:
    candidates = records.get_candidates(ids)
    verdicts = records.passed_verdicts(ids, task.id)
    early = early_metrics(records, ids, task, protocol)
    made = []
    for key in ids:
        trial = trials.get(key)
        own = {} if trial is None else _first_epochs(trial, task, protocol)
        known = early.get(key, {}) | own
        made.append(
            Example(
                key=key,
                source=candidates[key].source,
                figures=_figures(verdicts.get(key)),
                early={cost: known[cost] for cost in sorted(known)},
                parents=candidates[key].parents,
                metric=None if trial is None else trial.metric,
            )
        )
    return made


def early_metrics(
    records: Records, ids: Sequence[str], task: Task, protocol: Protocol
) -> dict[str, dict[tuple[int, float], float]]:
    """Metrics of complete trials under cheaper protocols (rungs, fewer epochs), by candidate and cost."""
    found: dict[str, dict[tuple[int, float], float]] = {}
    for cheap in records.protocols(task.id):
        if not is_cheaper(cheap, protocol):
            continue
        for key, trial in records.get_trials(ids, task.id, cheap.hash).items():
            if trial.state == "complete" and trial.metric is not None:
                found.setdefault(key, {})[_cost(cheap)] = trial.metric
    return found


def is_cheaper(one: Protocol, whole: Protocol) -> bool:
    """Whether a protocol is a part of another: the same, but for fewer epochs or fewer samples."""
    if one.model_dump(exclude=set(_COST_FIELDS)) != whole.model_dump(exclude=set(_COST_FIELDS)):
        return False
    mine, theirs = _cost(one), _cost(whole)
    return mine != theirs and mine[0] <= theirs[0] and mine[1] <= theirs[1]


def _cost(protocol: Protocol) -> tuple[int, float]:
    return protocol.epochs, math.inf if protocol.train_limit is None else float(protocol.train_limit)


def _first_epochs(trial: Trial, task: Task, protocol: Protocol) -> dict[tuple[int, float], float]:
    """What a training of several epochs reached before its last one."""
    samples = _cost(protocol)[1]
    measured = epoch_values(trial.epochs, task.metric)
    return {(epoch, samples): value for epoch, value, _ in measured if epoch < protocol.epochs}
