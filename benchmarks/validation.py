"""How many candidates are validated per second? A warm worker against a new process, or sandbox, per candidate.

    python benchmarks/validation.py [--candidates 20] [--rounds 3] [--backends bubblewrap,docker]

The same trusted candidates go through the same handler on every side, one at a time and on one thread:

* ``X, warm worker``: what netwright does. The worker has imported torch and forks for each candidate.
* ``new process``: what the field does. ``python -c`` imports torch, judges one candidate and ends; nothing is isolated.
* ``X, new sandbox``: the same isolation without a warm worker. A sandbox is opened for each candidate and closed.

The sides take turns at each candidate, and each begins as often as any other, so that a slow moment of the machine
falls on all. Verdicts must be equal on all sides. Writes ``docs/reports/validation-speed.json``, which
``benchmarks/publish.py`` puts into the documents, and ends with exit code 1 where a warm worker is less than
``--least`` times as fast as what it replaces.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from netwright.memory.types import Verdict
from netwright.sandbox import ISOLATING, Job, Outcome, Sandbox, SandboxUnavailable, open_sandbox
from netwright.tools.execution import PAYLOAD, SEED_ENVIRONMENT, Validator, validation_image
from netwright.tools.generators.headers import Header
from netwright.tools.generators.programs import random_program
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.tasks import task
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "reports" / "validation-speed.json"
NETWORKS = ROOT / "tests" / "data" / "networks"
TASK = task("fashion-mnist")
LEAST = 20.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_CHILD = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
module, function = sys.argv[2].split(".")
handler = getattr(importlib.import_module(module), function)
print(json.dumps(handler(json.load(sys.stdin), {}, lambda note: None)))
"""


class _PerJob:
    """What sides have in common that keep nothing between two jobs; with a ``run`` each is a :class:`Sandbox`."""

    isolating = False
    workers = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def close(self) -> None:
        """Nothing is open between jobs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class NewProcesses(_PerJob):
    """A new Python for each job, with the rights of this one. For trusted candidates only."""

    def run(self, job: Job) -> Outcome:
        command = [sys.executable, "-B", "-c", _CHILD, str(PAYLOAD), job.handler]
        environment = {"PATH": "/usr/bin:/bin", **_ONE_THREAD, **SEED_ENVIRONMENT}
        done = subprocess.run(
            command, input=json.dumps(job.payload), env=environment, cwd="/", capture_output=True, text=True, check=True
        )
        return Outcome(status="ok", result=json.loads(done.stdout.splitlines()[-1]))


class NewSandboxes(_PerJob):
    """A new sandbox of a backend for each job. Its worker imports nothing that the job does not need."""

    def __init__(self, name: str, backend: str) -> None:
        super().__init__(name)
        self._backend = backend
        self._image = replace(validation_image(), preload=("torch",))

    def run(self, job: Job) -> Outcome:
        with open_sandbox(self._backend, self._image, workers=1) as sandbox:
            return sandbox.run(job)


@dataclass
class Side:
    """One way to validate. ``seconds[round]`` are those of its candidates, one after the other."""

    name: str
    sandbox: Sandbox
    seconds: list[list[float]] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Validations per second, by round."""
        return [len(each) / sum(each) for each in self.seconds]


def candidates(count: int, seed: int) -> dict[str, str]:
    """Trusted sources by name: hand-written networks of all families, then programs of the project's generator."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(NETWORKS.glob("*.py"))}
    rng = random.Random(seed)
    channels, height, width = TASK.in_shape
    header = Header((channels, height, width), TASK.out_shape[0])
    while len(found) < count:
        program = random_program(rng, header)
        found[f"{program.style}-{len(found)}"] = program.source
    names = rng.sample(sorted(found), count)
    return {name: found[name] for name in names}


def check_equal(name: str, verdicts: dict[str, Verdict]) -> None:
    """Raises :class:`ValueError` unless all sides came to the same verdict; seconds aside."""
    plain = {side: verdict.model_copy(update={"seconds": 0.0}) for side, verdict in verdicts.items()}
    if len({verdict.model_dump_json() for verdict in plain.values()}) != 1:
        told = "; ".join(f"{side}: {verdict.reason}, {verdict.params} parameters" for side, verdict in plain.items())
        raise ValueError(f"the verdicts on {name} differ: {told}")


def measure(sides: Sequence[Side], sources: dict[str, str], rounds: int, progress: Progress) -> dict[str, Verdict]:
    """Fill in the sides' seconds. Returns the verdict on each candidate."""
    validators = [Validator(side.sandbox) for side in sides]
    bar = progress.add_task("validating", total=rounds * len(sources) * len(sides))
    agreed: dict[str, Verdict] = {}
    turn = 0
    for _ in range(rounds):
        for side in sides:
            side.seconds.append([])
        for name, source in sources.items():
            verdicts = {}
            for step in range(len(sides)):
                at = (turn + step) % len(sides)
                started = time.perf_counter()
                verdicts[sides[at].name] = validators[at].validate(source, TASK)
                sides[at].seconds[-1].append(time.perf_counter() - started)
                progress.advance(bar)
            check_equal(name, verdicts)
            agreed[name] = next(iter(verdicts.values()))
            turn += 1
    return agreed


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most, with four significant digits."""
    numbers = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in numbers.items()}


def report(sides: Sequence[Side], pairs: Sequence[tuple[str, str]], least: float) -> dict[str, Any]:
    """What was measured: rates of the sides, and ratios of the pairs (warm, what it replaces) round by round."""
    rates = {side.name: side.rates() for side in sides}
    return {
        "sides": [
            {"side": side.name, "per_s": spread(rates[side.name]), "rounds": [round(r, 4) for r in rates[side.name]]}
            for side in sides
        ],
        "ratios": [
            {
                "side": warm,
                "against": other,
                "ratio": spread([a / b for a, b in zip(rates[warm], rates[other], strict=True)]),
                "asked": least,
            }
            for warm, other in pairs
        ],
    }


def open_sides(
    backends: Sequence[str], required: bool, stack: ExitStack, console: Console
) -> tuple[list[Side], list[tuple[str, str]], dict[str, float]]:
    """Open the warm workers.

    Returns:
        All sides; the pairs to compare; seconds that each warm worker took to start.

    Raises:
        SandboxUnavailable: a backend cannot run here and ``required`` is true, or none can.
    """
    plain = Side("new process", NewProcesses("new process"))
    sides, pairs, starts = [plain], [], {}
    for backend in backends:
        warm, new = f"{backend}, warm worker", f"{backend}, new sandbox"
        started = time.perf_counter()
        try:
            sandbox = stack.enter_context(open_sandbox(backend, validation_image(), workers=1))
        except SandboxUnavailable as error:
            if required:
                raise
            console.print(f"left out: {error}", style="yellow")
            continue
        starts[warm] = round(time.perf_counter() - started, 2)
        sides += [Side(warm, sandbox), Side(new, NewSandboxes(new, backend))]
        pairs += [(warm, plain.name), (warm, new)]
    if not pairs:
        raise SandboxUnavailable("none of the backends can run here; netwright doctor says what to install")
    return sides, pairs, starts


def exit_code(document: dict[str, Any]) -> int:
    """1 where a warm worker was slower than asked for, else 0."""
    return int(any(row["ratio"]["median"] < row["asked"] for row in document["ratios"]))


def tables(document: dict[str, Any]) -> list[Table]:
    """The report for a terminal."""
    speeds = Table("side", "validations/s", "min–max", title=f"one at a time, {document['machine']['cpu']}")
    for row in document["sides"]:
        speeds.add_row(row["side"], f"{row['per_s']['median']:.2f}", _range(row["per_s"]))
    ratios = Table("side", "against", "times as fast", "min–max", "asked")
    for row in document["ratios"]:
        enough = "green" if row["ratio"]["median"] >= row["asked"] else "red"
        median = f"[{enough}]{row['ratio']['median']:.1f}[/]"
        ratios.add_row(row["side"], row["against"], median, _range(row["ratio"]), f"≥ {row['asked']:g}")
    return [speeds, ratios]


def _range(values: dict[str, float]) -> str:
    return f"{values['least']:.2f}–{values['most']:.2f}"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--candidates", type=int, default=20)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--backends", help="comma-separated; all isolating ones that can run here by default")
    made.add_argument("--seed", type=int, default=0, help="of the choice of candidates")
    made.add_argument("--least", type=float, default=LEAST, help="ratio that is asked for")
    made.add_argument("--output", type=Path, default=OUT, help="where the report goes")
    made.add_argument("--json", action="store_true", help="print the report instead of tables")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the report, print it. Returns the exit code."""
    given = parser().parse_args(arguments)
    console = Console(stderr=True)
    backends = given.backends.split(",") if given.backends else ISOLATING
    sources = candidates(given.candidates, given.seed)
    with ExitStack() as stack:
        sides, pairs, starts = open_sides(backends, bool(given.backends), stack, console)
        progress = stack.enter_context(Progress(console=console))
        verdicts = measure(sides, sources, given.rounds, progress)
    document = {
        "dataset": TASK.dataset,
        "machine": machine() | {"versions": versions()},
        "rounds": given.rounds,
        "seed": given.seed,
        "start_s": starts,
        "candidates": [
            {"name": name, "verdict": verdict.reason, "params": verdict.params} for name, verdict in verdicts.items()
        ],
        **report(sides, pairs, given.least),
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(document, indent=1))
    else:
        for table in tables(document):
            Console().print(table)
    return exit_code(document)


if __name__ == "__main__":
    sys.exit(main())
