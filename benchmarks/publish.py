"""Put what was measured into the documents: ``python benchmarks/publish.py [--demo REPORT --ablation REPORT]``.

Everything comes from files in ``docs/reports``: the training reports of the embedded model, the accuracy of its
corpus, the speed of validation and of the evaluator, and the cycles of the demo with and without tuning, which
``--demo`` and ``--ablation`` take over from a campaign's ``report.json``. Nothing is typed by hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from blocks_report import text as blocks_text
from evaluator_report import table as evaluator_table
from netwright.tools.pretraining.pipeline import NANO
from netwright.tools.pretraining.report import TrainingReport, publish
from netwright.tools.report.model import CampaignReport
from repair_report import text as repair_text
from serving_report import text as serving_text

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "docs" / "reports"
KEPT = ("cycle", "generated", "valid", "trained", "accuracy", "above_threshold", "novel", "admitted", "corpus")


def between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the page's two markers of a name.

    Raises:
        ValueError: the page lacks the markers.
    """
    begin, end = f"<!-- measured: {name} begins -->", f"<!-- measured: {name} ends -->"
    old = page.read_text(encoding="utf-8")
    if begin not in old or end not in old:
        raise ValueError(f"{page} has no place for it; add the lines {begin} and {end}")
    head, tail = old.partition(begin)[0], old.partition(end)[2]
    page.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")


def keep_campaign(source: Path, target: Path) -> None:
    """Keep of a campaign's report what the documents show."""
    report = CampaignReport.model_validate_json(source.read_text(encoding="utf-8"))
    document = {
        "seed": report.seed,
        "config": report.config,
        "task": report.task.dataset,
        "protocol": report.protocol.name,
        "state": report.state,
        "stop_reason": report.stop_reason,
        "wall_s": round(report.spent.wall_s, 1),
        "machine": report.machine,
        "cycles": [cycle.model_dump(mode="json", include=set(KEPT)) for cycle in report.cycles],
    }
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def corpus_table(document: dict[str, Any]) -> str:
    """The distribution of the corpus' accuracy, all styles together and each alone."""
    rows, threshold = document["programs"], document["threshold"]
    lines = [
        f"| style | networks | mean | 25 % | median | 75 % | 85 % | best | ≥ {threshold:g} |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for style in ("all", *sorted({row["style"] for row in rows})):
        found = [row["accuracy"] for row in rows if style in ("all", row["style"]) and row["accuracy"] is not None]
        values = np.array(found)
        quarters = np.quantile(values, [0.25, 0.5, 0.75, 0.85, 1])
        cells = [style, str(len(values)), f"{values.mean():.3f}", *(f"{value:.3f}" for value in quarters)]
        lines.append("| " + " | ".join([*cells, f"{100 * (values >= threshold).mean():.0f} %"]) + " |")
    failed = sum(row["accuracy"] is None for row in rows)
    cpu = document["machine"]["cpu"]
    lines += ["", f"{failed} of {len(rows)} trainings failed. Machine: {cpu}, one thread a trial."]
    return "\n".join(lines)


def campaign_table(document: dict[str, Any]) -> str:
    """One row per cycle."""
    lines = [
        "| cycle | valid as written | trained | mean accuracy | median | best | above threshold | admitted | corpus |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cycle in document["cycles"]:
        raw, accuracy, above = cycle["valid"]["generation"], cycle["accuracy"], cycle["above_threshold"]
        cells = [
            str(cycle["cycle"]),
            f"{raw['count']} of {cycle['generated']}",
            str(cycle["trained"]),
            f"{accuracy['mean']:.3f} ({accuracy['low']:.3f}–{accuracy['high']:.3f})",
            f"{accuracy['median']:.3f}",
            f"{accuracy['best']:.3f}",
            f"{100 * above['share']:.0f} % ({100 * above['low']:.0f}–{100 * above['high']:.0f})",
            str(cycle["admitted"]),
            f"{cycle['corpus']:,}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speed_text(document: dict[str, Any]) -> str:
    """Validations per second of each side, and how many times as fast a warm worker is."""

    def middle(values: dict[str, float], digits: int) -> str:
        return f"{values['median']:.{digits}f} ({values['least']:.{digits}f}–{values['most']:.{digits}f})"

    lines = ["| side | validations per second |", "|---|---|"]
    lines += [f"| {row['side']} | {middle(row['per_s'], 2)} |" for row in document["sides"]]
    lines += ["", "| side | against | times as fast |", "|---|---|---|"]
    lines += [f"| {row['side']} | {row['against']} | {middle(row['ratio'], 1)} |" for row in document["ratios"]]
    lines += [
        "",
        f"{len(document['candidates'])} hand-written and generated networks for {document['dataset']}, one at a time, "
        f"one thread, the sides in turn at each candidate; median (least–most) of {document['rounds']} rounds. "
        f"Machine: {document['machine']['cores']} cores, {document['machine']['cpu']}.",
    ]
    return "\n".join(lines)


def demo_text(demo: dict[str, Any], ablation: dict[str, Any]) -> str:
    """The README's figures: the demo, and the first and last cycle of the same seed without tuning."""
    first, last = ablation["cycles"][0], ablation["cycles"][-1]
    shares = [100 * cycle["above_threshold"]["share"] for cycle in (first, last)]
    means = [cycle["accuracy"]["mean"] for cycle in (first, last)]
    return (
        f"{campaign_table(demo)}\n\n"
        f"Seed {demo['seed']}, {demo['wall_s'] / 60:.1f} minutes on two cores ({demo['machine']['cpu']}), "
        f"means and shares with 95 % intervals. Without tuning the same seed goes from a mean of {means[0]:.3f} in "
        f"cycle {first['cycle']} to {means[1]:.3f} in cycle {last['cycle']}, and from {shares[0]:.0f} % above the "
        f"threshold to {shares[1]:.0f} %."
    )


def dedup_text(document: dict[str, Any]) -> str:
    """Speed, memory and what was found, a line for each number of networks."""
    rows = document["rows"]
    lines = [
        "| networks | per CPU second | CPU s | wall s | again, CPU s | peak MiB | near copies | recall | precision |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [f"{row['networks']:,}", f"{row['per_cpu_s']:.0f}", f"{row['cpu_s']:.1f}", f"{row['wall_s']:.1f}"]
        cells += [f"{row['again']['cpu_s']:.1f}", f"{row['memory_mb']:.0f}", f"{row['near']:,} of {row['planted']:,}"]
        lines.append("| " + " | ".join([*cells, f"{row['recall']:.4f}", f"{row['precision']:.4f}"]) + " |")
    growth = rows[-1]["cpu_s"] / rows[0]["cpu_s"]
    lines += [
        "",
        f"{rows[-1]['networks'] / rows[0]['networks']:g} times the networks cost {growth:.1f} times the CPU time. "
        f"Texts of {rows[0]['bytes']:,} bytes on average, {document['workers']} processes, CPU time of all and of "
        f"Python's start, peaks of memory added up. Machine: {document['machine']['cores']} cores, "
        f"{document['machine']['cpu']}.",
    ]
    return "\n".join(lines)


def records_text(document: dict[str, Any]) -> str:
    """Inserts, size and answers of each backend."""
    backends = document["backends"]
    lines = ["| | " + " | ".join(row["backend"] for row in backends) + " |", "|---" * (len(backends) + 1) + "|"]
    lines.append("| scores inserted per second | " + " | ".join(f"{row['scores_per_s']:,}" for row in backends) + " |")
    lines.append("| size, MiB | " + " | ".join(f"{row['size_mb']:,.0f}" for row in backends) + " |")
    for place, first in enumerate(backends[0]["questions"]):
        asked = [row["questions"][place] for row in backends]
        cells = [f"{one['median_s']:.2f} s (first {one['first_s']:.2f}, CPU {one['cpu_s']:.2f})" for one in asked]
        lines.append(f"| {first['question']}: {first['rows']:,} rows | " + " | ".join(cells) + " |")
    machine, load = document["machine"], document["load"]
    lines += [
        "",
        f"{document['scores']:,} scores of {document['networks']:,} networks; medians of wall time, with code unless "
        "it says otherwise; CPU time is that of the asking process. "
        f"Machine: {machine['cores']} cores, {machine['cpu']}; "
        f"its load was {load[0]:g} at the start and {load[-1]:g} at the end.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, help="report.json of the demo, to be kept")
    parser.add_argument("--ablation", type=Path, help="report.json of the demo with campaign.tune=false, to be kept")
    given = parser.parse_args()
    kept = {"demo": REPORTS / "demo-digits.json", "ablation": REPORTS / "demo-digits-no-tuning.json"}
    for name, target in kept.items():
        source = getattr(given, name)
        if source is not None:
            keep_campaign(source, target)
    page = ROOT / "docs" / "embedded-model.md"
    seeds = sorted(REPORTS.glob("netwright-nano-*.json"))
    publish(page, [TrainingReport.read(NANO), *map(TrainingReport.read, seeds)])
    between(page, "corpus", corpus_table(json.loads((REPORTS / "corpus-digits.json").read_text(encoding="utf-8"))))
    demo, ablation = (json.loads(path.read_text(encoding="utf-8")) for path in kept.values())
    between(ROOT / "README.md", "demo table", demo_text(demo, ablation))
    between(ROOT / "docs" / "campaigns.md", "ablation", campaign_table(ablation))
    speed = json.loads((REPORTS / "validation-speed.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "sandbox.md", "validation speed", speed_text(speed))
    evaluator = json.loads((REPORTS / "evaluator-speed.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "evaluation.md", "evaluator", evaluator_table(evaluator))
    dedup = json.loads((REPORTS / "dedup-speed.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "novelty.md", "dedup", dedup_text(dedup))
    records = json.loads((REPORTS / "records-scale.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "data.md", "records", records_text(records))
    blocks = json.loads((REPORTS / "blocks.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "block-validation.md", "blocks", blocks_text(blocks))
    serving = json.loads((REPORTS / "serving.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "serving.md", "serving", serving_text(serving))
    repair = json.loads((REPORTS / "repair.json").read_text(encoding="utf-8"))
    between(ROOT / "docs" / "repair.md", "repair", repair_text(repair))


if __name__ == "__main__":
    main()
