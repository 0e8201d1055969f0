"""Retrieval over the block library: 60 queries written by hand, hit@5 of the hybrid ranking against its two halves.

Forty more, written after the index's descriptions of techniques were fixed, are reported beside them and decide
nothing.

    python benchmarks/retrieval.py [--store FILE] [--out FILE]

A query is a hit if one of its expected blocks is among the first five that are shown. Blocks collapsed behind a shown
one do not count. The store is made by ``netwright blocks mine timm torchvision transformers``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from netwright.memory.block_store import BlockStore
from netwright.tools.blocks.search import BlockSearch, Hit, Mode

ROOT = Path(__file__).resolve().parents[1]
QUERIES = ROOT / "benchmarks" / "data" / "retrieval_queries.json"
LATER = QUERIES.with_name("retrieval_queries_later.json")
SHOWN = 5
NEEDED = 0.85  # hit@5 of the hybrid ranking


def main() -> None:
    """Run the queries, print a line for each mode, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="block store; default: the one below the data directory")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reports" / "retrieval.json")
    chosen = parser.parse_args()
    with BlockStore(chosen.store) as store, BlockSearch.open(store) as search:
        if not len(store):
            raise SystemExit(
                f"{store.path} holds no blocks: netwright blocks mine timm torchvision transformers --download"
            )
        report = measured(search, read(QUERIES))
        later = measured(search, read(LATER))
        report["later"] = {key: later[key] for key in ("modes", "queries")}
    write(chosen.out, report)
    for name, modes in ((f"{QUERIES.stem}", report["modes"]), (f"{LATER.stem}", later["modes"])):
        print(name)
        for mode, figures in modes.items():
            shown = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
            print(f"  {mode:8} {shown}")
    print("missed:", *(one["query"] for one in report["queries"] if not one["hybrid"]["rank"]), sep="\n  ")
    ok = report["passed"]
    print(f"{report['blocks']} blocks, {report['queries_per_s']} hybrid queries per second:", "ok" if ok else "FAILED")
    raise SystemExit(0 if ok else 1)


def read(path: Path) -> list[dict[str, Any]]:
    """Queries with their expected blocks."""
    queries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["queries"]
    return queries


def measured(search: BlockSearch, queries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole report over an index that is brought up to date first."""
    begun, cpu = time.perf_counter(), time.process_time()
    done = search.update()
    index_s, index_cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    rows: list[dict[str, Any]] = [{"query": one["query"]} for one in queries]
    modes: dict[str, dict[str, float]] = {}
    seconds = {}
    for mode in get_args(Mode):
        begun = time.perf_counter()
        found = [search.search(one["query"], limit=SHOWN, mode=mode) for one in queries]
        seconds[mode] = time.perf_counter() - begun
        ranks = [rank(hits, one["expected"]) for hits, one in zip(found, queries, strict=True)]
        for row, hits, at in zip(rows, found, ranks, strict=True):
            row[mode] = {"rank": at, "shown": [hit.block.qualified for hit in hits]}
        modes[mode] = {
            "hit@1": round(sum(at == 1 for at in ranks) / len(ranks), 4),
            f"hit@{SHOWN}": round(sum(at > 0 for at in ranks) / len(ranks), 4),
            "mrr": round(sum(1 / at for at in ranks if at) / len(ranks), 4),
        }
    hits = {mode: figures[f"hit@{SHOWN}"] for mode, figures in modes.items()}
    return {
        "passed": hits["hybrid"] >= NEEDED and hits["hybrid"] > max(hits["vector"], hits["keyword"]),
        "needed": NEEDED,
        "blocks": done["blocks"],
        "index": {**done, "seconds": round(index_s, 1), "cpu_s": round(index_cpu_s, 1)},
        "queries_per_s": round(len(queries) / seconds["hybrid"], 1),
        "machine": {"python": platform.python_version(), "cores": os.cpu_count()},
        "modes": modes,
        "queries": rows,
    }


def rank(hits: Sequence[Hit], expected: Sequence[str]) -> int:
    """The place of the first expected block, from 1; 0 if none is shown."""
    for place, hit in enumerate(hits, start=1):
        if any(fnmatchcase(hit.block.qualified if "." in one else hit.block.name, one) for one in expected):
            return place
    return 0


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, path)


if __name__ == "__main__":
    main()
