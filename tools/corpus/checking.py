"""One network in one call: validated, trained under what its hyperparameters say, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import ValidationError

from ...memory.records import Records
from ...memory.types import Candidate, Origin, Protocol, Trial, Verdict
from ...sandbox import ISOLATING, Sandbox, open_sandbox
from ..execution import Validator
from ..protocols import changed, check_fits, protocol
from ..result_cache import find_result, train_once
from ..tasks import TaskInfo, task_info
from ..training import Evaluator, evaluation_image, seen_task
from .quality import code_quality

KIND: Final = "img-classification"
METRICS: Final = ("acc", "accuracy")  # LEMUR's word and ours
# "LEMUR 2", section 2.2.7: batch 64, learning rate 0.01, momentum 0.9, one epoch. What `prm` leaves out is these.
_BASE: Final = "lemur-1ep"
_FIELDS: Final = {"lr": "lr", "momentum": "momentum", "batch": "batch", "epoch": "epochs", "transform": "transform"}
_OWN: Final = ("seed", "train_limit", "test_limit", "precision")
# What a record of LEMUR holds beside hyperparameters, so that the `prm` of a row can be given back as it is.
_IGNORED: Final = frozenset({"uid", "accuracy", "duration", "num_workers", "epoch_max"})
# Of LEMUR's metric of accuracy against time: (accuracy - chance) / (nanoseconds / 1e11), that is per 100 seconds.
_TIME_UNIT_S: Final = 100.0


@dataclass(frozen=True)
class Checked:
    """What :func:`check` found. Unpacks into LEMUR's four: name, accuracy, accuracy to time, quality.

    Attributes:
        name: under which the network's results stand in the data set.
        accuracy: after the last epoch; ``None`` for a network that is invalid or could not be trained.
        accuracy_to_time: accuracy above chance per 100 seconds of training; ``None`` without accuracy.
        quality: of the code, see :func:`.quality.code_quality`.
        verdict: how far it got in the sandbox; ``None`` where a trial was on record without one.
        trial: ``None`` for an invalid network.
        cached: the trial was on record already.
    """

    name: str
    accuracy: float | None
    accuracy_to_time: float | None
    quality: float
    verdict: Verdict | None
    trial: Trial | None = None
    cached: bool = False

    @property
    def ok(self) -> bool:
        """Whether it was trained to the end."""
        return self.accuracy is not None

    @property
    def reason(self) -> str:
        """One line: ``ok``, or what stopped it."""
        if self.verdict is not None and not self.verdict.ok:
            return self.verdict.reason
        if self.trial is not None and self.trial.state != "complete":
            return f"training {self.trial.state}: {self.trial.error_class}: {self.trial.message}"
        return "ok"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.name, self.accuracy, self.accuracy_to_time, self.quality))


@dataclass(frozen=True)
class _Work:
    """What is asked, and the name that it gets unless it has one."""

    candidate: Candidate
    info: TaskInfo
    protocol: Protocol
    name: str

    def checked(self, name: str, verdict: Verdict | None, trial: Trial | None, cached: bool = False) -> Checked:
        """The answer."""
        accuracy = trial.metric if trial is not None and trial.state == "complete" else None
        rate = None
        if trial is not None and accuracy is not None and trial.wall_s > 0:
            rate = max(0.0, accuracy - 1 / self.info.classes) / (trial.wall_s / _TIME_UNIT_S)
        return Checked(name, accuracy, rate, code_quality(self.candidate.source), verdict, trial, cached)


_Place = Callable[[], AbstractContextManager[Sandbox]]


def check(
    code: str,
    task: str,
    dataset: str,
    metric: str,
    prm: Mapping[str, Any],
    save_to_db: bool = True,
    prefix: str | None = None,
    *,
    epoch_limit_minutes: float = 30.0,
    download: bool = False,
    backends: str | Sequence[str] = ISOLATING,
    sandbox: Sandbox | None = None,
    records: Records | str | None = None,
) -> Checked:
    """Validate a network in the sandbox, train it and put it on record, as ``ab.nn.api.check_nn`` does.

    What the code does never raises: the result says how far it came. A network that was trained under the same
    hyperparameters before is answered from the records.

    Args:
        code: source text under LEMUR's contract. It runs in the sandbox only.
        task: ``img-classification``.
        dataset: name of a known data set; spelling does not matter.
        metric: ``acc`` or ``accuracy``.
        prm: hyperparameters; ``lr``, ``momentum``, ``batch``, ``epoch`` (how many) and ``transform`` make the protocol,
            as do ``seed``, ``train_limit``, ``test_limit`` and ``precision``; what is left out is as in the protocol
            ``lemur-1ep``. Further numbers (``dropout``) go to the network.
        save_to_db: put candidate, verdict and trial on record.
        prefix: of the name, such as ``rag``; by default ``hand``.
        epoch_limit_minutes: CPU minutes of one epoch.
        download: may the data set be downloaded?
        backends: sandbox backends to try in order.
        sandbox: an open one to use instead, made with ``training.evaluation_image`` for the data set and transform:
            for many networks, since to start one takes seconds.
        records: an open :class:`Records`, or a SQLAlchemy URL; by default the records of the data directory.

    Raises:
        ValueError: unknown task, data set or metric, or hyperparameters that make no protocol.
        DatasetMissing: the data set is not on disk.
        SandboxUnavailable: no backend runs here.
    """
    info = task_info(dataset)
    if task != KIND:
        raise ValueError(f"cannot train networks for task {task[:60]!r}: only {KIND} is known")
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric[:60]!r}; known are: {', '.join(METRICS)}")
    chosen = protocol_of(prm, epoch_limit_minutes)
    check_fits(chosen, info)
    candidate = Candidate(source=code, origin=_origin(prefix))
    work = _Work(candidate, info, chosen, f"{_prefix(prefix)}{candidate.id[:12]}")

    @contextmanager
    def place() -> Iterator[Sandbox]:
        if sandbox is not None:
            yield sandbox
            return
        image = evaluation_image([info.dataset], download=download, transforms=[chosen.transform])
        with open_sandbox(backends, image, workers=1) as opened:
            yield opened

    if not save_to_db:
        return _judge(work, None, place)
    if isinstance(records, Records):
        return _recorded(work, records, place)
    with Records(records) as store:
        return _recorded(work, store, place)


def protocol_of(prm: Mapping[str, Any], epoch_limit_minutes: float = 30.0) -> Protocol:
    """The protocol that hyperparameters stand for.

    Raises:
        ValueError: a value that a protocol cannot have, or a further one that is no number.
    """
    fields = {_FIELDS[name]: prm[name] for name in _FIELDS if prm.get(name) is not None}
    fields |= {name: prm[name] for name in _OWN if prm.get(name) is not None}
    rest = {name: value for name, value in prm.items() if name not in {*_FIELDS, *_OWN, *_IGNORED}}
    wrong = sorted(
        name for name, value in rest.items() if isinstance(value, bool) or not isinstance(value, int | float)
    )
    if wrong:
        raise ValueError(f"hyperparameters must be numbers: {', '.join(wrong)[:200]}")
    if not epoch_limit_minutes > 0:
        raise ValueError(f"epoch_limit_minutes must be above 0, not {epoch_limit_minutes}")
    if fields.get("transform") == "default":  # LEMUR's word for none of its own
        del fields["transform"]
    try:
        made = changed(protocol(_BASE), **{**fields, "name": "check", "prm": rest})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError(f"hyperparameters that make no protocol: {told}") from error
    return made.model_copy(update={"time_limit_s": 60.0 * epoch_limit_minutes * made.epochs})


def _recorded(work: _Work, records: Records, place: _Place) -> Checked:
    """The result on record, or a new one that is put there."""
    task, candidate = work.info.task, work.candidate
    stored = find_result(records, candidate.source, task, work.protocol)
    if stored is not None and stored.state != "pruned":
        named = records.name_own_network(work.name, candidate.id)
        return work.checked(named, records.get_verdict(candidate.id, task.id), stored, cached=True)
    records.add_task(task)
    records.add_protocol(work.protocol)
    records.add_candidate(candidate)
    return _judge(work, records, place)


def _judge(work: _Work, records: Records | None, place: _Place) -> Checked:
    """Validate and train, with records or without."""
    task, source = work.info.task, work.candidate.source
    with place() as sandbox:
        seen = seen_task(task, work.protocol)
        verdict = Validator(sandbox).validate(source, seen)
        # Verdicts on record are about the data set's own shape.
        if records is not None and seen == task:
            verdict = records.put_verdict(work.candidate.id, task.id, verdict)
        if not verdict.ok:
            return work.checked(work.name, verdict, None)
        evaluator = Evaluator(sandbox)
        if records is None:
            return work.checked(work.name, verdict, evaluator.train(source, task, work.protocol))
        name = records.name_own_network(work.name, work.candidate.id)
        result = train_once(evaluator, records, source, task, work.protocol)
        return work.checked(name, verdict, result.trial, cached=result.cached)


def _prefix(prefix: str | None) -> str:
    if prefix is None or not prefix.strip("-"):
        return "hand-"
    plain = prefix.strip("-")
    if len(plain) > 60 or not all(sign.isalnum() or sign in "-." for sign in plain):
        raise ValueError(f"a prefix has at most 60 letters, digits, points and hyphens, not {prefix[:80]!r}")
    return f"{plain}-"


def _origin(prefix: str | None) -> Origin:
    """The origin of this name, or hand-."""
    return next((one for one in get_args(Origin) if one == _prefix(prefix)), "hand-")
