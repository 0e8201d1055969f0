"""How a candidate is run where its protocol leaves that open: precision, layout, transform, foresight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from netwright.memory.types import Protocol, Trial
from netwright.sandbox import Sandbox, open_sandbox
from netwright.tools.payload import batches, setting
from netwright.tools.payload.transforms import Pipeline, TransformError
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator, evaluation_image, seen_task
from torch import nn

NETWORKS = Path(__file__).parent.parent / "data" / "networks"
VGG = (NETWORKS / "vgg.py").read_text()
DIGITS = task("digits")
QUICK = {"train_limit": 256, "test_limit": 100, "lr": 0.05}


@pytest.fixture(scope="module")
def sized(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that holds the digits as they are and as a copy of 16 × 16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("sized-home")))
        image = evaluation_image(["digits"], transforms=["normalise", "norm_16_flip"])
    assert sorted(image.data) == ["digits", "digits@16x16"]
    with open_sandbox("bubblewrap", image, workers=1) as sandbox:
        yield sandbox


def train(sandbox: Sandbox, source: str, **fields: object) -> Trial:
    return Evaluator(sandbox).train(source, DIGITS, chosen(**fields))


def chosen(**fields: object) -> Protocol:
    return protocol("digits-1ep", **{**QUICK, **fields})


class TestSetting:
    def test_fp32_is_left_alone(self) -> None:
        assert setting.settings("fp32", "cpu", nn.Conv2d(1, 2, 3)) == [setting.Setting("cpu", "fp32", "contiguous")]

    @pytest.mark.parametrize(
        ("net", "pays", "expected"),
        [
            (nn.Conv2d(3, 8, 3), True, ("bf16", "channels_last")),
            (nn.Conv2d(3, 8, 3), False, ("fp32", "channels_last")),
            (nn.Linear(3, 8), True, ("fp32", "contiguous")),
            (nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1)), True, ("fp32", "channels_last")),
        ],
    )
    def test_auto_takes_what_pays(
        self, monkeypatch: pytest.MonkeyPatch, net: nn.Module, pays: bool, expected: tuple[str, str]
    ) -> None:
        monkeypatch.setattr(setting, "bf16_pays", lambda device: pays)
        tried = setting.settings("auto", "cpu", net)
        assert (tried[0].precision, tried[0].layout) == expected
        assert tried[-1] == setting.Setting("cpu")

    def test_the_named_precision_has_no_way_back(self) -> None:
        assert [one.precision for one in setting.settings("bf16", "cpu", nn.Linear(3, 8))] == ["bf16"]

    def test_outputs_are_fp32(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.Tensor, "view", torch.Tensor.view)  # brought back at the end
        net = setting.apply(setting.Setting("cpu", "bf16", "channels_last"), nn.Conv2d(3, 8, 3))
        out = net(torch.randn(2, 3, 8, 8))
        assert out.dtype == torch.float32
        # The values were rounded to bf16 on their way: eight bits of mantissa.
        assert torch.equal(out, out.bfloat16().float())
        assert net.weight.dtype == torch.float32

    def test_views_of_channels_last_are_copied_and_others_are_as_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.Tensor, "view", torch.Tensor.view)
        setting.apply(setting.Setting("cpu", "fp32", "channels_last"), nn.Conv2d(3, 8, 3))
        plain = torch.arange(24.0).reshape(1, 2, 3, 4)
        last = plain.to(memory_format=torch.channels_last)
        assert torch.equal(last.view(1, -1), plain.flatten(1))
        assert torch.equal(last.view(size=(2, 12)), plain.reshape(2, 12))
        assert plain.view(dtype=torch.int32).dtype == torch.int32
        assert plain.view(24).data_ptr() == plain.data_ptr()
        with pytest.raises(RuntimeError, match="invalid"):
            last.view(5, 5)


def test_the_precision_is_in_the_trial_and_gives_the_same_score_twice(digits_sandbox: Sandbox) -> None:
    half, again = (train(digits_sandbox, VGG, precision="bf16") for _ in range(2))
    assert half.state == "complete", half.message
    assert half.setting | {"processor": ""} == {
        "device": "cpu",
        "precision": "bf16",
        "layout": "channels_last",
        "transform": "batched",
        "processor": "",
        "tries": 1,
    }
    assert half.metric == again.metric
    plain = train(digits_sandbox, VGG)
    assert (plain.setting["precision"], plain.setting["layout"]) == ("fp32", "contiguous")
    assert plain.protocol_hash != half.protocol_hash


VIEWS = VGG.replace("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(2)").replace(
    "nn.Linear(48, 48)", "nn.Linear(192, 48)"
)


def test_a_view_of_a_channels_last_tensor_is_what_flatten_makes_of_it(digits_sandbox: Sandbox) -> None:
    flat = train(digits_sandbox, VIEWS, precision="bf16")
    viewed = VIEWS.replace("torch.flatten(self.features(x), 1)", "self.features(x).view(len(x), -1)")
    assert viewed != VIEWS
    assert flat.metric is not None
    assert train(digits_sandbox, viewed, precision="bf16").metric == flat.metric


def test_what_fails_in_bf16_is_trained_in_fp32(digits_sandbox: Sandbox) -> None:
    # NumPy knows no bf16, so this fails wherever the features come in it.
    numpy = VGG.replace("return self.class", "self.features(x).detach().numpy(); return self.class")
    half = train(digits_sandbox, numpy, precision="bf16")
    assert (half.state, half.error_class) == ("failed", "TypeError")
    plain = train(digits_sandbox, numpy, precision="fp32")
    assert plain.state == "complete"
    if setting.bf16_pays("cpu"):
        auto = train(digits_sandbox, numpy, precision="auto")
        assert (auto.setting["precision"], auto.setting["tries"]) == ("fp32", 2)
        assert auto.metric == plain.metric


class TestForesight:
    SLOW = VGG.replace(
        "loss.backward()", "[torch.randn(400, 400) @ torch.randn(400, 400) for _ in range(300)]; loss.backward()"
    )

    def test_what_cannot_end_in_time_is_refused_after_three_steps(self, digits_sandbox: Sandbox) -> None:
        trial = train(digits_sandbox, self.SLOW, train_limit=1400, epochs=50, time_limit_s=60)
        assert (trial.state, trial.error_class, trial.metric) == ("failed", "TooSlow", None)
        assert "2,200 steps take about" in (trial.message or "")
        assert "the limit is 60 s" in (trial.message or "")

    def test_a_network_cannot_swallow_the_refusal(self, digits_sandbox: Sandbox) -> None:
        source = self.SLOW.replace("        for inputs", "        try:\n         for inputs", 1)
        head, _, body = source.partition("         for inputs, labels in train_data:\n")
        loop, _, rest = body.partition("\n\n")
        inner = "\n".join(f" {line}" for line in loop.splitlines())
        source = f"{head}         for inputs, labels in train_data:\n{inner}\n        except Exception: pass\n\n{rest}"
        trial = train(digits_sandbox, source, train_limit=1400, epochs=50, time_limit_s=60)
        assert (trial.state, trial.error_class) == ("failed", "TooSlow")

    def test_it_counts_all_epochs(self) -> None:
        images = batches.Images(torch.zeros(64, 1, 2, 2, dtype=torch.uint8), torch.zeros(64).long(), [0.0], [1.0])
        loader = batches.Batches(images, torch.arange(64), 4, seed=0, epochs=3, limit_s=1e6)
        assert len(list(loader)) == 16
        assert loader.foreseen_s is not None
        assert loader.refusal is None
        short = batches.Batches(images, torch.arange(64), 4, seed=0, epochs=3, limit_s=1e-12)
        with pytest.raises(batches.TooSlow, match="48 steps take about"):
            list(short)
        with pytest.raises(batches.TooSlow):
            short.next_epoch()


class TestTransform:
    def test_a_network_sees_the_transformed_size(self, sized: Sandbox) -> None:
        needs = VGG.replace("super().__init__()", "super().__init__(); assert in_shape[2:] == (16, 16), in_shape")
        trial = train(sized, needs, transform="norm_16_flip")
        assert trial.state == "complete", trial.message
        assert seen_task(DIGITS, chosen(transform="norm_16_flip")).in_shape == (1, 16, 16)
        small = train(sized, needs)
        assert (small.state, small.error_class) == ("failed", "AssertionError")

    def test_the_resized_copy_is_what_the_transform_makes(self, netwright_home: Path) -> None:
        image = evaluation_image(["digits"], transforms=["norm_16"])
        pipeline = Pipeline("norm_16", (1, 8, 8))
        for name in ("train_x.npy", "test_x.npy"):
            stored = torch.from_numpy(np.load(evaluation_image(["digits"]).data["digits"] / name))
            copy = torch.from_numpy(np.load(image.data["digits@16x16"] / name))
            assert torch.equal(pipeline.test(stored, resized=False), copy)

    def test_random_steps_are_seeded_and_change_the_training(self, digits_sandbox: Sandbox) -> None:
        spec = "RandomCrop((8, 8), padding=1)"
        one, two = (train(digits_sandbox, VGG, transform=spec) for _ in range(2))
        assert one.metric == two.metric
        assert one.protocol_hash != chosen().hash
        assert one.metric != train(digits_sandbox, VGG).metric

    def test_torchvision_takes_over_where_there_is_no_twin(self, digits_sandbox: Sandbox) -> None:
        trial = train(digits_sandbox, VGG, transform="RandomPerspective(0.2)", train_limit=64)
        assert trial.state == "complete", trial.message
        assert trial.setting["transform"] == "torchvision"

    def test_an_unknown_transform_is_named(self, digits_sandbox: Sandbox) -> None:
        with pytest.raises(TransformError, match="norm_sixteen"):
            Evaluator(digits_sandbox).train(VGG, DIGITS, chosen().model_copy(update={"transform": "norm_sixteen"}))


def test_further_hyperparameters_reach_the_network(digits_sandbox: Sandbox) -> None:
    reads = VGG.replace("super().__init__()", "super().__init__(); assert prm['dropout'] == 0.35, prm").replace(
        "{'lr', 'momentum'}", "{'lr', 'momentum', 'dropout'}"
    )
    assert train(digits_sandbox, reads, prm={"dropout": 0.35}).state == "complete"
    assert train(digits_sandbox, reads).error_class == "AssertionError"
