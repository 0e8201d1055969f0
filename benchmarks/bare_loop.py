"""The limit: the training loop of a network with nothing around it, in a process that has everything loaded.

Started by ``benchmarks/evaluator.py``; reads one JSON specification per line and answers each with one JSON line.
Same batches, same setting and same test pass as the evaluator, but no sandbox, no time limits, no checks. It runs
the network in this process, so it is for the hand-written networks of the benchmark only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from netwright.tools.payload import setting, transforms

TEST_BATCH = 250


def run(spec: dict[str, Any]) -> dict[str, float]:
    """Wall seconds of the training epoch and of the test pass."""
    names: dict[str, Any] = {}
    with open(spec["network"], encoding="utf-8") as stream:
        exec(compile(stream.read(), spec["network"], "exec"), names)
    torch.manual_seed(spec["seed"])
    x, y = torch.from_numpy(np.load(spec["train_x"])), torch.from_numpy(np.load(spec["train_y"]))
    test_x = torch.from_numpy(np.load(spec["test_x"]))
    shape = (spec["prm"]["batch"], *spec["in_shape"])
    net = names["Net"](shape, (spec["classes"],), spec["prm"], torch.device("cpu"))
    chosen = setting.settings("auto", "cpu", net)[0]
    net = setting.apply(chosen, net)
    net.train_setup(spec["prm"])
    pipeline = transforms.Pipeline(spec["transform"], tuple(spec["in_shape"]))
    draws = torch.Generator().manual_seed(spec["seed"])
    scale = 1 / (255 * torch.tensor(spec["std"]).view(1, -1, 1, 1))
    shift = -torch.tensor(spec["mean"]).view(1, -1, 1, 1) / torch.tensor(spec["std"]).view(1, -1, 1, 1)

    def ready(images: torch.Tensor) -> torch.Tensor:
        return images.to(torch.float32, memory_format=chosen.memory_format).mul_(scale).add_(shift)

    order = torch.randperm(len(x), generator=draws)[: spec["train_limit"]]
    started = time.perf_counter()
    net.train()
    net.learn((ready(pipeline.train(x[part], draws, False)), y[part]) for part in order.split(shape[0]))
    trained = time.perf_counter()
    net.eval()
    with torch.no_grad():
        for part in test_x.split(TEST_BATCH):
            net(ready(part))
    return {"train_s": trained - started, "test_s": time.perf_counter() - trained}


def main() -> None:
    torch.set_num_threads(1)
    setting.keep_memory()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
