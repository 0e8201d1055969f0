"""Networks of many families in every variant of the contract: each validates, and each trains on digits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from netwright.memory.types import Trial, Verdict
from netwright.sandbox import Sandbox
from netwright.tools.execution import Validator
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task, task_info
from netwright.tools.training import Evaluator

from .frames import FRAMES, SOURCES

DIGITS = task("digits")
SHORT = protocol("digits-1ep", train_limit=128, test_limit=64)


def judge(sandbox: Sandbox, sources: list[str]) -> list[tuple[Verdict, Trial | None]]:
    """A verdict on each source and, where it is good, a short trial."""

    def one(source: str) -> tuple[Verdict, Trial | None]:
        verdict = Validator(sandbox).validate(source, DIGITS)
        return verdict, Evaluator(sandbox).train(source, DIGITS, SHORT) if verdict.ok else None

    with ThreadPoolExecutor(sandbox.workers) as pool:
        return list(pool.map(one, sources))


@pytest.mark.parametrize("variant", FRAMES)
def test_networks_of_every_family_validate_and_train(digits_sandbox: Sandbox, variant: str) -> None:
    assert len(SOURCES) >= 15
    frame = FRAMES[variant]
    sources = {name: frame.source(plain) for name, plain in SOURCES.items()}
    if variant != "plain":
        assert all(source != SOURCES[name] for name, source in sources.items())
    for name, (verdict, trial) in zip(sources, judge(digits_sandbox, list(sources.values())), strict=True):
        assert verdict.reason == "ok", f"{name}: {verdict.reason}"
        assert trial is not None
        assert trial.state == "complete", f"{name}: {trial.message}"
        assert ("train_loss" in trial.epochs[0]) == frame.loss, name
        if frame.loss:
            assert 0.2 < trial.epochs[0]["train_loss"] < 20, name


def test_variants_of_one_network_come_to_one_score(digits_sandbox: Sandbox) -> None:
    """The frame is no part of the network: the same layers, seed and data give the same accuracy."""
    same = [name for name in FRAMES if name not in ("renamed_dict", "own_optimizer", "mixed_precision")]
    judged = judge(digits_sandbox, [FRAMES[name].source(SOURCES["resnet"]) for name in same])
    assert {trial.metric for _, trial in judged if trial is not None} == {judged[0][1].metric}  # type: ignore[union-attr]


def test_networks_work_on_every_size(digits_sandbox: Sandbox) -> None:
    validator = Validator(digits_sandbox)
    for dataset in ("fashion-mnist", "cifar10"):
        verdicts = validator.validate_many(list(SOURCES.values()), task(dataset))
        assert {v.reason for v in verdicts} == {"ok"}
        larger = task_info(dataset).task.model_copy(update={"in_shape": (task_info(dataset).in_shape[0], 64, 64)})
        assert validator.validate(SOURCES["vit"], larger).ok


# As in LEMUR: a fixed head for 224x224 images, aggressive strides, weights only where they are asked for.
FIXED = """
import torch
import torch.nn as nn

def supported_hyperparameters():
    return {'lr', 'momentum', 'dropout'}

class Net(nn.Module):

    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss().to(self.device),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        for inputs, labels in train_data:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            outputs = self(inputs)
            loss = self.criteria[0](outputs, labels)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 3)
            self.optimizer.step()

    def __init__(self, in_shape: tuple, out_shape: tuple, prm: dict, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.features = nn.Sequential(
            nn.Conv2d(in_shape[1], 8, kernel_size=11, stride=4, padding=2), nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(8, 16, kernel_size=5, stride=2), nn.ReLU(inplace=True),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(nn.Dropout(p=prm['dropout']), nn.Linear(16 * 6 * 6, out_shape[0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))
"""
TORCHVISION = """
import torch
import torch.nn as nn
import torchvision.models as models

def supported_hyperparameters():
    return {'lr', 'momentum', 'pretrained'}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        weights = models.ResNet18_Weights.DEFAULT if prm['pretrained'] > 0.5 else None
        self.model = models.resnet18(weights=weights)
        self.model.conv1 = nn.Conv2d(in_shape[1], 64, 3, 1, 1, bias=False)
        self.model.fc = nn.Linear(self.model.fc.in_features, out_shape[0])

    def forward(self, x):
        return self.model(x)

    def train_setup(self, prm):
        self.criteria = (nn.CrossEntropyLoss(),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            self.criteria[0](self(inputs), labels).backward()
            self.optimizer.step()
"""
# Made for MNIST in the head, whatever it is given.
MNIST_HEAD = FIXED.replace("nn.AdaptiveAvgPool2d((6, 6))", "nn.Identity()").replace(
    "16 * 6 * 6", "8 * 14 * 14").replace("nn.Conv2d(in_shape[1], 8, kernel_size=11, stride=4, padding=2)",
    "nn.Conv2d(in_shape[1], 8, 3, padding=1)").replace("nn.MaxPool2d(kernel_size=3, stride=2),", "nn.MaxPool2d(2),"
    ).replace("            nn.Conv2d(8, 16, kernel_size=5, stride=2), nn.ReLU(inplace=True),\n", "")  # fmt: skip
LARGER = {
    "kernel": (FIXED, "digits", "64x64, so use --transform norm_64"),
    "pool": (FIXED, "cifar10", "64x64, so use --transform norm_64"),
    "head": (MNIST_HEAD, "digits", "28x28, so use --transform norm_28"),
    "flat head": (
        FIXED.replace("AdaptiveAvgPool2d((6, 6))", "Identity()").replace("16 * 6 * 6", "16 * 12 * 12"),
        "cifar10", "224x224, so use --transform norm_224"),
    "positions": (
        FIXED.replace("self.features(x))", "self.features(x) + self.place)").replace(
            "self.avgpool =", "self.place = nn.Parameter(torch.zeros(16, 12, 12))\n        self.avgpool ="),
        "cifar10", "224x224, so use --transform norm_224"),
}  # fmt: skip


@pytest.mark.parametrize("case", LARGER)
def test_a_network_for_larger_images_says_so(digits_sandbox: Sandbox, case: str) -> None:
    source, dataset, words = LARGER[case]
    validator = Validator(digits_sandbox)
    small = task(dataset)
    verdict = validator.validate(source, small)
    assert (verdict.ok, verdict.stage, verdict.error_class) == (False, "forward", "RuntimeError"), verdict.reason
    assert words in (verdict.message or ""), verdict.reason
    size = int(words.split("x")[0])
    larger = small.model_copy(update={"in_shape": (small.in_shape[0], size, size)})
    assert validator.validate(source, larger).reason == "ok"


def test_a_fault_that_no_size_mends_is_told_alone(digits_sandbox: Sandbox) -> None:
    source = SOURCES["resnet"].replace("nn.Linear(48, out_shape[0])", "nn.Linear(47, out_shape[0])")
    verdict = Validator(digits_sandbox).validate(source, DIGITS)
    assert (verdict.stage, verdict.error_class) == ("forward", "RuntimeError")
    assert "shapes cannot be multiplied" in (verdict.message or "")
    assert "transform" not in (verdict.message or "")


def test_torchvision_models_without_weights(digits_sandbox: Sandbox) -> None:
    verdict = Validator(digits_sandbox).validate(TORCHVISION, DIGITS)
    assert verdict.reason == "ok"
    assert verdict.figures["is_resnet_like"]
    assert verdict.figures["total_params"] == verdict.params


def test_what_train_setup_makes_may_be_used_in_forward(digits_sandbox: Sandbox) -> None:
    """As in diffusion networks, whose schedule is made there; trainers call it before anything else."""
    source = SOURCES["mlp"].replace(
        "        self.criteria", "        self.scale = torch.ones(1)\n        self.criteria"
    )
    source = source.replace("return self.layers(x)", "return self.layers(x * self.scale)")
    source = source.replace("self.device = device", "self.device = None")
    (verdict, trial), *_ = judge(digits_sandbox, [source])
    assert verdict.reason == "ok"
    assert trial is not None
    assert trial.state == "complete"
    nowhere = source.replace("self.scale = torch.ones(1)", "pass")
    verdict = Validator(digits_sandbox).validate(nowhere, DIGITS)
    assert (verdict.stage, verdict.error_class) == ("forward", "AttributeError")
    assert "scale" in (verdict.message or "")


PLAIN = SOURCES["lenet"]
WRONG = {
    "no Net": ("class Net(", "class Network(", "contract", "there is no class Net"),
    "a function Net": ("class Net(nn.Module):", "def Net(*args):\n    pass\n\n\nclass Other(nn.Module):", "contract",
                       "Net is a function, not a class"),
    "no forward": ("def forward", "def forwards", "contract", "class Net has no forward()"),
    "no two": ("def train_setup", "def setup", "contract", "class Net has no train_setup()"),
    "no names": ("def supported_hyperparameters", "def hyperparameters", "contract", "supported_hyperparameters()"),
    "names as a value": ("def supported_hyperparameters():\n    return", "supported_hyperparameters =", "contract",
                         "supported_hyperparameters is a set, expected a function"),
    "names as None": ("    return {'lr', 'momentum'}", "    pass", "contract", "returned NoneType, expected a set"),
    "forward of two": ("def forward(self, x)", "def forward(self, x, hidden)", "contract",
                       "forward needs an argument 'hidden' that the contract does not give; expected "
                       "forward(self, x); found forward(self, x, hidden)"),
    "forward of none": ("def forward(self, x)", "def forward(self)", "contract", "forward takes no input"),
    "init": ("prm, device):", "prm, device, depth, width=3):", "build",
             "Net.__init__ needs an argument 'depth' that the contract does not give; expected "
             "Net(in_shape, out_shape, prm, device); found Net.__init__(in_shape, out_shape, prm, device, depth, "
             "width=…)"),
    "train_setup": ("train_setup(self, prm)", "train_setup(self, prm, epochs)", "backward",
                    "train_setup needs an argument 'epochs' that the contract does not give; expected "
                    "train_setup(prm), train_setup(prm, device) or train_setup(device, prm); found "
                    "train_setup(prm, epochs)"),
    "learn": ("learn(self, train_data)", "learn(self, train_data, steps)", "backward",
              "learn needs an argument 'steps' that the contract does not give"),
    "learn of none": ("learn(self, train_data)", "learn(self)", "backward", "learn takes no training data"),
    "hyperparameter": ("prm['momentum']", "prm['decay']", "backward",
                       "missing key 'decay'; prm has batch, epoch, epoch_max, lr, momentum, transform; what else is "
                       "used, supported_hyperparameters() must name"),
}  # fmt: skip


def test_a_wrong_part_is_named(digits_sandbox: Sandbox) -> None:
    sources = []
    for old, new, _, _ in WRONG.values():
        assert old in PLAIN
        sources.append(PLAIN.replace(old, new))
    verdicts = Validator(digits_sandbox).validate_many(sources, DIGITS)
    for case, verdict in zip(WRONG, verdicts, strict=True):
        _, _, stage, words = WRONG[case]
        assert (verdict.ok, verdict.stage) == (False, stage), f"{case}: {verdict.reason}"
        assert words in (verdict.message or ""), f"{case}: {verdict.reason}"
        assert verdict.error_class == ("KeyError" if case == "hyperparameter" else "ContractError")
