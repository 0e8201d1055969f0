"""How good are the programs of the embedded model's corpus? Trains a sample of them and publishes the distribution.

    python benchmarks/corpus_accuracy.py [--count 300]

The corpus is what a random generator with textbook priors writes; a campaign's rise is read against this. Writes
``docs/reports/corpus-digits.json``; ``benchmarks/publish.py`` puts its table into the documents.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from netwright.memory.types import Trial
from netwright.sandbox import open_sandbox
from netwright.tools.generators.programs import Program
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.protocols import default_protocol
from netwright.tools.tasks import task_info
from netwright.tools.training import Evaluator, evaluation_image
from rich.progress import track

OUT = Path(__file__).resolve().parents[1] / "docs" / "reports" / "corpus-digits.json"


def sample(count: int, seed: int) -> list[Program]:
    """Programs of the corpus for the digits' shapes."""
    info = task_info("digits")
    fitting = [
        program
        for program in packaged_corpus()
        if program.header.in_shape == info.in_shape and program.header.classes == info.classes
    ]
    return random.Random(seed).sample(fitting, min(count, len(fitting)))


def train(programs: Sequence[Program]) -> list[Trial]:
    """One trial for each program under the digits' own protocol."""
    info = task_info("digits")
    with open_sandbox("bubblewrap", evaluation_image([info.dataset])) as sandbox:
        evaluator, protocol = Evaluator(sandbox), default_protocol(info.dataset)

        def one(program: Program) -> Trial:
            return evaluator.train(program.source, info.task, protocol)

        with ThreadPoolExecutor(sandbox.workers) as pool:
            return list(track(pool.map(one, programs), "training", total=len(programs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of programs")
    given = parser.parse_args()
    programs = sample(given.count, given.seed)
    trials = train(programs)
    rows = [
        {"style": program.style, "params": program.params, "state": trial.state, "accuracy": trial.metric}
        for program, trial in zip(programs, trials, strict=True)
    ]
    protocol = default_protocol("digits")
    document = {
        "dataset": "digits",
        "protocol": {**protocol.model_dump(), "hash": protocol.hash},
        "seed": given.seed,
        "threshold": task_info("digits").threshold,
        "machine": machine() | {"versions": versions()},
        "programs": rows,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    done = sorted(row["accuracy"] for row in rows if row["accuracy"] is not None)
    print(f"{len(done)} of {len(rows)} trained; median {done[len(done) // 2]:.3f}, best {done[-1]:.3f}; {OUT}")


if __name__ == "__main__":
    main()
