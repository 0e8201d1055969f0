"""One network, one protocol: answered from the records, or validated and trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...memory.records import Records
from ...memory.types import Protocol, Task, Trial, Verdict, candidate_id
from .live import activity

if TYPE_CHECKING:
    from ...sandbox.protocol import Sandbox
    from ...tools.devices import DeviceChoice
    from ...tools.training import Evaluator


@dataclass(frozen=True)
class Work:
    """What a command was asked to judge.

    Attributes:
        backends: names of sandbox backends, the first of which that runs here is taken.
        device: where it trains.
        hidden: show no progress.
    """

    file: Path
    task: Task
    protocol: Protocol
    backends: tuple[str, ...]
    device: DeviceChoice
    hidden: bool


@dataclass(frozen=True)
class Judged:
    """The answer.

    Attributes:
        verdict: ``None`` where the trial is from the records and the verdict is not on them.
        trial: ``None`` for an invalid network.
        cached: the trial was on record.
        recorded: the trial is on record.
    """

    verdict: Verdict | None
    trial: Trial | None = None
    cached: bool = False
    recorded: bool = True


def judge(work: Work, records: Records, *, fresh: bool) -> Judged:
    """The result that is on record; if there is none, validate, train and record it.

    Args:
        fresh: train in any case. A result that is on record stays as it is.
    """
    from ...tools.execution import SourceRefused, read_source
    from ...tools.result_cache import find_result, train_once

    try:
        source = read_source(work.file)
    except SourceRefused as refused:
        return Judged(refused.verdict)
    stored = find_result(records, source, work.task, work.protocol)
    # A pruned trial answers a search and nobody else: it says that another was better, not what this one reaches.
    if stored is not None and stored.state != "pruned" and not fresh:
        return Judged(records.get_verdict(candidate_id(source), work.task.id), stored, cached=True)
    with opened(work, single=True) as (sandbox, evaluator, tell):
        verdict = validated(work, records, sandbox, source, tell)
        if not verdict.ok:
            return Judged(verdict)
        tell(f"training {work.file.name} on {work.task.dataset}, epochs: {work.protocol.epochs}")
        if stored is not None:
            return Judged(verdict, evaluator.train(source, work.task, work.protocol), recorded=False)
        result = train_once(evaluator, records, source, work.task, work.protocol)
        return Judged(verdict, result.trial, cached=result.cached)


@contextmanager
def opened(
    work: Work, *, single: bool, transforms: Sequence[str] = ()
) -> Iterator[tuple[Sandbox, Evaluator, Callable[[str], None]]]:
    """A sandbox with the data set, its evaluator, and a function that tells the person what is being done.

    Args:
        single: for one training; otherwise there are as many workers as trainings that fit on the machine.
        transforms: beside the protocol's own.
    """
    from ...sandbox import open_sandbox
    from ...tools.devices import find_devices, places_on
    from ...tools.training import Evaluator, evaluation_image

    with activity("preparing the data", hidden=work.hidden) as tell:
        devices = find_devices(work.device)
        transforms = [work.protocol.transform, *transforms]
        image = evaluation_image([work.task.dataset], transforms=transforms, devices=devices)
        workers = 1 if single else places_on(devices)
        tell("starting the sandbox")
        with open_sandbox(work.backends, image, workers=workers) as sandbox:
            yield sandbox, Evaluator(sandbox, devices=devices), tell


def validated(work: Work, records: Records, sandbox: Sandbox, source: str, tell: Callable[[str], None]) -> Verdict:
    """The verdict on a network, with images as the protocol's transform makes them."""
    from ...tools.execution import Validator
    from ...tools.result_cache import register
    from ...tools.training import seen_task

    tell(f"validating {work.file.name}")
    seen = seen_task(work.task, work.protocol)
    verdict = Validator(sandbox).validate(source, seen)
    # Verdicts on record are about the data set's own shape.
    if verdict.ok and seen == work.task:
        candidate = register(records, source, work.task, work.protocol)
        return records.put_verdict(candidate, work.task.id, verdict)
    return verdict
