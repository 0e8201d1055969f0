"""The sandbox with torch in its workers: data, memory, training, and what a validation costs."""

from __future__ import annotations

from typing import Any

import pytest
from netwright.sandbox import Job, Limits, Outcome, Sandbox


def submit(sandbox: Sandbox, source: str, **limits: Any) -> Outcome:
    """Run a candidate's source under small limits."""
    bounds = Limits(**{"wall_s": 30.0, "cpu_s": 10.0, "memory_mb": 256, **limits})
    return sandbox.run(Job(handler="candidate.run", payload={"source": source}, limits=bounds))


def test_data_is_shared_and_cannot_be_changed(torch_sandbox: Sandbox) -> None:
    source = """
result = {"sum": int(data["x"].sum()), "shapes": [list(data[k].shape) for k in sorted(data)],
      "row": data["fortran"][1].tolist(), "strides": list(data["fortran"].stride())}
data["x"][:] = 99
data["x"].data.fill_(98)
"""
    for _ in range(3):
        job = Job(handler="candidate.run", payload={"source": source}, data="digits")
        outcome = torch_sandbox.run(job)
        assert outcome.result == {
            "sum": 276,
            "shapes": [[0, 3], [2, 3], [2, 3, 4]],
            "row": [3.0, 4.0, 5.0],
            "strides": [1, 2],
        }, outcome


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import torch\ntorch.empty(20 << 30, dtype=torch.uint8).fill_(1)", "RuntimeError"),
        ("import torch\ntorch.nn.Linear(10**6, 10**6)", "RuntimeError"),
        ("import numpy\nnumpy.ones(20 << 30, dtype='u1')", "MemoryError"),
    ],
)
def test_a_huge_allocation_is_the_memory_limit(torch_sandbox: Sandbox, source: str, error: str) -> None:
    outcome = submit(torch_sandbox, source, memory_mb=1024)
    assert (outcome.status, outcome.failure and outcome.failure.error_class) == ("memory", error)


def test_a_slow_growth_is_the_memory_limit(torch_sandbox: Sandbox) -> None:
    source = "import torch\nheld = []\nwhile True: held.append(torch.ones(1 << 20))"
    assert submit(torch_sandbox, source, memory_mb=256).status == "memory"


def test_training_works_and_is_repeatable(torch_sandbox: Sandbox) -> None:
    source = """
import torch
torch.manual_seed(1)
from torch.nn import BatchNorm2d, Conv2d, Flatten, Linear, Sequential
net = Sequential(Conv2d(1, 8, 3), BatchNorm2d(8), Flatten(), Linear(288, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for _ in range(3):
    loss = torch.nn.functional.cross_entropy(net(torch.randn(16, 1, 8, 8)), torch.randint(10, (16,)))
    optimizer.zero_grad(); loss.backward(); optimizer.step()
result = {"loss": loss.item(), "threads": torch.get_num_threads()}
"""
    first, second = (submit(torch_sandbox, source) for _ in range(2))
    assert first.status == "ok", first
    assert first.result == second.result
    assert first.result["threads"] == 1
    assert first.cpu_s < 3  # an import of torch._dynamo in the fork alone would take two


def test_a_validation_is_cheap(torch_sandbox: Sandbox) -> None:
    source = """
import torch
from torch.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
net = Sequential(Conv2d(3, 32, 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(32, 64, 3, padding=1), BatchNorm2d(64),
                 ReLU(), MaxPool2d(2), Flatten(), Linear(4096, 10))
torch.nn.functional.cross_entropy(net(torch.randn(8, 3, 32, 32)), torch.zeros(8, dtype=torch.long)).backward()
"""
    outcomes = [submit(torch_sandbox, source) for _ in range(6)]
    assert {outcome.status for outcome in outcomes} == {"ok"}
    # CPU time, because the clock on the wall belongs to everybody: below 0.2 s, two cores make ten per second.
    assert min(outcome.cpu_s for outcome in outcomes) < 0.2
