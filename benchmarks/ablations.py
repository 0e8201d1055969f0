"""The paper's ablations on the embedded model: the full loop beside it without each of its three parts.

    python benchmarks/ablations.py [--cycles 8] [--seeds 0 1]       # one to five hours for the eight campaigns

Runs ``configs/digits-8.yaml`` in ``build/bench-ablations`` whole, with no novelty filter, no accuracy threshold, and no
iteration, each for every seed (*From Memorization to Creativity*, section 4.4). Writes ``docs/results/ablations``: the
table like the paper's table 7, the configurations, and all records. Interrupted, it goes on when it is started again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from campaign_runs import ROOT, publish, records_in, run
from netwright.tools.report.paper_compare import comparison
from netwright.tools.report.paper_write import markdown_table
from publish import between

NAME = "ablations"
CONFIG = "digits-8"
HOME = ROOT / "build" / "bench-ablations"
PAGE = ROOT / "docs" / "results.md"
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "no-novelty": ("campaign.novelty=none",),
    "no-threshold": ("campaign.admit=all",),
    "no-iteration": ("campaign.tune=false",),
}


def arguments(overrides: Sequence[str]) -> list[str]:
    """Of ``netwright campaign run``."""
    return ["--config", CONFIG, *(part for one in overrides for part in ("--set", one))]


def main() -> None:
    """Run what is not complete, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--together", type=int, default=2, help="campaigns that run at the same time")
    given = parser.parse_args()
    names = {
        f"{name}-{seed}": (*changes, f"campaign.seed={seed}", f"budget.cycles={given.cycles}")
        for seed in given.seeds
        for name, changes in VARIANTS.items()
    }
    # While one campaign tunes, which takes one core, another trains: side by side they need two thirds of the time.
    with ThreadPoolExecutor(given.together) as pool:
        list(pool.map(lambda name: run(HOME, name, arguments(names[name])), names))
    ids = [f"{name}-{seed}" for name in VARIANTS for seed in given.seeds]
    folder = publish(HOME, NAME, ids, {"variants": VARIANTS}, compared=True)
    with records_in(HOME) as records:
        report, _ = comparison(records, ids)
    text = "\n\n".join(f"**{one.title}.** {one.caption}\n\n{markdown_table(one)}" for one in report.tables)
    between(PAGE, NAME, text)
    print(text)
    print(f"written: {folder}")


if __name__ == "__main__":
    main()
