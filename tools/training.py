"""Train a candidate in a sandbox, score it here: test labels never go where the candidate runs."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..memory.types import Protocol, Task, Trial, candidate_id
from ..sandbox.protocol import Job, Limits, Sandbox, WorkerImage
from . import outcomes
from .datasets import held_out_labels, label_sources, prepare
from .devices import CPU, TRAINING_MEMORY_MB, Device, Places, device_nodes
from .execution import PAYLOAD, PRELOAD, SEED_ENVIRONMENT, classes_of, refuse
from .outcomes import Stop
from .tasks import TaskInfo, task_info

if TYPE_CHECKING:
    from .payload.transforms import Pipeline

# CPU seconds are the budget of a trial; the clock only ends what sleeps, so a busy machine must not trip it.
_WALL_FACTOR = 4.0
_WALL_EXTRA_S = 20.0
NORMALISE = "normalise"
MAX_COPY_BYTES = 6 * 2**30
"""Largest resized copy of a data set that is kept; above it images are resized batch by batch."""
_SETTING = ("device", "precision", "layout", "transform", "processor")
# Logits of every epoch come back only while all of them stay below this; else those of the last epoch alone.
_MAX_LOGITS_BYTES = 16 * 2**20


class _Forged(ValueError):
    """A result that no honest handler makes."""


def evaluation_image(
    datasets: Iterable[str],
    download: bool = False,
    transforms: Iterable[str] = (NORMALISE,),
    devices: Sequence[Device] = (CPU,),
) -> WorkerImage:
    """What a worker holds that validates and trains: handlers, images and training labels, nothing else.

    Args:
        datasets: names of known data sets; each is prepared first.
        download: may missing data be downloaded?
        transforms: those of the protocols that will be asked for. Where one begins with a resize, the worker holds
            the resized copy.
        devices: GPUs that jobs may use.

    Raises:
        UnknownDataset, DatasetMissing, DatasetCorrupt: see ``datasets.prepare``.
    """
    data: dict[str, Path] = {}
    for info in map(task_info, datasets):
        for transform in transforms:
            size = _copy_size(info, _pipeline(transform, info.in_shape))
            data[_resident(info, size)] = prepare(info.dataset, download=download, size=size)
    return WorkerImage(
        handlers=PAYLOAD,
        preload=PRELOAD,
        data=data,
        hidden=label_sources(),
        devices=device_nodes(devices),
        seed_environment=SEED_ENVIRONMENT,
    )


def seen_task(task: Task, protocol: Protocol) -> Task:
    """The task as a network meets it: its images have the shape that the protocol's transform gives them.

    Raises:
        TransformError: the transform cannot be done, with these images or at all.
    """
    if len(task.in_shape) != 3:
        return task
    channels, height, width = task.in_shape
    return task.model_copy(update={"in_shape": _pipeline(protocol.transform, (channels, height, width)).out_shape})


def _pipeline(transform: str, in_shape: tuple[int, int, int]) -> Pipeline:
    from .payload.transforms import Pipeline  # here, because it imports torchvision

    return Pipeline(transform, in_shape)


def _copy_size(info: TaskInfo, pipeline: Pipeline) -> tuple[int, int] | None:
    """Size of the resized copy that a transform works on; ``None`` for the images as they are, or where the copy
    would be too large to hold."""
    size = pipeline.cached_size
    if size is None or size == info.in_shape[1:]:
        return None
    held = (info.train_size + info.test_size) * info.in_shape[0] * size[0] * size[1]
    return size if held <= MAX_COPY_BYTES else None


def _resident(info: TaskInfo, size: tuple[int, int] | None) -> str:
    """Name of a data set, or of its resized copy, in the worker."""
    return info.dataset if size is None else f"{info.dataset}@{size[0]}x{size[1]}"


class Evaluator:
    """Trains candidates under a protocol and scores them.

    Args:
        sandbox: made with :func:`evaluation_image` for the data sets and transforms that will be asked for.
        memory_mb: MiB of memory of one trial.
        devices: where networks run; a sandbox for GPUs is made with an image that shows them.
    """

    def __init__(
        self, sandbox: Sandbox, memory_mb: int = TRAINING_MEMORY_MB, devices: Sequence[Device] = (CPU,)
    ) -> None:
        self._sandbox = sandbox
        self._memory_mb = memory_mb
        self._places = Places(devices)

    def train(self, source: str, task: Task, protocol: Protocol) -> Trial:
        """One trial, complete or failed. Never raises for what the candidate does.

        The same source, task and protocol give the same metric to the last digit on the same kind of machine.

        Raises:
            ValueError: the task or the protocol's transform (TransformError) cannot be done.
            UnknownDataset, DatasetMissing: the task's data set is not there.
        """
        info = task_info(task.dataset)
        pipeline = _pipeline(protocol.transform, info.in_shape)
        if classes_of(task) != info.classes or task.in_shape != info.in_shape:
            raise ValueError(
                f"task {task.id} has shapes {task.in_shape} → {task.out_shape}, its data set has "
                f"{info.in_shape} → ({info.classes},)"
            )
        trial = Trial(candidate_id=candidate_id(source), task_id=task.id, protocol_hash=protocol.hash, state="failed")
        refused = refuse(source)
        if refused is not None:
            return _failed(trial, refused, "extract")
        labels = held_out_labels(info.dataset)[: protocol.test_limit]
        limits = self._limits(protocol, info, len(labels))
        size = _copy_size(info, pipeline)
        payload = _payload(source, info, protocol, len(labels))
        payload |= {"transform": pipeline.spec, "resized": size is not None}
        with self._places.lease() as device:
            job = Job(
                handler="train.run",
                payload={**payload, "device": device},
                data=_resident(info, size),
                limits=limits,
                address_space=device == CPU.name,
            )
            outcome = self._sandbox.run(job)
        trial = trial.model_copy(update={"cpu_s": outcome.cpu_s, "wall_s": outcome.wall_s})
        stop = outcomes.stop_of(outcome, limits)
        if stop is not None:
            return _failed(trial, stop, outcome.note)
        return _finished(trial, outcome.result, protocol, info, labels)

    def _limits(self, protocol: Protocol, info: TaskInfo, tests: int) -> Limits:
        kept = protocol.epochs if _every_epoch(protocol, info, tests) else 1
        return Limits(
            wall_s=_WALL_FACTOR * protocol.time_limit_s + _WALL_EXTRA_S,
            cpu_s=protocol.time_limit_s,
            memory_mb=self._memory_mb,
            result_kb=64 + protocol.epochs + math.ceil(kept * _logits_bytes(info, tests) / 1024),
        )


def _payload(source: str, info: TaskInfo, protocol: Protocol, tests: int) -> dict[str, Any]:
    prm = {
        "lr": protocol.lr,
        "momentum": protocol.momentum,
        "batch": protocol.batch,
        "epoch": protocol.epochs,
        "transform": protocol.transform,
        **protocol.prm,
    }
    return {
        "source": source,
        "in_shape": list(info.in_shape),
        "classes": info.classes,
        "prm": prm,
        "epochs": protocol.epochs,
        "batch": protocol.batch,
        "seed": protocol.seed,
        "mean": list(info.mean),
        "std": list(info.std),
        "train_limit": protocol.train_limit,
        "test_limit": protocol.test_limit,
        "every_epoch": _every_epoch(protocol, info, tests),
        "precision": protocol.precision,
        "limit_s": protocol.time_limit_s,
    }


def _logits_bytes(info: TaskInfo, tests: int) -> int:
    """Length of one epoch's logits as base64 of float32."""
    return 4 * math.ceil(4 * tests * info.classes / 3)


def _every_epoch(protocol: Protocol, info: TaskInfo, tests: int) -> bool:
    return protocol.epochs * _logits_bytes(info, tests) <= _MAX_LOGITS_BYTES


def _failed(trial: Trial, stop: Stop, stage: object) -> Trial:
    """A failed trial has a reason and the stage where it happened, and never a score."""
    where = outcomes.text(stage, 40)
    message = f"{where}: {stop.message}" if where else stop.message
    return trial.model_copy(update={"state": "failed", "error_class": stop.error_class, "message": message})


def _finished(trial: Trial, result: object, protocol: Protocol, info: TaskInfo, labels: npt.NDArray[np.int64]) -> Trial:
    """The trial that a handler's result tells of, scored here."""
    if not isinstance(result, dict) or not isinstance(result.get("ok"), bool):
        return _failed(trial, outcomes.forged("no trial in it"), None)
    trial = trial.model_copy(update={"setting": _setting(result.get("setting"))})
    if not result["ok"]:
        message = outcomes.text(result.get("message"))
        line = outcomes.line_number(result.get("line"))
        told = Stop(outcomes.name(result.get("error_class")), f"{message} (line {line})" if line else message)
        return _failed(trial, told, result.get("stage"))
    try:
        epochs = _score(result.get("epochs"), protocol.epochs, labels, info.classes)
    except _Forged as error:
        return _failed(trial, outcomes.forged(str(error)), None)
    peak = outcomes.number(result.get("peak_mb"))
    update = {"state": "complete", "metric": epochs[-1]["accuracy"], "epochs": epochs, "peak_mb": peak}
    return trial.model_copy(update=update)


def _setting(told: object) -> dict[str, Any]:
    """What the handler says of how it ran the network: a few short names and numbers, the rest is left out."""
    if not isinstance(told, dict):
        return {}
    texts = {key: outcomes.text(told[key], 40) for key in _SETTING if isinstance(told.get(key), str)}
    tries = outcomes.count(told.get("tries"), most=10)
    return {**texts, **({} if tries is None else {"tries": tries})}


def _score(told: object, epochs: int, labels: npt.NDArray[np.int64], classes: int) -> tuple[dict[str, Any], ...]:
    """Epochs with their accuracy, computed here from logits.

    Raises:
        _Forged: wrong number of epochs, or logits of a wrong form.
    """
    if not isinstance(told, list) or len(told) != epochs:
        raise _Forged(f"not {epochs} epochs")
    scored: list[dict[str, Any]] = []
    for number, item in enumerate(told, start=1):
        if not isinstance(item, dict):
            raise _Forged(f"epoch {number} is not an object")
        entry: dict[str, Any] = {"epoch": number}
        if item.get("logits") is not None:
            entry["accuracy"] = accuracy(_logits(item["logits"], len(labels), classes), labels)
        elif number == epochs:
            raise _Forged("no logits after the last epoch")
        for key in ("train_loss", "seconds"):
            value = outcomes.number(item.get(key), least=-1e9)
            if value is not None:
                entry[key] = value
        scored.append(entry)
    return tuple(scored)


def accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Share of samples whose largest logit is at their label; the first of equal ones counts.

    Args:
        logits: (M, classes). labels: (M,).
    """
    return float((logits.argmax(axis=1) == labels).mean())


def _logits(told: object, tests: int, classes: int) -> npt.NDArray[np.float32]:
    wanted = 4 * tests * classes
    if not isinstance(told, str) or len(told) != 4 * math.ceil(wanted / 3):
        raise _Forged(f"logits are not {tests} × {classes}")
    try:
        raw = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Forged("logits are not base64") from error
    if len(raw) != wanted:
        raise _Forged(f"logits are not {tests} × {classes}")
    logits = np.frombuffer(raw, dtype="<f4").reshape(tests, classes)
    if not np.isfinite(logits).all():
        raise _Forged("logits are not finite")
    return logits.astype(np.float32, copy=False)
