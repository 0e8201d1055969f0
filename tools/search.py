"""Search for a network's hyperparameters with Optuna; each point that is tried is a trial under a protocol of its own.

The search has no store of its own: the same seed proposes the same points again, and what is on record is looked up
and not trained. So a search that was killed goes on when it is started again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..memory.records import Records
from ..memory.types import Protocol, Task, Trial, candidate_id
from .protocols import changed, check_fits
from .result_cache import Result, find_result, register, train_once
from .search_space import SearchError, Space, supported_names, training_size
from .tasks import TaskInfo, task_info
from .training import Evaluator

if TYPE_CHECKING:
    import optuna

__all__ = ["SearchError", "SearchResult", "SearchRow", "search", "supported_names"]

# Points are asked for in rounds of this size on every machine, whatever its number of workers: what Optuna proposes
# depends on what it knew when it was asked.
_ROUND = 4
# The first part of a training, by which Optuna's pruner decides on the rest.
_FIRST_PART = 1 / 3
# The median of fewer is chance.
_UNPRUNED = 4


@dataclass(frozen=True)
class SearchRow:
    """One point of a search.

    Attributes:
        number: from 0, the protocol's own values, in the order in which Optuna proposed them.
        protocol: the protocol that the point makes.
        trial: complete, failed or pruned; a point that failed in its first part has the failed trial of that part.
        first: the trial on the first third of the samples.
        cached: whether everything was on record already.
    """

    number: int
    protocol: Protocol
    trial: Trial
    first: Trial
    cached: bool

    @property
    def prm(self) -> dict[str, Any]:
        """Values of all hyperparameters, by their names."""
        chosen = self.protocol
        fields = {"lr": chosen.lr, "momentum": chosen.momentum, "batch": chosen.batch, "transform": chosen.transform}
        return {**fields, **chosen.prm}


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        best: the complete row with the best metric, the earliest of equal ones; ``None`` if none is complete.
        rows: all, in the order of their numbers.
    """

    best: SearchRow | None
    rows: tuple[SearchRow, ...]

    @property
    def ranking(self) -> tuple[SearchRow, ...]:
        """Best first; those without a metric at the end."""
        return tuple(sorted(self.rows, key=lambda row: (-_score(row), row.number)))


def search(
    evaluator: Evaluator,
    records: Records,
    source: str,
    names: Mapping[str, float],
    task: Task,
    protocol: Protocol,
    n: int,
    seed: int,
    transforms: Sequence[str] = (),
    on_trial: Callable[[SearchRow], None] | None = None,
) -> SearchResult:
    """Try ``n`` points around a protocol, the first of which is the protocol itself.

    A tree-structured Parzen estimator proposes them (Optuna's default); a point whose first third of the training is
    below the median of the earlier ones is pruned. Same network, protocol and seed, same points, on any number of
    workers; those that are on record are not trained again.

    Args:
        evaluator: its sandbox holds the task's data set, for all transforms.
        names: what the network supports and the defaults, from :func:`supported_names`.
        transforms: to choose from, beside the protocol's own.
        on_trial: called with each row when it is known, in order.

    Raises:
        ValueError: ``n`` is not positive, or a transform or the task cannot be done.
        UnknownDataset, DatasetMissing: see :meth:`Evaluator.train`.
    """
    if n < 1:
        raise ValueError(f"a search needs at least one trial, not {n}")
    info = task_info(task.dataset)
    check_fits(protocol, info)
    space = Space.of(protocol, names, info, transforms)
    run = _Search(evaluator, records, source, task, info)
    rows: list[SearchRow] = []
    with _study(seed) as study:
        study.enqueue_trial(space.start())
        while len(rows) < n:
            for row in run.round(study, space, min(_ROUND, n - len(rows))):
                rows.append(row)
                if on_trial is not None:
                    on_trial(row)
    best = min((row for row in rows if row.trial.state == "complete"), key=lambda row: -_score(row), default=None)
    return SearchResult(best, tuple(rows))


def _score(row: SearchRow) -> float:
    return row.trial.metric if row.trial.metric is not None else -math.inf


@contextmanager
def _study(seed: int) -> Iterator[optuna.Study]:
    """A study in memory, which is made anew from the records each time; Optuna's log is silent meanwhile."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=0),
        )
    finally:
        optuna.logging.set_verbosity(before)


class _Search:
    """The rounds of one search."""

    def __init__(self, evaluator: Evaluator, records: Records, source: str, task: Task, info: TaskInfo) -> None:
        self._evaluator = evaluator
        self._records = records
        self._source = source
        self._task = task
        self._info = info

    def round(self, study: optuna.Study, space: Space, count: int) -> Iterator[SearchRow]:
        """Ask for some points, train them together, and tell Optuna their results in order."""
        asked = [study.ask() for _ in range(count)]
        chosen = [space.suggest(trial) for trial in asked]
        pool = ThreadPoolExecutor(count)  # as many run at a time as the sandbox has workers
        try:
            firsts = list(pool.map(self._train, [self._first_part(each) for each in chosen]))
            waiting = [
                pool.submit(self._rest, trial, each, first.trial)
                for trial, each, first in zip(asked, chosen, firsts, strict=True)
            ]
            ends = [each.result() for each in waiting]
        finally:
            # An interrupt must not wait for trainings; who closes the sandbox ends them.
            pool.shutdown(wait=False, cancel_futures=True)
        for trial, each, first, end in zip(asked, chosen, firsts, ends, strict=True):
            _tell(study, trial, end.trial)
            yield SearchRow(trial.number, each, end.trial, first.trial, first.cached and end.cached)

    def _first_part(self, chosen: Protocol) -> Protocol:
        limit = math.ceil(training_size(chosen, self._info) * _FIRST_PART)
        return changed(chosen, name=f"{chosen.name}@{limit}", train_limit=limit, rungs=())

    def _train(self, chosen: Protocol) -> Result:
        return train_once(self._evaluator, self._records, self._source, self._task, chosen)

    def _rest(self, trial: optuna.Trial, chosen: Protocol, first: Trial) -> Result:
        """The whole training, unless the first part says that it is not worth it."""
        if first.metric is None:
            return Result(first, cached=True)
        trial.report(first.metric, step=1)
        stored = find_result(self._records, self._source, self._task, chosen)
        if stored is not None or not trial.should_prune():
            return self._train(chosen) if stored is None else Result(stored, cached=True)
        return Result(self._prune(chosen, first), cached=False)

    def _prune(self, chosen: Protocol, first: Trial) -> Trial:
        register(self._records, self._source, self._task, chosen)
        key = candidate_id(self._source), self._task.id, chosen.hash
        stored = self._records.start_trial(*key)
        if stored.state != "running":
            return stored
        reached = f"{self._task.metric} {first.metric:.4f} after the first part (protocol {first.protocol_hash})"
        pruned = Trial(
            candidate_id=key[0],
            task_id=key[1],
            protocol_hash=key[2],
            state="pruned",
            error_class="Pruned",
            message=f"{reached} is below the median",
        )
        return self._records.finish_trial(pruned)


def _tell(study: optuna.Study, asked: optuna.Trial, made: Trial) -> None:
    from optuna.trial import TrialState

    if made.state == "complete":
        study.tell(asked, made.metric)
    else:
        study.tell(asked, state=TrialState.PRUNED if made.state == "pruned" else TrialState.FAIL)
