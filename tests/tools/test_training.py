"""Trials through the bubblewrap sandbox, scored outside it."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from netwright.memory.types import Task
from netwright.sandbox import Job, Limits, Outcome, Sandbox
from netwright.tools.datasets import held_out_labels
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator, accuracy, evaluation_image

NETWORKS = sorted((Path(__file__).parent.parent / "data" / "variants").glob("*.py"))
PLAIN = next(path for path in NETWORKS if path.stem == "plain").read_text()
DIGITS = task("digits")
ONE_EPOCH = protocol("digits-1ep", lr=0.02)


def test_the_image_holds_no_test_labels() -> None:
    image = evaluation_image(["Digits"])
    assert list(image.data) == ["digits"]
    files = [path.name for folder in (image.handlers, *image.data.values()) for path in folder.rglob("*.npy")]
    assert sorted(files) == ["test_x.npy", "train_x.npy", "train_y.npy"]


def test_every_variant_of_the_contract_trains(digits_sandbox: Sandbox) -> None:
    evaluator = Evaluator(digits_sandbox)
    scores = {}
    for path in NETWORKS:
        trial = evaluator.train(path.read_text(), DIGITS, ONE_EPOCH)
        assert trial.state == "complete", f"{path.stem}: {trial.message}"
        scores[path.stem] = trial.metric or 0.0
        assert trial.metric == trial.epochs[-1]["accuracy"]
        assert ("train_loss" in trial.epochs[0]) == (path.stem in LOSS_TOLD), path.stem
    assert min(scores.values()) > 0.12, scores  # better than guessing one of ten classes
    assert max(scores.values()) > 0.8, scores


LOSS_TOLD = {"no_device", "prm_device", "yields", "inherits", "per_batch"}


def test_a_seed_gives_the_same_score_to_the_last_digit(digits_sandbox: Sandbox) -> None:
    evaluator = Evaluator(digits_sandbox)
    two = protocol("digits-1ep", epochs=2)
    first, again = (evaluator.train(PLAIN, DIGITS, two) for _ in range(2))
    figures = [[(e["epoch"], e["accuracy"]) for e in trial.epochs] for trial in (first, again)]
    assert figures[0] == figures[1]
    assert len(figures[0]) == 2
    assert first.metric == again.metric
    assert first.protocol_hash == two.hash
    assert 0 < first.cpu_s < 60
    other = evaluator.train(PLAIN, DIGITS, protocol("digits-1ep", epochs=2, seed=1))
    assert [e["accuracy"] for e in other.epochs] != [e["accuracy"] for e in first.epochs]


def test_limits_of_the_protocol(digits_sandbox: Sandbox) -> None:
    evaluator = Evaluator(digits_sandbox)
    small = evaluator.train(PLAIN, DIGITS, protocol("digits-1ep", train_limit=65, test_limit=50))
    # 65 images are two batches of 32; the image left over is not a batch.
    assert small.state == "complete"
    assert (small.metric or 0) * 50 == pytest.approx(round((small.metric or 0) * 50))
    slow = PLAIN.replace("for inputs", "while True: pass\n        for inputs")
    trial = evaluator.train(slow, DIGITS, protocol("digits-1ep", time_limit_s=1))
    assert (trial.state, trial.metric, trial.epochs) == ("failed", None, ())
    assert trial.error_class == "CpuLimit"
    assert trial.message == "epoch 1: more than 1 seconds of CPU time"


FAILURES = {
    "raises": ("loss.backward()", "raise ValueError('no more')", "ValueError", "epoch 1: no more (line"),
    "diverges": ("self.optimizer.step()", "self.optimizer.step(); self.classifier.weight.data += float('nan')",
                 "NonFinite", "not finite after epoch 1"),
    "test shape": ("return self.classifier(torch.flatten(self.features(x), 1))", "x = self.classifier(torch.flatten("
                   "self.features(x), 1))\n        return x if self.training else x[:, :2]", "ContractError",
                   "test after epoch 1: forward()"),
    "more passes": ("for inputs", "for epoch in range(2):\n            for _ in train_data: pass\n        for inputs",
                    "ProtocolError", "more than one pass"),
    "uninitialised": ("super().__init__()", "super().__init__(); self.add = nn.Parameter(torch.empty(10))",
                      "NonFinite", "not finite after epoch 1"),
    "unbuildable": ("super().__init__()", "super().__init__(); raise SystemExit", "SystemExit", "build:"),
    "empty": (PLAIN, " \n", "EmptySource", "extract: the source is empty"),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_trial_has_a_reason_and_no_score(digits_sandbox: Sandbox, failure: str) -> None:
    old, new, error_class, words = FAILURES[failure]
    source = PLAIN.replace(old, new)
    if failure == "uninitialised":
        source = source.replace("return self.classifier(", "return self.add + self.classifier(")
    trial = Evaluator(digits_sandbox).train(source, DIGITS, ONE_EPOCH)
    assert (trial.state, trial.metric, trial.epochs) == ("failed", None, ())
    assert trial.error_class == error_class, trial.message
    assert words in (trial.message or "")


def test_labels_are_nowhere_in_the_sandbox(digits_sandbox: Sandbox) -> None:
    """A candidate that searches its memory and its files finds no test labels."""
    hunt = (
        "import gc, os\n"
        "def hunt():\n"
        "    found = [o for o in gc.get_objects() if isinstance(o, torch.Tensor) and o.shape == (360,)]\n"
        "    names = []\n"
        "    for folder, inner, files in os.walk('/'):\n"
        "        inner[:] = [n for n in inner if n not in ('usr', 'proc', 'sys', 'dev', 'lib', 'site-packages')]\n"
        "        names += [n for n in files if n == 'test_y.npy']\n"
        "    raise RuntimeError(f'{[tuple(o.shape) for o in found]} {names}')\n"
    )
    source = PLAIN.replace("import torch\n", "import torch\n" + hunt, 1).replace("def learn(self, train_data):", (
        "def learn(self, train_data):\n        hunt()"))  # fmt: skip
    trial = Evaluator(digits_sandbox).train(source, DIGITS, protocol("digits-1ep", time_limit_s=20))
    assert trial.state == "failed"
    assert (trial.message or "").startswith("epoch 1: [] [] (line"), trial.message


def test_what_cannot_be_done_is_refused(digits_sandbox: Sandbox) -> None:
    evaluator = Evaluator(digits_sandbox)
    with pytest.raises(ValueError, match="transform"):
        evaluator.train(PLAIN, DIGITS, ONE_EPOCH.model_copy(update={"transform": "mirror"}))
    with pytest.raises(ValueError, match="its data set has"):
        evaluator.train(PLAIN, Task(dataset="digits", in_shape=(1, 9, 9), out_shape=(10,)), ONE_EPOCH)
    with pytest.raises(ValueError, match="only img-classification"):
        evaluator.train(PLAIN, Task(kind="txt-generation", dataset="digits", in_shape=(8,), out_shape=(10,)), ONE_EPOCH)


class Scripted:
    """A sandbox whose results are made up, as those of a hostile candidate can be."""

    name, isolating, workers = "scripted", False, 1

    def __init__(self, result: object) -> None:
        self.result = result
        self.limits = Limits()

    def run(self, job: Job) -> Outcome:
        self.limits = job.limits
        return Outcome(status="ok", result=self.result, note="epoch 1", wall_s=1.0, cpu_s=1.0)


def _result(logits: object, **changes: object) -> dict[str, object]:
    return {"ok": True, "epochs": [{"epoch": 1, "seconds": 1.0, "train_loss": 0.5, "logits": logits}], **changes}


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _train(result: object) -> tuple[object, ...]:
    trial = Evaluator(Scripted(result)).train(PLAIN, DIGITS, ONE_EPOCH)  # type: ignore[arg-type]
    return trial.state, trial.metric, trial.error_class


def test_scores_come_from_logits_alone() -> None:
    labels = held_out_labels("digits")
    right = np.eye(10)[labels]
    half = right.copy()
    half[180:] = np.eye(10)[(labels[180:] + 1) % 10]
    assert _train(_result(_encoded(right), accuracy=0.1)) == ("complete", 1.0, None)
    assert _train(_result(_encoded(half), metric=1.0)) == ("complete", 0.5, None)
    assert accuracy(np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0])) == 0.5


GOOD = np.zeros((360, 10))
FORGED = [
    None, [], {"ok": "yes"}, {"ok": True}, _result(None), _result(1.0), _result(""), _result("A" * 19_196),
    _result(_encoded(GOOD[:359])), _result(_encoded(GOOD + np.nan)), _result(_encoded(GOOD + np.inf)),
    _result("é" * 19_200), _result("=" * 19_200), _result(_encoded(GOOD), epochs=[]), _result(None, epochs=[1]),
    _result(None, epochs=[{"logits": _encoded(GOOD)}] * 2), _result(None, epochs={"1": 2}),
]  # fmt: skip


@pytest.mark.parametrize("result", FORGED, ids=range(len(FORGED)))
def test_forged_results_never_score(result: object) -> None:
    assert _train(result) == ("failed", None, "ResultLimit")


def test_results_have_room_and_a_bound() -> None:
    sandbox = Scripted(_result(_encoded(GOOD)))
    Evaluator(sandbox).train(PLAIN, DIGITS, ONE_EPOCH)  # type: ignore[arg-type]
    assert 19 < sandbox.limits.result_kb < 200
    assert sandbox.limits.cpu_s == ONE_EPOCH.time_limit_s
    assert sandbox.limits.wall_s > ONE_EPOCH.time_limit_s
