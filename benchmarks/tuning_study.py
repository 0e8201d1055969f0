"""How should the embedded model be tuned? One cycle under different settings, on the digits.

    python benchmarks/tuning_study.py [--seeds 0 1]       # half an hour on two cores; goes on where it was

The untuned model writes 128 networks, which are trained; the best ten are what a campaign's first cycle would admit.
The model is tuned on them under each setting, one thing changed at a time, and writes 64 networks, styles in turn.
Writes ``docs/reports/tuning-study.json`` and the table of ``docs/campaigns.md``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from netwright.agents.models.factory import NANO_FOLDER
from netwright.agents.seeds import derive_seed
from netwright.memory.novelty import NEAR_DUPLICATE
from netwright.memory.records import Records
from netwright.memory.shingles import jaccard, shingles
from netwright.sandbox import open_sandbox
from netwright.tools.diversity import mean_distance
from netwright.tools.execution import Validator
from netwright.tools.finetuning import LoraSettings, TuneConfig, TuningPair, tune
from netwright.tools.generators.headers import STYLES, Header
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.protocols import protocol
from netwright.tools.result_cache import train_once
from netwright.tools.sampling import load_language_model
from netwright.tools.statistics import t_interval, wilson_interval
from netwright.tools.tasks import task_info
from netwright.tools.training import Evaluator, evaluation_image
from publish import between

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "tuning-study"
OUT = ROOT / "docs" / "reports" / "tuning-study.json"
PAGE = ROOT / "docs" / "campaigns.md"

INFO, PROTOCOL = task_info("digits"), protocol("digits-1ep")
FIRST, ADMITTED, WRITTEN = 128, 10, 64
TEMPERATURE = 0.75
SETTINGS: dict[str, tuple[TuneConfig | None, float]] = {
    "untuned": (None, TEMPERATURE),
    "the default: 40 steps, 2 replayed of 16, rate 2e-3, rank 16": (TuneConfig.embedded(), TEMPERATURE),
    "20 steps": (TuneConfig.embedded(steps=20), TEMPERATURE),
    "80 steps": (TuneConfig.embedded(steps=80), TEMPERATURE),
    "no replay": (TuneConfig.embedded(replay=0), TEMPERATURE),
    "4 replayed": (TuneConfig.embedded(replay=4), TEMPERATURE),
    "8 replayed": (TuneConfig.embedded(replay=8), TEMPERATURE),
    "rate 1e-3": (TuneConfig.embedded(lr=1e-3), TEMPERATURE),
    "rate 4e-3": (TuneConfig.embedded(lr=4e-3), TEMPERATURE),
    "rank 4": (TuneConfig.embedded(lora=LoraSettings(rank=4, alpha=8)), TEMPERATURE),
    "draws by rank": (TuneConfig.embedded(weight="rank"), TEMPERATURE),
    "the default, temperature 0.6": (TuneConfig.embedded(), 0.6),
    "the default, temperature 0.9": (TuneConfig.embedded(), 0.9),
}


class Bench:
    """The digits in a sandbox, with records of their own."""

    def __init__(self, validator: Validator, evaluator: Evaluator, records: Records, workers: int) -> None:
        self.validator, self.evaluator, self.records, self.workers = validator, evaluator, records, workers

    def reached(self, sources: Sequence[str]) -> list[tuple[bool, float | None]]:
        """For each network whether it is valid, and what it reached."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._one, sources))

    def _one(self, source: str) -> tuple[bool, float | None]:
        if not self.validator.validate(source, INFO.task).ok:
            return False, None
        return True, train_once(self.evaluator, self.records, source, INFO.task, PROTOCOL).trial.metric


def written(count: int, seed: int, temperature: float, adapter: Path | None = None) -> list[tuple[str, str]]:
    """``(header, network)`` pairs of the model, styles in turn."""
    headers = [
        Header(INFO.in_shape, INFO.classes, style=STYLES[place % len(STYLES)]).render() for place in range(count)
    ]
    model = load_language_model(NANO_FOLDER, adapter)
    prompts = [model.render([{"role": "user", "content": header}]) for header in headers]
    answers = model.complete(prompts, seed=seed, temperature=temperature)
    return [(header, answer.text) for header, answer in zip(headers, answers, strict=True)]


def admitted(bench: Bench, seed: int) -> list[TuningPair]:
    """What a first cycle would admit: the best of those that the untuned model wrote."""
    first = written(FIRST, derive_seed(seed, "first"), TEMPERATURE)
    found = [
        (metric, header, source)
        for (header, source), (_, metric) in zip(first, bench.reached([source for _, source in first]), strict=True)
        if metric is not None
    ]
    best = sorted({source: (metric, header, source) for metric, header, source in found}.values(), reverse=True)
    return [TuningPair.of(header, source, metric) for metric, header, source in best[:ADMITTED]]


def replayed() -> list[TuningPair]:
    """The programs of the model's own corpus for the digits."""
    own = (p for p in packaged_corpus() if (p.header.in_shape, p.header.classes) == (INFO.in_shape, INFO.classes))
    return [TuningPair.of(p.header.render(), p.source) for p in own]


def measured(bench: Bench, pairs: Sequence[TuningPair], name: str, seed: int) -> dict[str, Any]:
    """One setting with one seed."""
    config, temperature = SETTINGS[name]
    started, folder = time.perf_counter(), None
    if config is not None:
        learned = [pair.model_dump_json() for pair in pairs]  # another machine may admit others
        folder = WORK / f"adapter-{derive_seed(seed, config.model_dump_json(), *learned)}"
        if not (folder / "tune.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            tune(NANO_FOLDER, pairs, replayed(), folder, config=config, seed=derive_seed(seed, "tune"))
    tuned = time.perf_counter() - started
    sources = [source for _, source in written(WRITTEN, derive_seed(seed, "second"), temperature, folder)]
    results = bench.reached(sources)
    known = [shingles(pair.completion) for pair in pairs]
    near = [any(jaccard(shingles(source), one) >= NEAR_DUPLICATE for one in known) for source in sources]
    return {
        "setting": name,
        "seed": seed,
        "valid": sum(valid for valid, _ in results),
        "metrics": [metric for _, metric in results if metric is not None],
        "distance": mean_distance(sources),
        "copies": sum(near),
        "tune_s": round(tuned, 1),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The settings, seeds pooled."""
    lines = [
        "| setting | mean accuracy | valid | distance of texts | near copies of what it was tuned on |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["setting"] for row in rows):
        some = [row for row in rows if row["setting"] == name]
        mean = t_interval([metric for row in some for metric in row["metrics"]])
        count = WRITTEN * len(some)
        valid, copies = (wilson_interval(sum(row[key] for row in some), count) for key in ("valid", "copies"))
        distance = sum(row["distance"] for row in some) / len(some)
        cells = [name, f"{mean.estimate:.3f} ({mean.low:.3f}–{mean.high:.3f})"]
        cells += [f"{100 * valid.estimate:.0f} %", f"{distance:.3f}", f"{100 * copies.estimate:.0f} %"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is not measured yet, write the report and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    kept = WORK / "rows.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else []
    with (
        open_sandbox("bubblewrap", evaluation_image(["digits"])) as sandbox,
        Records(f"sqlite:///{WORK / 'records.db'}") as records,
    ):
        bench = Bench(Validator(sandbox), Evaluator(sandbox), records, sandbox.workers)
        for seed in given.seeds:
            wanted = [name for name in SETTINGS if not any((r["setting"], r["seed"]) == (name, seed) for r in rows)]
            pairs = admitted(bench, seed) if wanted else []
            for name in wanted:
                rows.append(measured(bench, pairs, name, seed))
                kept.write_text(json.dumps(rows), encoding="utf-8")
                mean = t_interval(rows[-1]["metrics"]).estimate
                print(f"seed {seed}, {name}: {mean:.3f}", file=sys.stderr, flush=True)
    shown = [row for name in SETTINGS for row in rows if row["setting"] == name and row["seed"] in given.seeds]
    document = {
        "first": FIRST, "admitted": ADMITTED, "written": WRITTEN, "temperature": TEMPERATURE, "seeds": given.seeds,
        "protocol": {**PROTOCOL.model_dump(), "hash": PROTOCOL.hash}, "rows": shown,
        "machine": machine() | {"versions": versions()},
    }  # fmt: skip
    OUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    between(PAGE, "tuning study", table(shown))
    print(table(shown))


if __name__ == "__main__":
    main()
