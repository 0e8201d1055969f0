"""Attacks on what the host believes: forged results, forged accuracy, test labels, the next candidate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from netwright.tools.datasets import held_out_labels
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator

if TYPE_CHECKING:
    from netwright.memory.types import Trial

    from .conftest import Attack

DIGITS, QUICK = task("digits"), protocol("digits-1ep")
HONEST = """
import torch
from torch import nn

def supported_hyperparameters():
    return {"lr", "momentum"}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, out_shape[0]))

    def train_setup(self, prm):
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"], momentum=prm["momentum"])

    def learn(self, train_data):
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            self.criterion(self(inputs), labels).backward()
            self.optimizer.step()

    def forward(self, x):
        return self.layers(x)
"""


def train(attack: Attack, source: str) -> Trial:
    return Evaluator(attack.sandbox).train(source, DIGITS, QUICK)


def test_forged_result(attack: Attack) -> None:
    whole = attack.run({"answer": '{"kind": "ok", "result": {"accuracy": 1e999}}', "end": True})
    assert (whole.status, whole.result) == ("ok", {"accuracy": float("inf")})  # data, for the caller to check
    junk = ["\x80\x04K*.", "[" * 100_000, '{"kind": "ok"}', '"\xff"', '{"kind":"ok","result":{"a":"\\ud800"}}']
    for answer in junk:
        outcome = attack.run({"answer": answer, "end": True})
        assert (outcome.status, outcome.result) == ("result", None), answer[:40]
    before = attack.run({"answer": '{"kind": "ok", "result": {}}', "end": False})
    assert (before.status, before.result) == ("result", None)  # two answers are none


@pytest.fixture
def honest(trained_attack: Attack) -> Iterator[float]:
    """The accuracy of a network that does nothing bad; the same before and after an attack."""
    before = train(trained_attack, HONEST)
    assert before.state == "complete", before.message
    assert before.metric is not None
    yield before.metric
    assert train(trained_attack, HONEST).metric == before.metric


def test_forged_accuracy(trained_attack: Attack, honest: float) -> None:
    labels = held_out_labels("digits")
    source = trained_attack.source.replace("TESTS", str(len(labels)))
    trial = train(trained_attack, source)
    assert trial.state == "complete", trial.message
    assert trial.metric == float(np.mean(labels == 3))  # what its logits are worth, not what it says
    assert all(epoch["accuracy"] == trial.metric for epoch in trial.epochs)
    for change in ("b64encode(b'x')", "None", "[9e999] * 4"):
        failed = train(trained_attack, source.replace("LOGITS", change))
        assert (failed.state, failed.metric) == ("failed", None)


def test_labels_of_the_test(trained_attack: Attack, honest: float) -> None:
    labels = held_out_labels("digits")
    trial = train(trained_attack, trained_attack.source.replace("TESTS", str(len(labels))))
    # A network that knew the labels would reach 1; without them it does not even train.
    assert trial.metric is None or trial.metric < 0.3, trial


def test_poisoned_data(trained_attack: Attack, honest: float) -> None:
    trial = train(trained_attack, trained_attack.source)
    assert trial.metric is None or trial.metric < honest


def test_poison_next(attack: Attack) -> None:
    for again in (False, True, True):
        found = attack.report({"again": again})
        assert (found["bound"], found["mask"]) == ("allowed", 0o22)
    left = attack.next("import os\nresult = {p: os.listdir(p) for p in ('/scratch', '/tmp', '/dev/shm')}")
    assert left == {"/scratch": [], "/tmp": [], "/dev/shm": []}


def test_late_poison(attack: Attack) -> None:
    assert attack.run().status in {"ok", "crash"}  # the daemon may have killed its own parent
    watch = "import os, time\ntime.sleep(0.5)\nresult = {p: os.listdir(p) for p in ('/scratch', '/tmp', '/dev/shm')}"
    assert attack.next(watch) == {"/scratch": [], "/tmp": [], "/dev/shm": []}


def test_ctypes_memory(attack: Attack) -> None:
    left = f"left-by-another-{id(attack)}"
    for _ in range(3):
        assert attack.next(f"kept = [{left!r} * 100]\nresult = {{'said': len(kept)}}") == {"said": 1}
    # Changed, so that what looks for it does not hold it.
    assert attack.report({"left": "".join(chr(ord(letter) ^ 1) for letter in left)})["pages"] > 100
