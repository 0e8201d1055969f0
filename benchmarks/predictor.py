"""How well do predictions rank networks that were not learned from? Spearman with an interval, on any campaign.

    python benchmarks/predictor.py [--campaign ID …] [--only] [--dataset digits] [--records URL] [--early] [--out FILE]

Learns from the complete trials of a protocol in the data directory's records, holds families of near duplicates and
relatives out, and, for each campaign, predicts each cycle from the cycles before. Leaves each kind of features out too,
and takes each alone. Writes ``docs/reports/predictor-<name>.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netwright.memory.records import Records
from netwright.memory.types import Protocol, Task
from netwright.tools.prediction.evaluation import Quality, forward, held_out
from netwright.tools.prediction.examples import Example, known_examples
from netwright.tools.prediction.features import KINDS
from netwright.tools.prediction.model import Predictor
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.protocols import default_protocol
from netwright.tools.tasks import task_info
from rich.console import Console
from rich.table import Table

Cycles = dict[str, int]
OUT = Path(__file__).resolve().parents[1] / "docs" / "reports"


def wanted(records: Records, campaigns: Sequence[str], dataset: str) -> tuple[Task, Protocol, dict[str, Cycles]]:
    """Task and protocol, which the campaigns must share, and for each the first cycle that decided on a network."""
    if not campaigns:
        info = task_info(dataset)
        return info.task, default_protocol(info.dataset), {}
    stored = [records.get_campaign(one) for one in campaigns]
    if len({(one.task_id, one.protocol_hash) for one in stored}) > 1:
        raise SystemExit("these campaigns have different tasks or protocols: their results do not compare")
    task, protocol = records.get_task(stored[0].task_id), records.get_protocol(stored[0].protocol_hash)
    if task is None or protocol is None:
        raise SystemExit("the task or the protocol is missing from the records")
    cycles: dict[str, Cycles] = {one: {} for one in campaigns}
    for one in campaigns:
        for admission in records.admissions(one):
            cycles[one].setdefault(admission.candidate_id, admission.cycle)
    return task, protocol, cycles


def measured(examples: list[Example], cycles: dict[str, Cycles], seed: int, early: bool) -> dict[str, Quality]:
    """Qualities by what was looked at."""
    found = {"everything": held_out(examples, seed)}
    for kind in KINDS[:-1]:
        found[f"without {kind}"] = held_out(examples, seed, kinds=[one for one in KINDS if one != kind])
        found[f"{kind} alone"] = held_out(examples, seed, kinds=[kind])
    if early and any(one.early for one in examples):
        found["with early metrics"] = held_out(examples, seed, early=True)
    for campaign, of_campaign in cycles.items():
        if (by_cycle := forward(examples, of_campaign, seed)) is not None:
            found[f"each cycle of {campaign} from those before"] = by_cycle
    return found


def document(found: dict[str, Quality], **about: Any) -> dict[str, Any]:
    """The numbers without single networks."""
    parts = {name: one.model_dump(exclude={"points"}) for name, one in found.items()}
    return {**about, "machine": machine() | {"versions": versions()}, "qualities": parts}


def table(found: dict[str, Quality]) -> Table:
    shown = Table(
        "told", "networks", "groups", "Spearman", "error", "of the mean", "in the interval", "best tenth at 50 %"
    )
    for name, one in found.items():
        rank = one.spearman
        interval = "" if rank.low is None or rank.high is None else f" ({rank.low:.3f} to {rank.high:.3f})"
        shown.add_row(
            name,
            str(one.n),
            str(one.groups),
            "–" if rank.value is None else f"{rank.value:.3f}{interval}",
            f"{one.error:.3f}",
            f"{one.baseline:.3f}",
            f"{100 * one.covered:.1f} of {100 * one.confidence:.0f} %",
            f"{100 * next(k.top_found for k in one.kept if k.share == 0.5):.0f} %",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaign", nargs="*", default=[], help="data set and protocol of these")
    parser.add_argument("--only", action="store_true", help="learn from these campaigns' networks alone")
    parser.add_argument("--dataset", default="digits", help="where no campaign is named")
    parser.add_argument("--records", help="SQLAlchemy URL; default: the data directory's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--early", action="store_true", help="also with early metrics, where there are any")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with Records(given.records) as records:
        task, protocol, cycles = wanted(records, given.campaign, given.dataset)
        examples = known_examples(records, task, protocol)
        if given.only:
            examples = [one for one in examples if any(one.key in known for known in cycles.values())]
    begun = time.process_time()
    predictor = Predictor(examples, given.seed)
    seconds = time.process_time() - begun
    found = measured(examples, cycles, given.seed, given.early)
    about = {
        "task": task.id,
        "protocol": {**protocol.model_dump(), "hash": protocol.hash},
        "campaigns": given.campaign,
        "seed": given.seed,
        "learned_from": predictor.learned_from,
        "features": len(predictor.feature_names),
        "fit_cpu_s": round(seconds, 2),
    }
    out = given.out or OUT / f"predictor-{'+'.join(given.campaign) or task.dataset}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document(found, **about), indent=1) + "\n", encoding="utf-8")
    Console().print(table(found))
    print(f"learned from {predictor.learned_from} networks in {seconds:.1f} CPU-seconds; {out}")


if __name__ == "__main__":
    main()
