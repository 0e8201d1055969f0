"""``netwright.check``: one network validated, trained and recorded in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netwright
import pytest
from netwright.memory.records import Records
from netwright.memory.types import candidate_id
from netwright.sandbox import Sandbox
from netwright.tools.corpus.checking import protocol_of
from netwright.tools.corpus.quality import code_quality
from netwright.tools.tasks import UnknownDataset

GOOD = (Path(__file__).parents[1] / "data" / "variants" / "plain.py").read_text()
PRM = {"lr": 0.01, "momentum": 0.9, "batch": 32, "epoch": 2, "transform": "norm_flip", "train_limit": 128}
TASK = ("img-classification", "digits", "acc")


def check(code: str, sandbox: Sandbox, **changes: Any) -> Any:
    return netwright.check(code, *TASK, changes.pop("prm", PRM), sandbox=sandbox, **changes)


def test_network_is_trained_and_in_the_data_set(digits_sandbox: Sandbox) -> None:
    found = check(GOOD, digits_sandbox, prefix="rag")
    assert found.ok, found.reason
    name, accuracy, to_time, quality = found
    assert name == f"rag-{candidate_id(GOOD)[:12]}"
    assert 0 <= accuracy <= 1
    assert quality == 1.0
    seconds = found.trial.wall_s
    assert to_time == pytest.approx(max(0.0, accuracy - 0.1) / (seconds / 100))
    frame = netwright.data(nn=name)
    assert list(frame["epoch"]) == [1, 2]
    assert frame["accuracy"][1] == accuracy
    assert frame["prm"][1] == PRM
    assert frame["nn_code"][0] == GOOD
    again = netwright.check(GOOD, *TASK, frame["prm"][1])  # from the records: no sandbox is started
    assert (again.name, again.accuracy, again.cached) == (name, accuracy, True)


def test_invalid_network_says_why(digits_sandbox: Sandbox) -> None:
    found = check("import torch\nclass Net(torch.nn.Module):\n    pass\n", digits_sandbox)
    assert not found.ok
    assert found.trial is None
    assert found.verdict.stage == "contract"
    assert found.reason == found.verdict.reason
    assert netwright.data().empty


def test_nothing_is_recorded_unless_it_is_wanted(digits_sandbox: Sandbox) -> None:
    found = check(GOOD, digits_sandbox, save_to_db=False)
    assert found.ok, found.reason
    with Records() as records:
        assert netwright.data(records=records).empty
        assert records.get_candidate(found.trial.candidate_id) is None


def test_failed_training_has_a_reason(digits_sandbox: Sandbox) -> None:
    bad = GOOD.replace(
        "def learn(self, train_data):", "def learn(self, train_data):\n        if len(train_data) > 3: 1 / 0"
    )
    assert bad != GOOD
    found = check(bad, digits_sandbox)
    assert (found.ok, found.trial.state) == (False, "failed")
    assert "ZeroDivisionError" in found.reason


@pytest.mark.parametrize(
    ("task", "prm", "reason"),
    [
        (("img-segmentation", "digits", "acc"), {}, "only img-classification"),
        (("img-classification", "digits", "iou"), {}, "unknown metric"),
        (TASK, {"dropout": "much"}, "must be numbers: dropout"),
        (TASK, {"transform": "none-such"}, "none-such"),
        (TASK, {"batch": 0}, "batch"),
    ],
)
def test_what_cannot_be_asked(task: tuple[str, str, str], prm: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        netwright.check(GOOD, *task, prm)


def test_unknown_names() -> None:
    with pytest.raises(UnknownDataset):
        netwright.check(GOOD, "img-classification", "nowhere", "acc", {})
    with pytest.raises(ValueError, match="a prefix has"):
        netwright.check(GOOD, *TASK, {}, prefix="../x")
    with pytest.raises(AttributeError, match="no attribute"):
        netwright.nothing  # noqa: B018


def test_protocol_of_hyperparameters() -> None:
    made = protocol_of({"lr": 0.1, "epoch": 3, "dropout": 0.2, "uid": "x", "accuracy": 0.5, "transform": "default"}, 2)
    assert (made.lr, made.epochs, made.batch, made.momentum) == (0.1, 3, 64, 0.9)
    assert (made.prm, made.transform, made.time_limit_s) == ({"dropout": 0.2}, "normalise", 360.0)


def test_quality_is_lemurs() -> None:
    branches = "".join(f"    if x == {n}:\n        return {n}\n" for n in range(10))
    assert code_quality("def f(x):\n    return x and 1\n") == 1.0
    assert code_quality(f"def f(x):\n{branches}") == 0.99
    assert code_quality("def f(:") == 0.95
