"""Repair measured: how many broken programs of the embedded model does it mend, with hints and without?

    python benchmarks/repair.py --make [--seed 2027] [--batches 14]
    python benchmarks/repair.py [--seed 0] [--fresh]

``--make`` samples the embedded model at temperatures from 0.9 to 1.2 for the headers of the data sets, keeps what is
invalid after the clean-up too, each text once, and takes 100 of them evenly over the error classes, so that rare ones
are there as well. They are kept in ``benchmarks/data/broken.jsonl`` with the seed and with how often each class came.

Without it the repair agent works on them as in a campaign, two tries each, once without hints and once with. Writes
``docs/reports/repair.json``, which ``benchmarks/publish.py`` puts into the documents. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from netwright.agents.models import ModelConfig
from netwright.agents.models.config import NANO
from netwright.agents.models.factory import open_chat_model
from netwright.agents.models.handle import ChatModelHandle
from netwright.agents.models.identity import model_identity
from netwright.agents.repair import RepairAgent
from netwright.agents.seeds import derive_seed
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Cycle, Generation
from netwright.memory.types import Request, Verdict
from netwright.sandbox import Sandbox, open_sandbox
from netwright.tools.execution import Validator, validation_image
from netwright.tools.extraction import clean
from netwright.tools.generators.headers import Header
from netwright.tools.generators.wishes import combinations
from netwright.tools.hints import Hinter
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from repair_report import report
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
BROKEN = ROOT / "benchmarks" / "data" / "broken.jsonl"
OUT = ROOT / "docs" / "reports" / "repair.json"
WORK = ROOT / "build" / "bench-repair"
DATASETS: Final = ("digits", "fashion-mnist", "cifar10", "cifar100")
TEMPERATURES: Final = (0.9, 1.0, 1.1, 1.2)
WANTED: Final = 100
MOST_LIMITS: Final = 2  # programs that run into a limit; each costs as much as a hundred others
TRIES: Final = 2
BATCH: Final = 48


def kind_of(verdict: Verdict) -> str:
    """The class that a failure is counted under: stage and error class; brackets apart from other syntax."""
    name = verdict.error_class or "unknown"
    if verdict.stage == "parse" and name in ("SyntaxError", "IndentationError"):
        words = ("never closed", "unmatched", "does not match opening")
        name += ", brackets" if any(word in (verdict.message or "") for word in words) else ""
    return f"{verdict.stage}: {name}"


def headers(rng: random.Random, count: int) -> list[tuple[str, Header]]:
    """Data sets and headers of them, in any style and size that the corpus has."""
    chosen = []
    for _ in range(count):
        name = rng.choice(DATASETS)
        wanted = task(name)
        channels, height, width = wanted.in_shape
        chosen.append((name, rng.choice(combinations((channels, height, width), wanted.out_shape[0]))))
    return chosen


def sampled(model: ChatModelHandle, seed: int, batch: int) -> list[dict[str, Any]]:
    """A batch of programs as the model writes them, each with what it was asked."""
    rows = []
    for temperature in TEMPERATURES:
        rng = random.Random(derive_seed(seed, "headers", batch, int(100 * temperature)))
        asked = headers(rng, BATCH // len(TEMPERATURES))
        messages = [[("user", header.render())] for _, header in asked]
        drawn = derive_seed(seed, "sample", batch, int(100 * temperature))
        answers = model.model.batch(messages, seed=drawn, temperature=temperature)
        for (name, header), answer in zip(asked, answers, strict=True):
            told = {"header": header.render(), "temperature": temperature, "batch": batch, "source": answer.text}
            rows.append({"dataset": name, **told})
    return rows


def invalid(rows: Sequence[dict[str, Any]], validator: Validator) -> list[dict[str, Any]]:
    """Those that fail as they are and cleaned up, with their verdict."""
    broken = []
    tasks = [task(row["dataset"]) for row in rows]
    raw = validator.validate_many([row["source"] for row in rows], tasks)
    failed = [(row, one) for row, one, verdict in zip(rows, tasks, raw, strict=True) if not verdict.ok]
    cleaned = validator.validate_many([clean(row["source"]).source for row, _ in failed], [one for _, one in failed])
    for (row, _), verdict in zip(failed, cleaned, strict=True):
        if not verdict.ok:
            told = {"stage": verdict.stage, "error_class": verdict.error_class, "message": verdict.message}
            broken.append({**row, "kind": kind_of(verdict), **told, "line": verdict.line})
    return broken


def evenly(broken: Sequence[dict[str, Any]], wanted: int, seed: int) -> list[dict[str, Any]]:
    """``wanted`` of them, class by class in turn, each text once."""
    rng = random.Random(derive_seed(seed, "choose"))
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in {" ".join(row["source"].split()): row for row in broken}.values():
        by_kind.setdefault(row["kind"], []).append(row)
    for kind, rows in by_kind.items():
        rng.shuffle(rows)
        if "Limit" in kind or "Timeout" in kind:
            del rows[MOST_LIMITS:]
    chosen: list[dict[str, Any]] = []
    while len(chosen) < wanted and any(by_kind.values()):
        for kind in sorted(by_kind):
            if by_kind[kind] and len(chosen) < wanted:
                chosen.append(by_kind[kind].pop())
    return sorted(chosen, key=lambda row: (row["kind"], row["header"], row["source"]))


def make(seed: int, batches: int, console: Console) -> None:
    """Sample, judge, choose and write the fixture."""
    model, work = open_chat_model(ModelConfig(name=NANO)), WORK / f"make-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    broken: list[dict[str, Any]] = []
    with open_sandbox("bubblewrap", validation_image(), workers=2) as sandbox:
        for batch in range(batches):
            done = work / f"{batch}.json"
            if not done.is_file():
                found = invalid(sampled(model, seed, batch), Validator(sandbox))
                done.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
                done.with_suffix(".part").replace(done)
                console.print(f"batch {batch + 1} of {batches}: {len(found)} of {BATCH} invalid")
            broken += json.loads(done.read_text(encoding="utf-8"))
    counts = Counter(row["kind"] for row in broken)
    chosen = evenly(broken, WANTED, seed)
    about = {
        "seed": seed,
        "model": model_identity(ModelConfig(name=NANO)),
        "temperatures": TEMPERATURES,
        "sampled": batches * BATCH,
        "invalid": dict(sorted(counts.items())),
    }
    BROKEN.write_text("".join(json.dumps(one) + "\n" for one in (about, *chosen)), encoding="utf-8")
    console.print(f"{len(chosen)} of {len(broken)} invalid of {batches * BATCH} sampled: {BROKEN}")


def read_broken(path: Path = BROKEN) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the fixture says of itself, and its programs."""
    about, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return about, rows


def repaired(
    rows: Sequence[dict[str, Any]], model: ChatModelHandle, sandbox: Sandbox, *, hints: bool, seed: int, work: Path
) -> list[dict[str, Any]]:
    """What became of each program; records in ``work`` hold what is done already."""
    validator, results = Validator(sandbox), dict[int, dict[str, Any]]()
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        mine = [n for n, row in enumerate(rows) if row["dataset"] == dataset]
        request, chosen = Request(task=task(dataset)), protocol("digits-1ep")
        with Records(f"sqlite:///{work / f'{dataset}-{seed}-{hints}.db'}") as records:
            records.add_task(request.task)
            records.add_protocol(chosen)
            records.create_campaign(Campaign(id="repair", task_id=request.task.id, protocol_hash=chosen.hash))
            records.put_cycle(Cycle(campaign_id="repair", n=1))
            records.put_generations(
                Generation(campaign_id="repair", cycle=1, slot=n, prompt=f"[human]\n{rows[n]['header']}",
                           answer=rows[n]["source"])
                for n in mine
            )  # fmt: skip
            agent = RepairAgent(
                model, records, validator, request, seed=seed, limits_hash="bench", max_tries=TRIES,
                hinter=Hinter(sandbox) if hints else None,
            )  # fmt: skip
            work_through(agent, range(len(rows)))
            results |= {one["row"]: one for one in outcomes(records)}
    return [results[n] for n in range(len(rows))]


def work_through(agent: RepairAgent, slots: range) -> None:
    """Judge and repair until nothing is left to do, as the graph does."""
    while True:
        for slot in agent.open_slots("repair", 1):
            agent.judge("repair", 1, slot)
        due = agent.next_round("repair", 1, slots)
        if due is None:
            return
        agent.rewrite("repair", 1, slots, due)


def kept(broken: str, mended: str) -> float:
    """Share of a broken program's lines that stand in the mended one, in their order."""
    lines = [[line for line in text.splitlines() if line.strip()] for text in (broken, mended)]
    matches = difflib.SequenceMatcher(None, *lines, autojunk=False).get_matching_blocks()
    return sum(match.size for match in matches) / max(1, len(lines[0]))


def outcomes(records: Records) -> Iterator[dict[str, Any]]:
    """Each slot's end, by whom it was mended, and the tokens that went into it."""
    attempts = records.repairs("repair")
    for slot in records.generations("repair"):
        own = [one for one in attempts if one.slot == slot.slot]
        won = next((one for one in own if one.verdict is not None and one.verdict.ok), None)
        ends = records.get_candidate(won.candidate_id) if won is not None and won.candidate_id else None
        yield {
            "row": slot.slot,
            "repaired": slot.valid_by == "repair",
            "by": won.by if won is not None else None,
            "tries": len(own),
            "kept": round(kept(slot.answer or "", ends.source), 4) if ends is not None else None,
            "tokens": sum(one.tokens_in + one.tokens_out for one in own),
        }


def main(given: Sequence[str] | None = None) -> int:
    """Make the fixture, or measure on it; exit code 1 where the fixture is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="sample the model and write the broken programs")
    parser.add_argument("--seed", type=int, help="of --make (2027), or of the repairs (0)")
    parser.add_argument("--batches", type=int, default=14, help=f"of {BATCH} programs, with --make")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever is done already")
    parser.add_argument("--most", type=int, help="only the first programs, for a trial run")
    parser.add_argument("--output", type=Path, default=OUT)
    chosen, console = parser.parse_args(given), Console()
    if chosen.make:
        make(2027 if chosen.seed is None else chosen.seed, chosen.batches, console)
        return 0
    if not BROKEN.is_file():
        console.print(f"{BROKEN} is missing: run benchmarks/repair.py --make")
        return 1
    about, rows = read_broken()
    rows, seed = rows[: chosen.most], chosen.seed or 0
    work = WORK / hashlib.sha256(f"{BROKEN.read_bytes()!r}{len(rows)}".encode()).hexdigest()[:12]
    if chosen.fresh and work.is_dir():
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    clock = work / "seconds.json"
    seconds = json.loads(clock.read_text(encoding="utf-8")) if clock.is_file() else {}
    model, arms = open_chat_model(ModelConfig(name=NANO)), dict[str, list[dict[str, Any]]]()
    with open_sandbox("bubblewrap", validation_image(), workers=2) as sandbox:
        for name, hints in (("without hints", False), ("with hints", True)):
            begun = time.perf_counter()
            arms[name] = repaired(rows, model, sandbox, hints=hints, seed=seed, work=work)
            if name not in seconds:  # of the run that did the work; one that only reads it takes no time
                seconds[name] = round(time.perf_counter() - begun, 1)
                clock.write_text(json.dumps(seconds), encoding="utf-8")
    document = {
        **report(rows, arms, about["invalid"]),
        "seed": seed,
        "tries": TRIES,
        "fixture": about,
        "seconds": seconds,
        "machine": machine(),
        "versions": versions(),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name, arm in document["arms"].items():
        console.print(f"{name}: {arm['all']['count']} of {arm['all']['total']}, {arm['tokens']:,} tokens")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
