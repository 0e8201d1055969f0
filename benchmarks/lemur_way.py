"""One network trained the way that LEMUR's own trainer does it; a fresh process per network.

Started by ``benchmarks/evaluator.py`` with one JSON argument; prints one JSON line. It imports and runs the network
in this process, so it is for the hand-written networks of the benchmark only.

As in LEMUR (``Train.train_n_eval`` and ``Const`` of nn-dataset, read 2026): PIL images transformed one by one in a
``DataLoader`` of two workers, fp32, the training epoch, then four passes for the report: training loss, test loss,
training accuracy, test accuracy. The first three can be left out, since no score depends on them. Unlike LEMUR, the
seed is set, test images are not augmented, and no table of all results is loaded, so that both sides of the comparison
follow the same protocol.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WORKERS = 2
"""LEMUR's default (``default_num_workers``)."""


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Grey images from an array, each made a PIL image and transformed when it is asked for.

    Args:
        x: uint8 (N, 1, H, W). y: int64 (N,).
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, transform: transforms.Compose) -> None:
        self.x, self.y, self.transform = torch.from_numpy(x[:, 0]), torch.from_numpy(y), transform

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.x[at].numpy())), int(self.y[at])  # as torchvision's MNIST does


class Clock:
    """CPU seconds of this process and of the loader's workers, by phase."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._last = 0.0  # the start of the process, imports included

    def lap(self, phase: str) -> None:
        now = sum(os.times()[:4])
        self.phases[phase] = now - self._last
        self._last = now


def loaders(spec: dict[str, Any]) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Training and test images, as many as the protocol says, by the seed that it says."""
    mean, std, side = spec["mean"], spec["std"], spec["in_shape"][1]
    normalise = [transforms.ToTensor(), transforms.Normalize(mean, std)]
    augment = [transforms.RandomCrop(side, padding=4), transforms.RandomHorizontalFlip()]
    x, y = np.load(spec["train_x"]), np.load(spec["train_y"])
    test_x, test_y = np.load(spec["test_x"]), np.load(spec["test_y"])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(spec["seed"]))[: spec["train_limit"]]
    chosen = np.sort(order.numpy())
    train = PilImages(x[chosen], y[chosen], transforms.Compose([*augment, *normalise]))
    test = PilImages(test_x, test_y, transforms.Compose(normalise))
    batch = spec["prm"]["batch"]
    return DataLoader(train, batch, shuffle=True, num_workers=WORKERS), DataLoader(test, batch, num_workers=WORKERS)


def mean_loss(net: Any, data: DataLoader[Any], criterion: Any) -> float:
    net.eval()
    with torch.no_grad():
        losses = [float(criterion(net(inputs), labels)) for inputs, labels in data]
    return sum(losses) / len(losses)


def accuracy(net: Any, data: DataLoader[Any]) -> float:
    net.eval()
    right = total = 0
    with torch.no_grad():
        for inputs, labels in data:
            right += int((net(inputs).argmax(1) == labels).sum())
            total += len(labels)
    return right / total


def main() -> None:
    spec = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    clock, names = Clock(), {}
    clock.lap("start")
    with open(spec["network"], encoding="utf-8") as stream:
        exec(compile(stream.read(), spec["network"], "exec"), names)
    torch.manual_seed(spec["seed"])
    train, test = loaders(spec)
    shape = (spec["prm"]["batch"], *spec["in_shape"])
    net = names["Net"](shape, (spec["classes"],), spec["prm"], torch.device("cpu"))
    net.train_setup(spec["prm"])
    clock.lap("set up")
    net.train()
    net.learn(train)
    clock.lap("learn")
    criterion = getattr(net, "criterion", torch.nn.CrossEntropyLoss())
    if spec["further_passes"]:
        mean_loss(net, train, criterion)
        mean_loss(net, test, criterion)
        accuracy(net, train)
        clock.lap("further passes")
    result = accuracy(net, test)
    clock.lap("test")
    print(json.dumps({"accuracy": result, "cpu_s": clock.phases}))


if __name__ == "__main__":
    main()
