"""How fast and how well are near-duplicates found among thousands of networks?

    python benchmarks/dedup.py [--counts 3000,30000] [--share 0.25] [--workers 2]

Networks of about 9 KB are composed of generated programs; a share are copies of others with up to sixty changed
lines, so that similarities lie on both sides of 0.90. Whole commands ``netwright dedup DIR --no-structural`` are
measured, Python's start and the report included: CPU time of all its processes, and the sum of their peaks of memory.
What they find is compared with exact Jaccard similarity by Python's own lexer. A second run finds its index on disk.

Writes ``docs/reports/dedup-speed.json``, which ``benchmarks/publish.py`` puts into the documents, and ends with exit
code 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedup_networks import Planted, exact_jaccard, write_networks
from netwright.tools.pretraining.report import machine, versions
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "reports" / "dedup-speed.json"
THRESHOLD = 0.90
LEAST_PER_CPU_S, MOST_GROWTH, LEAST_FOUND = 200.0, 11.0, 0.98
# What the kernel counts as a child's peak begins with its parent's, so each process tells its own.
_COMMAND = """
import atexit, os, re, resource, sys
def tell():
    own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with open(os.environ["PEAK"], "w") as file:
        file.write(f"{own} {worker}")
atexit.register(tell)
from netwright.interfaces.cli.main import main
main()
"""


def measured(folder: Path, home: Path, workers: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the command on a folder; CPU and wall seconds, MiB, and what it found."""
    out, peak = home.with_suffix(".jsonl"), home.with_suffix(".peak")
    arguments = ["dedup", str(folder), "--no-structural", "--workers", str(workers), "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments],
        env={**os.environ, "NETWRIGHT_HOME": str(home), "PEAK": str(peak)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"netwright {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    own, worker = map(int, peak.read_text().split())
    cost = {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_s": round(wall, 2),
        "memory_mb": round((own + (workers if workers > 1 else 0) * worker) / 1024, 1),
    }
    return cost, lines


def judged(folder: Path, lines: Sequence[dict[str, Any]], planted: Sequence[Planted], checked: int) -> dict[str, Any]:
    """Recall over planted pairs; precision over reported ones, of at most ``checked`` drawn at random."""
    found = {line["key"]: line for line in lines}
    near = [one for one in planted if one.jaccard >= THRESHOLD]
    recalled = [one for one in near if found[one.key]["cluster"] == found[one.origin]["cluster"]]
    dropped = [line for line in lines if not line["kept"]]
    sample = random.Random(0).sample(dropped, min(checked, len(dropped)))

    def true(line: dict[str, Any]) -> bool:
        """A copy has a network to which it is near, and the similarity told is the exact one."""
        one, other = ((folder / line[name]).read_text(encoding="utf-8") for name in ("key", "nearest"))
        exact = exact_jaccard(one, other)
        return exact >= THRESHOLD and abs(exact - line["similarity"]) < 1e-5

    return {
        "planted": len(planted),
        "near": len(near),
        "recall": round(len(recalled) / len(near), 5),
        "reported": len(dropped),
        "checked": len(sample),
        "precision": round(sum(map(true, sample)) / len(sample), 5),
    }


def row(count: int, share: float, seed: int, workers: int, checked: int) -> dict[str, Any]:
    """Everything about one number of networks."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "networks"
        planted = write_networks(folder, count, share, seed)
        size = sum(path.stat().st_size for path in folder.iterdir()) / count
        first, lines = measured(folder, Path(place) / "home", workers)
        again, _ = measured(folder, Path(place) / "home", workers)
        return {
            "networks": count,
            "bytes": round(size),
            **first,
            "per_cpu_s": round(count / first["cpu_s"], 1),
            "again": again,
            **judged(folder, lines, planted, checked),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="3000,30000", help="numbers of networks")
    parser.add_argument("--share", type=float, default=0.25, help="share of copies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--checked", type=int, default=1_000, help="reported copies that are checked exactly")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    counts = [int(count) for count in given.counts.split(",")]
    rows = [row(count, given.share, given.seed, given.workers, given.checked) for count in counts]
    document = {"share": given.share, "seed": given.seed, "workers": given.workers, "threshold": THRESHOLD}
    document |= {"rows": rows, "machine": machine(), "versions": versions()}
    given.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    table = Table("networks", "per CPU second", "CPU s", "wall s", "again CPU s", "MiB", "recall", "precision")
    for one in rows:
        cells = (one["per_cpu_s"], one["cpu_s"], one["wall_s"], one["again"]["cpu_s"], one["memory_mb"])
        table.add_row(f"{one['networks']:,}", *map(str, (*cells, one["recall"], one["precision"])))
    Console().print(table)
    missed = [
        f"{one['networks']}: {one[name]}" for one in rows for name in ("recall", "precision") if one[name] < LEAST_FOUND
    ]
    if rows[0]["per_cpu_s"] < LEAST_PER_CPU_S:
        missed.append(f"{rows[0]['per_cpu_s']} networks per CPU second")
    growth, bound = rows[-1]["cpu_s"] / rows[0]["cpu_s"], MOST_GROWTH * counts[-1] / counts[0] / 10
    Console().print(f"{counts[-1] / counts[0]:g} times the networks cost {growth:.2f} times the CPU time")
    if len(rows) > 1 and growth > bound:
        missed.append(f"grows by {growth:.2f}, at most {bound:g}")
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
