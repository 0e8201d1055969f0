"""What the soak found, as figures and as a table: memory and files by tenth, overhead, what a killed run changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

MEMORY_RATIO = 1.1
"""Most that the last tenth may take, as a share of the second: the first holds what is loaded once."""
OVERHEAD = 0.05
"""Most of the wall time in which neither a sandbox job nor the model ran."""
LINEAR = 0.98
"""Least R² of a size against the number of candidates to call it linear."""
_GROWING = ("records", "checkpoints", "other")

# Moments, durations, attempts and what the machine did are left out: they differ between any two runs.
COMPARED = {
    "candidates": "select id, source, origin, parents, blocks from candidates order by id",
    "generations": (
        "select cycle, slot, seed, prompt, answer, tokens_in, tokens_out, raw_candidate_id, cleaned_candidate_id, "
        "candidate_id, valid_by, repair_tries, novel, jaccard, nearest, nearest_kind, exemplars, blocks, parent "
        "from generations order by cycle, slot"
    ),
    "repairs": (
        "select cycle, slot, try_no, error, answer, candidate_id, tokens_in, tokens_out, by, parent "
        "from repair_attempts order by cycle, slot, try_no"
    ),
    "verdicts": (
        "select candidate_id, task_id, limits_hash, stage, ok, error_class, message, line, params, flops "
        "from verdicts order by candidate_id, limits_hash"
    ),
    "trials": (
        "select candidate_id, task_id, protocol_hash, state, metric, error_class, message "
        "from trials order by candidate_id, protocol_hash"
    ),
    "scores": (
        "select name, epoch, accuracy from scores join networks on networks.id = network_id order by name, epoch"
    ),
    "admissions": (
        "select cycle, candidate_id, admitted, reasons, metric from admissions order by cycle, candidate_id"
    ),
    "cycles": "select n, state, adapter, threshold from cycles order by n",
    "spent": "select tokens, candidates, state, stop_reason from campaigns",
}
"""Tables that must be the same in both runs, with the columns that are compared."""


def figures(home: Path, looks: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Figures of the undisturbed run, in MiB, seconds and shares."""
    clock = json.loads((home / "clock.json").read_text(encoding="utf-8"))
    wall, candidates = clock["wall_s"], max(one["candidates"] for one in looks)
    return {
        "tenths": tenths(looks),
        "fits": {name: fit(looks, name) for name in _GROWING},
        "clock": clock,
        "overhead": 1 - clock["busy_s"] / wall,
        "overhead_ms": 1000 * (wall - clock["busy_s"]) / candidates,
        "idle_workers": 1 - clock["worker_s"] / (clock["workers"] * wall),
        "own_cpu": clock["cpu_s"] / wall,
        "own_cpu_ms": 1000 * clock["cpu_s"] / candidates,
        "counts": _counts(home),
    }


def tenths(looks: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Mean memory and last size of files in each tenth of the campaign's candidates, in MiB."""
    most = max(one["candidates"] for one in looks)
    found = []
    for tenth in range(10):
        inside = [one for one in looks if tenth * most < 10 * one["candidates"] <= (tenth + 1) * most]
        if not inside:
            continue
        row = {name: float(np.mean([one[name] for one in inside])) / 2**20 for name in ("own", "below")}
        row |= {name: inside[-1][name] / 2**20 for name in _GROWING}
        found.append({"tenth": tenth + 1, "candidates": inside[-1]["candidates"], "looks": len(inside), **row})
    return found


def fit(looks: Sequence[dict[str, float]], name: str) -> dict[str, float]:
    """A straight line through a size against the candidates: KiB per candidate, MiB at none, R²."""
    x = np.array([one["candidates"] for one in looks], dtype=float)
    y = np.array([one[name] for one in looks], dtype=float)
    largest = float(y.max()) / 2**20
    if np.ptp(x) == 0:
        return {"kib_per_candidate": 0.0, "mib_at_none": largest, "r2": 0.0, "largest": largest}
    slope, start = np.polyfit(x, y, 1)
    rest, spread = float(((y - slope * x - start) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    return {
        "kib_per_candidate": float(slope) / 2**10,
        "mib_at_none": float(start) / 2**20,
        "r2": 1 - rest / spread if spread else 1.0,
        "largest": largest,
    }


def compared(calm: Path, disturbed: Path) -> dict[str, dict[str, Any]]:
    """Each table of :data:`COMPARED` in both runs: number of rows, and how many of them differ."""
    return {name: _compare(calm, disturbed, query) for name, query in COMPARED.items()}


def _compare(calm: Path, disturbed: Path, query: str) -> dict[str, Any]:
    one, other = rows(calm, query), rows(disturbed, query)
    known = set(one)
    left = [row for row in other if row not in known]
    differing = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
    return {"rows": len(one), "differing": differing, "first": [str(row)[:300] for row in left[:3]]}


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a data directory's records."""
    with closing(sqlite3.connect(home / "records.db")) as connection:
        return connection.execute(query).fetchall()


def _counts(home: Path) -> dict[str, int]:
    """What the campaign did, by kind."""
    queries = {
        "cycles": "select count(*) from cycles where ended is not null",
        "candidates": "select count(*) from generations",
        "repairs": "select count(*) from repair_attempts",
        "valid": "select count(*) from generations where valid_by != 'none'",
        "trained": "select count(*) from trials where state = 'complete'",
        "failed trainings": "select count(*) from trials where state = 'failed'",
        "admitted": "select count(*) from admissions where admitted",
    }
    return {name: int(rows(home, query)[0][0]) for name, query in queries.items()}


def aims(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was asked of the soak, what was found, and whether that is enough."""
    by_tenth = {one["tenth"]: one["own"] for one in found["tenths"]}
    ratio = by_tenth[10] / by_tenth[2] if {2, 10} <= by_tenth.keys() else float("nan")
    differing = sum(one["differing"] for one in found["identical"].values())
    checked = [
        ("memory, last tenth ÷ second", f"≤ {MEMORY_RATIO}", round(ratio, 3), ratio <= MEMORY_RATIO),
        ("overhead, share of wall time", f"≤ {OVERHEAD}", round(found["overhead"], 4), found["overhead"] <= OVERHEAD),
        ("rows that differ after the kills", "0", differing, differing == 0),
    ]
    records = found["fits"]["records"]
    checked.append(("size of the records, R²", f"≥ {LINEAR}", round(records["r2"], 4), records["r2"] >= LINEAR))
    return [{"what": what, "asked": asked, "got": got, "met": met} for what, asked, got, met in checked]


def table(found: dict[str, Any]) -> str:
    """All figures as Markdown."""
    lines = ["| tenth | candidates | own memory | sandbox | records | checkpoints | other files |", "|---" * 7 + "|"]
    for one in found["tenths"]:
        sizes = " | ".join(f"{one[name]:.1f}" for name in ("own", "below", "records", "checkpoints", "other"))
        lines.append(f"| {one['tenth']} | {one['candidates']:.0f} | {sizes} |")
    lines += ["", "MiB; memory is the mean of a tenth, files as they were at its end.", ""]
    lines += ["| | asked | got | |", "|---|---|---|---|"]
    lines += [f"| {a['what']} | {a['asked']} | {a['got']} | {'' if a['met'] else 'missed'} |" for a in found["aims"]]
    lines += ["", *_told(found), "", "| table | rows | differ |", "|---|---|---|"]
    lines += [f"| {name} | {one['rows']:,} | {one['differing']} |" for name, one in found["identical"].items()]
    return "\n".join(lines)


def _told(found: dict[str, Any]) -> list[str]:
    """The other figures in words."""
    clock, fits = found["clock"], found["fits"]
    counts = ", ".join(f"{count:,} {name}" for name, count in found["counts"].items())
    jobs = ", ".join(f"{one['count']:,} × {name} ({one['seconds']:.0f} s)" for name, one in clock["jobs"].items())
    lines = [
        f"- Did: {counts}. Jobs: {jobs}.",
        f"- Undisturbed {found['undisturbed_s'] / 60:.1f} minutes, of these {clock['wall_s'] / 60:.1f} in the graph; "
        f"killed {len(found['kills'])} times {found['killed_s'] / 60:.1f} minutes.",
        f"- Overhead {100 * found['overhead']:.2f} % of wall time, {found['overhead_ms']:.1f} ms per candidate; "
        f"workers without a job {100 * found['idle_workers']:.1f} % of their time; the campaign's own process used "
        f"{100 * found['own_cpu']:.1f} % of a core, {found['own_cpu_ms']:.1f} ms per candidate.",
    ]
    for name in _GROWING:
        one = fits[name]
        lines.append(
            f"- {name.capitalize()}: {one['kib_per_candidate']:.2f} KiB per candidate, {one['mib_at_none']:.1f} MiB "
            f"at none, R² {one['r2']:.3f}, at most {one['largest']:.1f} MiB."
        )
    return lines
