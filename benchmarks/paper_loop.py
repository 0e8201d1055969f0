"""The paper's loop on the embedded model: 22 cycles on Fashion-MNIST, killed once, gone on with, published.

    python benchmarks/paper_loop.py                      # two to three hours on two cores
    python benchmarks/paper_loop.py --home DIR --id ID   # only publish a campaign that was run before

Runs ``configs/fashion-22.yaml`` in ``build/bench-loop``, kills it with SIGKILL while cycle 2 trains, and goes on.
Writes ``docs/results/fashion-22``: the paper's tables and figures, the configuration, and all records. Interrupted, it
goes on when it is started again. Says what was aimed at and what came of it; a miss is no failure of the benchmark.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from campaign_runs import KILLED, ROOT, publish, records_in, run
from netwright.memory.records import Records
from netwright.memory.trial_records import FINISHED
from netwright.tools.report.paper_series import Series, campaign_series
from publish import between

NAME = "fashion-22"
HOME = ROOT / "build" / "bench-loop"
PAGE = ROOT / "docs" / "results.md"
KILLED_IN = 2


class Aim(NamedTuple):
    """A number that is aimed at, beside the paper's (*From Memorization to Creativity*, sections 4.1 to 4.3)."""

    what: str
    paper: str
    aim: str
    got: str
    reached: bool


def aims(one: Series, wall_s: float) -> list[Aim]:
    """What the loop should show, and what a campaign shows."""
    first, last = one.cycles[0], one.cycles[-1]
    above = [point.above.value or 0.0 for point in one.cycles]
    valid = one.over_cycles("valid")
    mean_valid = sum(valid) / len(valid)
    start, means = first.mean.value or 0.0, [point.mean.value or 0.0 for point in one.cycles]
    best = max(means)
    ratio = (last.distance.value or 0.0) / (first.distance.value or 1.0)
    peak = above.index(max(above)) + 1
    return [
        Aim("above the threshold in cycle 1, %", "2.0", "≤ 5", f"{100 * above[0]:.1f}", above[0] <= 0.05),
        Aim(
            "above the threshold at its peak, %", "96.8", "≥ 90", f"{100 * max(above):.1f} (cycle {peak})",
            max(above) >= 0.9,
        ),
        Aim("valid as written, mean over cycles, %", "50.6", "≥ 80", f"{100 * mean_valid:.1f}", mean_valid >= 0.8),
        Aim(
            "mean accuracy, best cycle less cycle 1, points", "22.9", "≥ 15",
            f"{100 * (best - start):.1f} ({100 * start:.1f} → {100 * best:.1f} in cycle {means.index(best) + 1})",
            best - start >= 0.15,
        ),
        Aim("novel networks admitted", "455", "≥ 455", str(one.distinct), one.distinct >= 455),
        Aim("distance of the last cycle's texts to the first's, ratio", "", "≥ 0.8", f"{ratio:.2f}", ratio >= 0.8),
        Aim("wall time, hours", "", "≤ 3", f"{wall_s / 3600:.2f}", wall_s <= 3 * 3600),
    ]  # fmt: skip


def table(found: list[Aim]) -> str:
    """The aims as Markdown."""
    lines = ["| | paper | aim | got | |", "|---|---|---|---|---|"]
    lines += [f"| {a.what} | {a.paper} | {a.aim} | {a.got} | {'reached' if a.reached else 'missed'} |" for a in found]
    return "\n".join(lines)


def trains(records: Records) -> bool:
    """Whether the campaign is in the midst of the training in which it is to be killed."""
    if not any(one.id == NAME for one in records.list_campaigns()):
        return False
    cycles = records.cycles(NAME)
    if not cycles or cycles[-1].n != KILLED_IN:
        return False
    judged = [g for g in records.generations(NAME, KILLED_IN) if g.novel]
    trials = records.get_trials(
        (g.candidate_id for g in judged if g.candidate_id),
        records.get_campaign(NAME).task_id,
        records.get_campaign(NAME).protocol_hash,
    )
    return sum(trial.state in FINISHED for trial in trials.values()) >= 5


def main() -> None:
    """Run, kill, go on, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="data directory of a campaign that is there: publish it")
    parser.add_argument("--id", default=NAME, help="its name")
    parser.add_argument("--killed-in", type=int, default=KILLED_IN, help="cycle in which that one was killed")
    given = parser.parse_args()
    home = given.home or HOME
    if given.home is None:
        run(home, NAME, ["--config", NAME, "--download"], kill=None if (home / KILLED).exists() else trains)
    killed = given.home is not None or (home / KILLED).exists()
    about: dict[str, Any] = {"killed_in_cycle": given.killed_in if killed else None}
    folder = publish(home, NAME, [given.id], about)
    with records_in(home) as records:
        series = campaign_series(records, given.id)
        wall_s = records.get_campaign(given.id).wall_s
    text = table(aims(series, wall_s))
    between(PAGE, NAME, text)
    print(text)
    print(f"written: {folder}")


if __name__ == "__main__":
    main()
