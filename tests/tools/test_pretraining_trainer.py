"""Training from scratch: reproducible, resumable to the same weights, stopped only between steps."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from netwright.tools.pretraining.batches import IGNORED, BatchOrder, Document, collate, encode, fingerprint
from netwright.tools.pretraining.model import NanoShape, build_model
from netwright.tools.pretraining.tokenizer import train_tokenizer
from netwright.tools.pretraining.trainer import (
    CHECKPOINT,
    PretrainingInterrupted,
    PretrainSettings,
    Progress,
    Trained,
    rate,
    train,
)

PAIRS = [(f"# style={i % 3}", f"import torch\n\n\nx = {i * 37}\ny = nn.Linear({i}, {2 * i})\n") for i in range(40)]
SETTINGS = PretrainSettings(
    seed=4, steps=12, batch=8, warmup=2, shape=NanoShape(hidden=32, intermediate=48, layers=1, heads=1)
)


def weights(trained: Trained) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.model.parameters()])


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(PAIRS, SETTINGS, tmp_path_factory.mktemp("reference"))


def test_loss_falls_and_everything_is_counted(reference: Trained) -> None:
    assert len(reference.losses) == SETTINGS.steps
    assert reference.losses[-1] < reference.losses[0] - 0.5
    documents = encode(reference.tokenizer, PAIRS)
    order = BatchOrder([len(d.tokens) for d in documents], SETTINGS.batch, SETTINGS.seed)
    seen = sum(len(documents[i].tokens) for step in range(SETTINGS.steps) for i in order[step])
    assert reference.tokens == seen
    assert reference.cpu_s > 0


def test_same_seed_same_weights_other_seed_others(reference: Trained, tmp_path: Path) -> None:
    again = train(PAIRS, SETTINGS, tmp_path / "again")
    other = train(PAIRS, SETTINGS.model_copy(update={"seed": 5}), tmp_path / "other")
    assert torch.equal(weights(again), weights(reference))
    assert not torch.equal(weights(other), weights(reference))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_ends_at_the_same_weights(reference: Trained, tmp_path: Path, number: int) -> None:
    def interrupt(now: Progress) -> None:
        if now.step == 5:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(PretrainingInterrupted, match="step 5 of 12"):
        train(PAIRS, SETTINGS, tmp_path, interrupt)
    assert signal.getsignal(number) is before
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    steps: list[int] = []
    resumed = train(PAIRS, SETTINGS, tmp_path, lambda now: steps.append(now.step))
    assert steps == list(range(6, 13))
    assert torch.equal(weights(resumed), weights(reference))
    assert resumed.losses == reference.losses


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(PAIRS, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="other settings or another corpus"):
        train(PAIRS, SETTINGS.model_copy(update={"lr": 1e-3}), tmp_path)
    with pytest.raises(ValueError, match="other settings or another corpus"):
        train(PAIRS[:-1], SETTINGS, tmp_path)


def test_rate_warms_up_holds_and_decays() -> None:
    settings = PretrainSettings(steps=1000)
    assert rate(settings, 0) == pytest.approx(0.05)
    assert rate(settings, 19) == rate(settings, 599) == 1
    assert rate(settings, 800) == pytest.approx(1 - 0.95 * 200 / 399)
    assert rate(settings, 999) == pytest.approx(0.05)


def test_every_epoch_sees_every_document_once_in_another_order() -> None:
    lengths = [10 + i * 7 % 50 for i in range(64)]
    order = BatchOrder(lengths, 8, seed=1)
    epochs = [[i for step in range(8 * e, 8 * e + 8) for i in order[step]] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(64))
    assert epochs[0] != epochs[1]
    assert order[3] == BatchOrder(lengths, 8, seed=1)[3]
    spread = [max(lengths[i] for i in order[s]) - min(lengths[i] for i in order[s]) for s in range(8)]
    assert max(spread) <= 14
    with pytest.raises(ValueError, match="cannot fill one batch"):
        BatchOrder(lengths[:4], 8, seed=1)


def test_only_the_program_is_learned() -> None:
    inputs, labels = collate([Document((1, 7, 8, 9, 2), 2), Document((1, 5, 2), 2)], pad=0)
    assert inputs.tolist() == [[1, 7, 8, 9, 2], [1, 5, 2, 0, 0]]
    assert labels.tolist() == [[IGNORED, IGNORED, 8, 9, 2], [IGNORED, IGNORED, 2, IGNORED, IGNORED]]


def test_too_long_a_program_is_named() -> None:
    tokenizer = train_tokenizer(["a"], vocab_size=259)
    with pytest.raises(ValueError, match="exceeds the context of 1024"):
        encode(tokenizer, [("# long", "xyz" * 400)])


def test_fingerprint_sees_order_and_borders() -> None:
    assert fingerprint(PAIRS) != fingerprint(PAIRS[::-1])
    assert fingerprint([("a", "b\n")]) != fingerprint([("a", "b")])


def test_initial_weights_leave_the_callers_random_state() -> None:
    tokenizer = train_tokenizer(["a"], vocab_size=259)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    build_model(tokenizer, SETTINGS.shape, seed=9)
    assert torch.equal(torch.rand(2), expected)
