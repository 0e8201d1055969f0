"""Train a candidate under a protocol and return logits for test images whose labels are not here.

Handler ``train.run``. Payload: ``source``; ``in_shape`` (channels, height, width); ``classes``; ``prm``;
``epochs``; ``batch``; ``seed``; ``mean`` and ``std`` per channel; ``train_limit`` and ``test_limit``, or
null; ``every_epoch``, whether logits are wanted after each epoch or after the last only. Data: uint8
``train_x`` and ``test_x``, int64 ``train_y``.
"""

from __future__ import annotations

import base64
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from . import batches, candidate, contract
else:  # In the worker these are top-level modules.
    import batches
    import candidate
    import contract

TEST_BATCH = 250
CPU = torch.device("cpu")


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """Train one candidate. Never raises for what the candidate does.

    Returns:
        ``ok``; ``epochs``, one dictionary each of ``epoch``, ``seconds`` (training alone), ``train_loss`` and
        ``logits`` (base64 of little-endian float32 (M, classes), or null); ``peak_mb``; and where it failed
        ``stage``, ``error_class``, ``message``, ``line``.
    """
    before = _peak_mb()
    training = _Training(payload, data, note)
    try:
        training.run()
        failure: dict[str, Any] = {"error_class": None, "message": None, "line": None}
    # A candidate may raise anything, SystemExit and KeyboardInterrupt too, and each is only its result.
    except BaseException as error:
        failure = candidate.describe(error)
    return {
        "ok": failure["error_class"] is None,
        "stage": training.stage,
        **failure,
        "epochs": training.epochs,
        "peak_mb": max(0.0, _peak_mb() - before),
    }


class _Training:
    def __init__(self, payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> None:
        self._payload = payload
        self._data = data
        self._note = note
        self._classes = int(payload["classes"])
        self.stage = "parse"
        self.epochs: list[dict[str, Any]] = []

    def run(self) -> None:
        made, net, prm = self._setup()
        images, loader = self._loader()
        epochs = int(self._payload["epochs"])
        for epoch in range(1, epochs + 1):
            self._enter(f"epoch {epoch}")
            started = time.perf_counter()
            net.train()
            loss = made.learn(net, loader, prm)
            loader.next_epoch()
            seconds = time.perf_counter() - started
            wanted = epoch == epochs or bool(self._payload["every_epoch"])
            logits = self._logits(net, images, epoch) if wanted else None
            self.epochs.append({"epoch": epoch, "seconds": seconds, "train_loss": loss, "logits": logits})

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self._note(stage)

    def _setup(self) -> tuple[contract.Contract, nn.Module, dict[str, Any]]:
        self._enter("parse")
        source = self._payload["source"]
        _, code = candidate.parse(source)
        self._enter("contract")
        seed = int(self._payload["seed"])
        batches.seed_all(seed)
        made = contract.Contract(candidate.execute(source, code))
        self._enter("build")
        prm = made.prm(self._payload["prm"])
        # Seeded again, so that what a module draws while it is imported does not move its first weights.
        batches.seed_all(seed)
        in_shape = (int(self._payload["batch"]), *self._payload["in_shape"])
        net = made.build(in_shape, (self._classes,), prm, CPU)
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.parameters()):
            net.eval()
            with torch.no_grad():
                net(torch.zeros(2, *self._payload["in_shape"]))  # An optimiser needs lazy layers built.
        made.train_setup(net, prm, CPU)
        return made, net, prm

    def _loader(self) -> tuple[batches.Images, batches.Batches]:
        images = batches.Images(
            self._data["train_x"], self._data["train_y"], self._payload["mean"], self._payload["std"]
        )
        seed = int(self._payload["seed"])
        limit = self._payload.get("train_limit") or len(images)
        generator = torch.Generator().manual_seed(seed)
        index = torch.randperm(len(images), generator=generator)[:limit]
        return images, batches.Batches(images, index, int(self._payload["batch"]), seed)

    def _logits(self, net: nn.Module, images: batches.Images, epoch: int) -> str:
        self._enter(f"test after epoch {epoch}")
        test_x = self._data["test_x"][: self._payload.get("test_limit") or None]
        net.eval()
        parts: list[torch.Tensor] = []
        with torch.no_grad():
            for part in torch.split(test_x, TEST_BATCH):
                logits = contract.check_output(net(images.normalised(part)), len(part), self._classes)
                parts.append(logits.detach().to(torch.float32))
        logits = torch.cat(parts)
        if not torch.isfinite(logits).all():
            raise candidate.Rejected("NonFinite", f"the network's outputs are not finite after epoch {epoch}")
        return base64.b64encode(logits.contiguous().numpy().astype("<f4").tobytes()).decode("ascii")


def _peak_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
