"""What the tests of tools share: networks, a sandbox that is opened once, and what tools share over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from netwright.interfaces.toolbox.shared import Shared
from netwright.sandbox import Job, Outcome, Sandbox, WorkerImage

NETWORK = (Path(__file__).resolve().parents[2] / "examples" / "small_net.py").read_text(encoding="utf-8")
BROKEN = NETWORK.replace("Linear(32", "Linear(16")
SLEEPER = """
import time
import torch
from torch import nn

def supported_hyperparameters():
    return {"lr", "momentum"}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.layer = nn.Linear(64, out_shape[0])

    def forward(self, x):
        return self.layer(x.flatten(1))

    def train_setup(self, prm):
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"])

    def learn(self, train_data):
        for number, (inputs, labels) in enumerate(train_data):
            if number > 3:
                time.sleep(600)
            self.optimizer.zero_grad()
            self.criterion(self(inputs), labels).backward()
            self.optimizer.step()
"""
"""Valid, and asleep for ten minutes when it is trained: validation gives it fewer batches."""


class Borrowed:
    """A sandbox that somebody else closes."""

    def __init__(self, inner: Sandbox) -> None:
        self._inner = inner
        self.name, self.isolating, self.workers = inner.name, inner.isolating, inner.workers

    def run(self, job: Job) -> Outcome:
        return self._inner.run(job)

    def close(self) -> None:
        """Leave it open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class SharedWith(Shared):
    """What tools share, over a sandbox that is there already."""

    def __init__(self, sandbox: Sandbox, settings: Any = ()) -> None:
        super().__init__(settings)
        self._sandbox = sandbox

    def open_sandbox(self, image: WorkerImage, workers: int | None = None) -> Sandbox:
        return Borrowed(self._sandbox)
