"""The result cache: what is on record is not trained again. Its key is the normalised source, task and protocol."""

from __future__ import annotations

from dataclasses import dataclass

from ..memory.records import Records, RecordsError
from ..memory.trial_records import FINISHED
from ..memory.types import Candidate, Protocol, Task, Trial, candidate_id
from .training import Evaluator


@dataclass(frozen=True)
class Result:
    """A trial, and whether it was on record already."""

    trial: Trial
    cached: bool


def find_result(records: Records, source: str, task: Task, protocol: Protocol) -> Trial | None:
    """The finished trial of a network under a protocol, if there is one. A layout that differs is the same network."""
    stored = records.get_trial(candidate_id(source), task.id, protocol.hash)
    return stored if stored is not None and stored.state in FINISHED else None


def train_once(evaluator: Evaluator, records: Records, source: str, task: Task, protocol: Protocol) -> Result:
    """Train a network unless that was done, and record the trial before it is returned.

    A network that is not on record yet becomes a candidate of origin ``hand-``. A trial that a process began and did
    not end is trained anew.

    Raises:
        ValueError, UnknownDataset, DatasetMissing: see :meth:`Evaluator.train`; the trial then stays unfinished.
        RecordsError: the records hold something that contradicts it.
    """
    register(records, source, task, protocol)
    key = candidate_id(source), task.id, protocol.hash
    stored = records.start_trial(*key)
    if stored.state in FINISHED:
        return Result(stored, cached=True)
    made = evaluator.train(source, task, protocol)
    try:
        return Result(records.finish_trial(made), cached=False)
    except RecordsError:
        # Another process has trained the same meanwhile; the first to end is the one on record.
        stored_since = find_result(records, source, task, protocol)
        if stored_since is None:
            raise
        return Result(stored_since, cached=True)


def register(records: Records, source: str, task: Task, protocol: Protocol) -> str:
    """Put on record what a trial refers to; the candidate's id."""
    records.add_task(task)
    records.add_protocol(protocol)
    return records.add_candidate(Candidate(source=source, origin="hand-"))
