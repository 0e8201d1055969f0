"""A long campaign, undisturbed and killed again and again: does it stay small, is it quick, is it the same?

A scripted model writes small networks for the embedded data set of handwritten digits, one in twenty of them broken;
all of them are validated, repaired, compared with what is known and trained in the real sandbox, with the real records
and the real graph. Everything but the language model is as in any campaign.

Run once undisturbed (memory and files are looked at once a second) and once with ``SIGKILL`` at random moments, each
in a data directory of its own below ``build/soak``. Prints what docs/soak.md holds, writes it to ``build/soak`` as
JSON too, and ends with 1 where a number misses its aim.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from netwright.memory.types import candidate_id
from netwright.tools.generators.headers import ANY, BUCKETS, Header
from netwright.tools.generators.programs import random_program
from netwright.tools.pretraining.report import machine
from soak_figures import aims, compared, figures, table
from soak_runs import done, killed, undisturbed

ROOT = Path(__file__).resolve().parents[1]
SEED = 20_26
SCRIPT = 6_000
"""Programs of the script: the model draws from them with repetition, so that a few are copies of earlier ones."""
BROKEN = 20
"""One in so many lacks a line."""
CYCLE = 50
"""Candidates of a cycle; fewer where there would be less than ten cycles."""
EPOCHS = 4
"""Long enough to be training, short enough for thousands of them."""


def write_script(path: Path, programs: int = SCRIPT) -> None:
    """A script of distinct programs below 3,000 parameters for images of 8 × 8, some of them broken."""
    rng = random.Random(SEED)
    answers: dict[str, str] = {}
    while len(answers) < programs:
        source = random_program(rng, Header((1, 8, 8), 10, BUCKETS[0], ANY)).source
        if rng.randrange(BROKEN) == 0:
            lines = source.splitlines()
            del lines[rng.randrange(3, len(lines))]
            source = "\n".join(lines) + "\n"
        answers[candidate_id(source)] = f"```python\n{source}```\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"order": "seed", "answers": list(answers.values())}), encoding="utf-8")


def arguments(script: Path, candidates: int, epochs: int) -> list[str]:
    """Of ``netwright campaign run``."""
    size = min(CYCLE, max(1, candidates // 10))
    settings = {
        "campaign.dataset": "digits",
        "campaign.candidates": size,
        "campaign.threshold": 0.8,
        "campaign.repair_tries": 1,
        "campaign.tune": "false",
        "campaign.stopping.enabled": "false",
        "model.name": "scripted",
        "model.path": script,
        "protocol.epochs": epochs,
        "budget.cycles": -(-candidates // size),
        "budget.candidates": candidates,
    }
    return [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]


def soak(folder: Path, candidates: int, kills: int, epochs: int) -> dict[str, Any]:
    """Both runs and all figures."""
    shutil.rmtree(folder, ignore_errors=True)
    write_script(folder / "script.json")
    asked = arguments(folder / "script.json", candidates, epochs)
    calm, disturbed = folder / "undisturbed", folder / "killed"
    begun = time.perf_counter()
    looks = undisturbed(calm, asked)
    undisturbed_s = time.perf_counter() - begun
    (folder / "looks.json").write_text(json.dumps(looks), encoding="utf-8")
    log = killed(disturbed, asked, done(calm), kills, SEED)
    return {
        "candidates": candidates,
        "epochs": epochs,
        "kills": log,
        "undisturbed_s": undisturbed_s,
        "killed_s": time.perf_counter() - begun - undisturbed_s,
        **figures(calm, looks),
        "identical": compared(calm, disturbed),
        "machine": machine(),
        "load": os.getloadavg(),
    }


def publish(found: dict[str, Any]) -> None:
    """Put the figures between the marks of docs/soak.md."""
    page = ROOT / "docs" / "soak.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition("<!-- measured: soak -->\n")
    _, end, after = rest.partition("<!-- end: soak -->")
    page.write_text(f"{before}{mark}\n{told(found)}\n\n{table(found)}\n\n{end}{after}", encoding="utf-8")


def told(found: dict[str, Any]) -> str:
    """What was run, on what."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    here = found["machine"]
    return (
        f"{found['candidates']:,} candidates, {len(found['kills'])} kills, {found['epochs']} epochs each, at "
        f"{commit.stdout.strip()}, on {here['cpu']}, {here['cores']} cores; load at the end "
        f"{found['load'][2]:.1f} (mean of 15 minutes, the benchmark's own processes included)."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--publish", action="store_true", help="put the table into docs/soak.md")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "soak")
    asked = parser.parse_args()
    found = soak(asked.to, asked.candidates, asked.kills, asked.epochs)
    found["aims"] = aims(found)
    (asked.to / "soak.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(found))
    if asked.publish:
        publish(found)
    print(f"\nall figures: {asked.to / 'soak.json'}")
    return 0 if all(one["met"] for one in found["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
