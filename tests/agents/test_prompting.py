"""Prompts: what an instruct model reads, what a completion model is conditioned on."""

from __future__ import annotations

import random

import pytest
from netwright.agents.prompting import (
    Exemplar,
    chat_prompt,
    chat_repair_prompt,
    completion_prompt,
    completion_repair_prompt,
    header_for,
    header_of,
)
from netwright.agents.seeds import derive_seed
from netwright.memory.types import Request, RequestLimits, Verdict
from netwright.tools.generators.headers import Header, bucket_bounds
from netwright.tools.tasks import task

CODE = "import torch\nclass Block:\n    pass\nclass Net:\n    def forward(self, x):\n        return y\n"


def request(most: int | None = 30_000, text: str = "", dataset: str = "cifar10") -> Request:
    return Request(task=task(dataset), limits=RequestLimits(max_params=most), text=text)


def test_chat_prompt_states_contract_task_and_budget():
    prompt = chat_prompt(request(text="with attention"))
    system, user = (m.text for m in prompt.messages)
    for name in ("supported_hyperparameters", "class Net(nn.Module)", "train_setup", "learn", "forward"):
        assert name in system
    for fact in ("cifar10", "3 channels", "32 × 32", "10 classes", "at most 30,000 parameters", "with attention"):
        assert fact in user


def test_exemplars_are_shown_with_their_metric():
    user = chat_prompt(request(), [Exemplar("id", CODE, 0.5)]).messages[1].text
    assert "0.500" in user
    assert "class Block" in user


@pytest.mark.parametrize("most", [3_000, 30_000, 100_000, 250_000])
def test_header_stays_under_the_limit(most):
    for seed in range(30):
        header = header_for(request(most), random.Random(seed))
        assert header.in_shape == (3, 32, 32)
        assert bucket_bounds(header.bucket)[0] < most


def test_header_takes_the_wished_style():
    assert header_for(request(text="a ResNet-like cifar10 net"), random.Random(0)).style == "residual"
    assert header_for(request(), random.Random(0)).style == "any"


def test_completion_prompt_is_one_header_line_that_can_be_read_back():
    prompt = completion_prompt(request(), random.Random(1))
    assert len(prompt.messages) == 1
    line = prompt.messages[0].text
    assert header_of(prompt.text) == line
    assert Header.parse(line).classes == 10


def test_repair_of_a_chat_model_feeds_error_and_code_back():
    verdict = Verdict(ok=False, stage="forward", error_class="NameError", message="name 'y' is not defined", line=6)
    user = chat_repair_prompt(request(), CODE, verdict).messages[1].text
    for fact in ("`forward`", "NameError", "name 'y' is not defined", "(line 6)", "class Net"):
        assert fact in user


def test_repair_of_a_completion_model_goes_back_to_the_error_then_to_its_class():
    verdict = Verdict(ok=False, stage="forward", error_class="NameError", message="…", line=6)
    first = completion_repair_prompt("# task=…", CODE, verdict, 1)
    assert first.kept == "\n".join(CODE.splitlines()[:5])
    assert first.messages[-1].text == first.kept
    second = completion_repair_prompt("# task=…", CODE, verdict, 2)
    assert second.kept == "import torch\nclass Block:\n    pass"


def test_seeds_differ_by_purpose_and_are_stable():
    assert derive_seed(0, "write", 1, 0) == derive_seed(0, "write", 1, 0)
    assert len({derive_seed(0, "write", c, s) for c in range(9) for s in range(9)}) == 81
    assert 0 <= derive_seed(5, "x") < 2**31
