"""The evaluator against the way LEMUR trains: CPU seconds, accuracy, ranking, and the distance to the bare loop.

    python benchmarks/evaluator.py [--samples 10000 60000] [--seeds 0 1 2] [--networks tests/data/networks]

For each network, number of samples and seed, both sides train one epoch on Fashion-MNIST under the same protocol
(random crop and flip, batch 64, learning rate 0.01, momentum 0.9), one right after the other and in alternating
order, as many networks at a time as there are cores, one thread each. The passes that LEMUR makes for its report
alone change no score: with many samples they are measured with the first seed only. Rows are written as they come to
``--rows``; a run that is started again goes on. At the end ``docs/reports/evaluator-speed.json`` is written, and a
table is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from evaluator_report import document, table
from netwright.memory.types import Protocol
from netwright.sandbox import open_sandbox
from netwright.tools.datasets import held_out_labels, prepare
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task_info
from netwright.tools.training import Evaluator, evaluation_image
from rich.progress import Progress

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "docs" / "reports" / "evaluator-speed.json"
ROWS = Path("build") / "evaluator-speed.jsonl"
NETWORKS = HERE.parent / "tests" / "data" / "networks"
TRANSFORM = "RandomCrop((28, 28), padding=4) RandomHorizontalFlip()"
MANY_SAMPLES = 20_000
# What some of the networks ask for beside the protocol's own; the same on both sides.
PRM: dict[str, float] = {"dropout": 0.2}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def chosen_protocol(samples: int, seed: int) -> Protocol:
    """The protocol of both sides; the precision is what this side is free in."""
    return protocol(
        "lemur-1ep", transform=TRANSFORM, precision="auto", train_limit=samples, seed=seed, prm=PRM, time_limit_s=3600
    )


class BareLoop:
    """A process that has torch and waits for networks."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "bare_loop.py")]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT)
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def run(self, spec: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(spec) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Bench:
    """Both sides and the limit, for one network at a time and thread."""

    def __init__(self, evaluator: Evaluator, labels: Path) -> None:
        self._evaluator = evaluator
        self._info = task_info("fashion-mnist")
        self._labels = labels

    def row(self, network: Path, samples: int, seed: int, lemur_first: bool, first_seed: bool) -> dict[str, Any]:
        """One network under one protocol: LEMUR's way, ours, and the bare loop (with the first seed only)."""
        chosen = chosen_protocol(samples, seed)
        further = first_seed or samples <= MANY_SAMPLES
        sides = [("lemur", partial(self._lemur, further)), ("ours", self._ours)]
        row: dict[str, Any] = {"network": network.stem, "samples": samples, "seed": seed}
        for name, run in sides if lemur_first else reversed(sides):
            row[name] = run(network, chosen)
        if first_seed:
            bare = BareLoop()
            row["bare"] = bare.run(self._spec(network, chosen))
            bare.close()
        return row

    def _ours(self, network: Path, chosen: Protocol) -> dict[str, Any]:
        source = network.read_text(encoding="utf-8")
        started = time.perf_counter()
        trial = self._evaluator.train(source, self._info.task, chosen)
        wall_s = time.perf_counter() - started
        if trial.metric is None:
            raise RuntimeError(f"{network.name}: training {trial.state}: {trial.error_class}: {trial.message}")
        return {"accuracy": trial.metric, "cpu_s": trial.cpu_s, "wall_s": wall_s, "setting": trial.setting}

    def _lemur(self, further: bool, network: Path, chosen: Protocol) -> dict[str, Any]:
        spec = self._spec(network, chosen) | {"further_passes": further}
        command = [sys.executable, str(HERE / "lemur_way.py"), json.dumps(spec)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{network.name}, LEMUR's way: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def _spec(self, network: Path, chosen: Protocol) -> dict[str, Any]:
        folder = prepare(self._info.dataset)
        prm = {"lr": chosen.lr, "momentum": chosen.momentum, "batch": chosen.batch, "epoch": 1, "transform": ""}
        return {
            "network": str(network),
            **{name: str(folder / f"{name}.npy") for name in ("train_x", "train_y", "test_x")},
            "test_y": str(self._labels),
            "in_shape": list(self._info.in_shape),
            "classes": self._info.classes,
            "mean": list(self._info.mean),
            "std": list(self._info.std),
            "transform": chosen.transform,
            "train_limit": chosen.train_limit,
            "seed": chosen.seed,
            "prm": {**prm, **chosen.prm},
        }


def measured(given: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows, those of an interrupted run taken over."""
    networks = sorted(given.networks.glob("*.py"))
    given.rows.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows.exists() else []
    known = {(row["network"], row["samples"], row["seed"]) for row in rows}
    jobs = [
        (network, samples, seed, number % 2 == 0, seed == given.seeds[0])
        for samples in given.samples
        for seed in given.seeds
        for number, network in enumerate(networks, start=seed)
        if (network.stem, samples, seed) not in known
    ]
    prepare("fashion-mnist")
    labels = given.rows.parent / "fashion-mnist-test-labels.npy"
    np.save(labels, held_out_labels("fashion-mnist"))  # for LEMUR's way, which scores in the network's process
    image = evaluation_image(["fashion-mnist"])
    with open_sandbox("bubblewrap", image) as sandbox, Progress() as progress, given.rows.open("a") as out:
        bench, bar = Bench(Evaluator(sandbox), labels), progress.add_task("measuring", total=len(jobs))
        with ThreadPoolExecutor(sandbox.workers) as pool:
            for row in pool.map(lambda job: bench.row(*job), jobs):
                rows.append(row)
                out.write(json.dumps(row) + "\n")
                out.flush()
                progress.advance(bar)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 60_000], help="training images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", type=Path, default=NETWORKS, help="folder of networks; they run unprotected")
    parser.add_argument("--rows", type=Path, default=ROWS, help="where rows are kept while it runs")
    parser.add_argument("--output", type=Path, default=OUT)
    given = parser.parse_args()
    found = document(measured(given))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
