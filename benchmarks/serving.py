"""Tokens per second of the embedded model: served by vLLM against the sampler in this process.

    python benchmarks/serving.py [--batches 8,32] [--rounds 3] [--threads N] [--dtype float32]

Both sides answer the same headers through the same handle, with the decoding of a campaign; a round is one batch on
each side, in turns, after one that does not count. The sampler in this process runs on one thread, by which a seed
keeps its meaning; the server on one less than the machine has cores, beside its scheduler, unless ``--threads`` says
otherwise. Programs are counted when they end by themselves; CPU seconds tell what a busy machine's clock hides.
Writes ``docs/reports/serving.json``.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from langchain_core.messages import HumanMessage
from netwright.agents.models import ModelConfig, open_chat_model
from netwright.agents.models.factory import ChatModelHandle
from netwright.agents.prompting import header_for
from netwright.memory.types import Request, RequestLimits
from netwright.tools.pretraining.report import machine
from netwright.tools.serving.environment import REQUIREMENT, kind_here
from netwright.tools.serving.server import servers
from netwright.tools.serving.settings import ServeSettings
from netwright.tools.tasks import task
from rich.console import Console
from rich.table import Table

OUT = Path(__file__).resolve().parents[1] / "docs" / "reports" / "serving.json"
REQUEST = Request(task=task("fashion-mnist"), limits=RequestLimits(max_params=200_000))


@dataclass
class Side:
    """One way to answer, and what it took: seconds, CPU seconds, tokens and whole programs of each round."""

    handle: ChatModelHandle
    processes: Callable[[], Iterable[psutil.Process]]
    rounds: list[tuple[float, float, int, int]] = field(default_factory=list)

    def cpu(self) -> float:
        """CPU seconds that its processes have used."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(each.user + each.system for each in times)

    def answer(self, size: int, seed: int) -> None:
        """One batch."""
        rng = random.Random(seed)
        prompts = [[HumanMessage(header_for(REQUEST, rng).render())] for _ in range(size)]
        cpu, begun = self.cpu(), time.perf_counter()
        answers = self.handle.ask(prompts, seed=seed)
        seconds = time.perf_counter() - begun
        tokens = sum(a.usage_metadata["output_tokens"] for a in answers if a.usage_metadata)
        whole = sum(a.response_metadata["finish_reason"] == "stop" for a in answers)
        self.rounds.append((seconds, self.cpu() - cpu, tokens, whole))

    def summary(self) -> dict[str, float]:
        """Median over the rounds that count."""
        kept = self.rounds[1:]
        return {
            "tokens_per_s": round(statistics.median(t / s for s, _, t, _ in kept), 1),
            "programs_per_s": round(statistics.median(w / s for s, _, _, w in kept), 2),
            "tokens_per_cpu_s": round(statistics.median(t / c for _, c, t, _ in kept), 1),
            "seconds": round(statistics.median(s for s, _, _, _ in kept), 2),
        }


def served_processes() -> list[psutil.Process]:
    """The server's processes."""
    return [child for state in servers() for child in psutil.Process(state.pid).children(recursive=True)]


def measure(batches: list[int], rounds: int, settings: ServeSettings) -> dict[str, Any]:
    """All batch sizes on both sides."""
    served = open_chat_model(ModelConfig(serve="vllm", serving=settings))
    local = open_chat_model(ModelConfig())
    found: dict[str, Any] = {}
    begun = time.perf_counter()
    try:
        served.ask([[HumanMessage("warm up")]], seed=0)
        ready = time.perf_counter() - begun
        for size in batches:
            sides = {"vllm": Side(served, served_processes), "in_process": Side(local, lambda: [psutil.Process()])}
            for number in range(rounds + 1):
                for side in sides.values():
                    side.answer(size, seed=1000 * size + number)
            found[str(size)] = {name: side.summary() for name, side in sides.items()}
    finally:
        served.close()
    kind = kind_here()
    return {
        "server": REQUIREMENT[kind],
        "device": kind,
        "threads": settings.threads,
        "dtype": settings.dtype,
        "ready_s": round(ready, 1),
        "rounds": rounds,
        "load": [round(x, 1) for x in psutil.getloadavg()],
        "machine": machine(),
        "batches": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", default="8,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default=ServeSettings().dtype)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    settings = ServeSettings(threads=options.threads, dtype=options.dtype)
    report = measure([int(size) for size in options.batches.split(",")], options.rounds, settings)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    table = Table("batch", "side", "tokens/s", "programs/s", "tokens per CPU second", "seconds")
    for size, sides in report["batches"].items():
        for name, row in sides.items():
            table.add_row(size, name, *(f"{row[k]:,}" for k in ("tokens_per_s", "programs_per_s")),
                          f"{row['tokens_per_cpu_s']:,}", f"{row['seconds']}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
