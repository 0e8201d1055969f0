"""Train a candidate under a protocol and return logits for test images whose labels are not here.

Handler ``train.run``. Payload: ``source``; ``in_shape`` (channels, height, width) of the stored images;
``classes``; ``prm``; ``epochs``; ``batch``; ``seed``; ``mean`` and ``std`` per channel; ``train_limit`` and
``test_limit``, or null; ``every_epoch``, whether logits are wanted after each epoch or after the last only;
``transform``; ``resized``, whether the data are a resized copy; ``precision``; ``device``; ``limit_s``, CPU
seconds of the whole. Data: uint8 ``train_x`` and ``test_x``, int64 ``train_y``.
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
    from . import batches, candidate, contract, setting, transforms
else:  # In the worker these are top-level modules.
    import batches
    import candidate
    import contract
    import setting
    import transforms

TEST_BATCH = 250
# What a network does with its protocol, not with the way it is run: no other setting changes these.
_FINAL = (batches.ProtocolError, batches.TooSlow, contract.ContractError, KeyboardInterrupt, SystemExit)


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """Train one candidate. Never raises for what the candidate does.

    A network that fails in a fast setting (bf16, channels_last) is trained again from its beginning in fp32, if
    more than half of its time is left; the answer says what it ran in.

    Returns:
        ``ok``; ``epochs``, one dictionary each of ``epoch``, ``seconds`` (training alone), ``train_loss`` and
        ``logits`` (base64 of little-endian float32 (M, classes), or null); ``peak_mb``; ``setting``; and where it
        failed ``stage``, ``error_class``, ``message``, ``line``.
    """
    before = _peak_mb()
    setting.keep_memory()
    try:
        training = _Training(payload, data, note)
    except transforms.TransformError as error:
        return {"ok": False, "stage": "data", **candidate.describe(error), "epochs": []}
    failure: dict[str, Any] = {}
    while True:
        try:
            training.run()
            failure = {"error_class": None, "message": None, "line": None}
        # A candidate may raise anything, SystemExit and KeyboardInterrupt too, and each is only its result.
        except BaseException as error:
            failure = candidate.describe(error)
            if not isinstance(error, _FINAL) and training.can_try_again():
                continue
        break
    return {
        "ok": failure["error_class"] is None,
        "stage": training.stage,
        **failure,
        "epochs": training.epochs,
        "peak_mb": max(0.0, _peak_mb() - before),
        "setting": training.told(),
    }


class _Training:
    def __init__(self, payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> None:
        self._payload = payload
        self._data = data
        self._note = note
        self._classes = int(payload["classes"])
        self._device = str(payload.get("device") or "cpu")
        self._limit_s = payload.get("limit_s")
        self._tries: list[setting.Setting] = []
        self._try = 0
        channels, height, width = (int(n) for n in payload["in_shape"])
        self._pipeline = transforms.Pipeline(str(payload.get("transform") or ""), (channels, height, width))
        self.stage = "parse"
        self.epochs: list[dict[str, Any]] = []

    def run(self) -> None:
        self.epochs = []
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

    def can_try_again(self) -> bool:
        """Go to the next, slower setting, if there is one and time for it."""
        if self._try + 1 >= len(self._tries):
            return False
        if self._limit_s is not None and time.process_time() > float(self._limit_s) / 2:
            return False
        self._try += 1
        return True

    def told(self) -> dict[str, Any]:
        """The setting of the training, for the trial."""
        if not self._tries:
            return {}
        return {
            **self._tries[self._try].as_json(),
            "transform": "batched" if self._pipeline.batched else "torchvision",
            "processor": torch.backends.cpu.get_cpu_capability(),
            "tries": self._try + 1,
        }

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self._note(stage)

    def _setup(self) -> tuple[contract.Contract, nn.Module, dict[str, Any]]:
        self._enter("parse")
        source = self._payload["source"]
        _, code = candidate.parse(source)
        self._enter("contract")
        seed, device = int(self._payload["seed"]), torch.device(self._device)
        batches.seed_all(seed)
        made = contract.Contract(candidate.execute(source, code))
        self._enter("build")
        prm = made.prm(self._payload["prm"])
        # Seeded again, so that what a module draws while it is imported does not move its first weights.
        batches.seed_all(seed)
        shape = self._pipeline.out_shape
        net = made.build((int(self._payload["batch"]), *shape), (self._classes,), prm, device).to(device)
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.parameters()):
            net.eval()
            with torch.no_grad():
                net(torch.zeros(2, *shape, device=device))  # An optimiser needs lazy layers built.
        self._tries = self._tries or setting.settings(str(self._payload.get("precision") or "fp32"), self._device, net)
        net = setting.apply(self._tries[self._try], net)
        made.train_setup(net, prm, device)
        return made, net, prm

    def _loader(self) -> tuple[batches.Images, batches.Batches]:
        images = batches.Images(
            self._data["train_x"].to(self._device),
            self._data["train_y"].to(self._device),
            self._payload["mean"],
            self._payload["std"],
            self._pipeline,
            bool(self._payload.get("resized")),
            self._tries[self._try].memory_format,
        )
        seed = int(self._payload["seed"])
        limit = self._payload.get("train_limit") or len(images)
        generator = torch.Generator().manual_seed(seed)
        index = torch.randperm(len(images), generator=generator)[:limit]
        limit_s = None if self._limit_s is None else float(self._limit_s)
        batch, epochs = int(self._payload["batch"]), int(self._payload["epochs"])
        return images, batches.Batches(images, index, batch, seed, epochs, limit_s)

    def _logits(self, net: nn.Module, images: batches.Images, epoch: int) -> str:
        self._enter(f"test after epoch {epoch}")
        test_x = self._data["test_x"][: self._payload.get("test_limit") or None]
        net.eval()
        parts: list[torch.Tensor] = []
        with torch.no_grad():
            for part in torch.split(test_x, TEST_BATCH):
                seen = images.seen(part.to(self._device))
                logits = contract.check_output(net(seen), len(part), self._classes)
                parts.append(logits.detach().to("cpu", torch.float32))
        logits = torch.cat(parts)
        if not torch.isfinite(logits).all():
            raise candidate.Rejected("NonFinite", f"the network's outputs are not finite after epoch {epoch}")
        return base64.b64encode(logits.contiguous().numpy().astype("<f4").tobytes()).decode("ascii")


def _peak_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
