"""Records at scale: 750,000 scores of 14,000 networks, on SQLite and PostgreSQL.

    python benchmarks/records_scale.py [--backend sqlite --backend postgresql] [--scores N] [--networks N]

Inserts synthetic records as an import does, in transactions of 20,000, then asks what users ask, each question some
times in a new connection: the first time, the median, and the median of this process' own CPU time are kept.
PostgreSQL is started by ``tests/start_postgres.sh`` in a folder of its own, with Debian's settings. The report goes to
``docs/reports/records-scale.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netwright import data
from netwright.memory.records import Records
from netwright.memory.scores import Score
from netwright.memory.types import Candidate
from netwright.tools.pretraining.report import machine
from sqlalchemy import text

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "reports" / "records-scale.json"
BATCH = 20_000
TIMES = 3
ENOUGH_S = 10.0  # a question that takes longer is asked once
EPOCHS = 3  # of each training
DATASETS = ("cifar-10", "cifar-100", "svhn", "mnist", "imagenette", "celeba-gender", "places365", "coco")
PREFIXES = ("", "alt-nn1-", "alt-nn3-", "ast-dimension-", "ga-", "rag-", "rl-bb-init-", "frac-")
LINE = "        x = self.stage{n}(x) + self.short{n}(x) * {value:.6f}\n"
Row = dict[str, Any]


def network(number: int) -> tuple[str, str]:
    """Name and source of a synthetic network, about 5 KB."""
    draw = random.Random(f"network {number}")
    body = "".join(LINE.format(n=n, value=draw.random()) for n in range(90))
    name = f"{PREFIXES[number % len(PREFIXES)]}{draw.getrandbits(128):032x}"
    return name, f"class Net(nn.Module):  # {number}\n    def forward(self, x):\n{body}        return x\n"


def scores(names: list[str], total: int) -> Iterator[Score]:
    """Trainings of some epochs each, every one with hyperparameters of its own."""
    draw = random.Random(0)
    for number in range(total):
        epoch = number % EPOCHS + 1
        if epoch == 1:
            training = number // EPOCHS
            network, dataset = names[training % len(names)], DATASETS[draw.randrange(len(DATASETS))]
            start, took = draw.uniform(0.05, 0.9), draw.randrange(10**9, 10**12)
            prm = {"batch": 2 ** draw.randrange(4, 11), "lr": draw.uniform(1e-5, 1), "momentum": draw.random()}
            prm |= {"dropout": draw.uniform(0, 0.5), "transform": f"norm_{draw.choice((32, 64, 128, 256, 299))}"}
        kind = "img-captioning" if dataset == "coco" else "img-classification"
        metric = "bleu" if dataset == "coco" else "acc"
        yield Score(network, kind, dataset, metric, epoch, start + epoch / 40, took * epoch, prm)


def fill(url: str, networks: int, total: int) -> Row:
    """Insert everything; how long it took."""
    begin, cpu = time.perf_counter(), time.process_time()
    with Records(url) as records:
        named = dict(network(number) for number in range(networks))
        ids = dict(zip(named, records.add_candidates(Candidate(source=one) for one in named.values()), strict=True))
        records.put_networks(ids)
        told = time.perf_counter()
        batch: list[Score] = []
        for score in scores(list(named), total):
            batch.append(score)
            if len(batch) == BATCH:
                records.put_scores(batch)
                batch = []
        records.put_scores(batch)
        end = time.perf_counter()
        count = records.count_scores()
    return {
        "networks_s": round(told - begin, 2),
        "scores_s": round(end - told, 2),
        "scores_per_s": round(total / (end - told)),
        "cpu_s": round(time.process_time() - cpu, 2),
        "scores": count,
    }


def questions(url: str) -> dict[str, Callable[[], Any]]:
    """What is asked, by name."""
    return {
        "best of each network": lambda: data(unique_nn=True, records=url),
        "best of each network, without code": lambda: data(unique_nn=True, include_code=False, records=url),
        "best of each network on one data set": lambda: data(unique_nn=True, dataset="cifar-10", records=url),
        "10,000 rows of one data set and epoch": lambda: data(
            dataset="cifar-10", epoch=1, max_rows=10_000, records=url
        ),
        "10,000 rows of one name prefix": lambda: data(nn_prefixes=("alt-nn3-",), max_rows=10_000, records=url),
        "10,000 rows, only the best of an epoch": lambda: data(
            only_best_accuracy=True, dataset="svhn", max_rows=10_000, records=url
        ),
        "first 10,000 rows of all": lambda: data(max_rows=10_000, records=url),
        "one network": lambda: data(nn=network(77)[0], records=url),
        "all rows, without code": lambda: data(include_code=False, records=url),
    }


def ask(url: str) -> list[Row]:
    """Seconds of each question."""
    rows: list[Row] = []
    for name, question in questions(url).items():
        took, cpu = [], []
        for _ in range(TIMES):
            begin, used = time.perf_counter(), time.process_time()
            found = question()
            took.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - used)
            if took[0] > ENOUGH_S:
                break
        row = {"question": name, "rows": len(found), "first_s": round(took[0], 3)}
        row |= {"median_s": round(statistics.median(took), 3), "cpu_s": round(statistics.median(cpu), 3)}
        rows.append(row)
        print(f"  {name}: {row}", flush=True)
    return rows


def measure(backend: str, url: str, networks: int, total: int) -> Row:
    """Fill and ask one backend."""
    print(f"{backend}: inserting {total:,} scores of {networks:,} networks", flush=True)
    filled = fill(url, networks, total)
    print(f"  {filled['scores_per_s']:,} scores per second, {filled['scores_s']} s", flush=True)
    asked = ask(url)
    size = size_mb(url)
    print(f"  {size:,.0f} MiB on disk", flush=True)
    return {"backend": backend, **filled, "size_mb": size, "questions": asked}


def size_mb(url: str) -> float:
    """MiB of the database: the file, or what the server says."""
    if url.startswith("sqlite"):
        return round(Path(url.removeprefix("sqlite:///")).stat().st_size / 2**20, 1)
    with Records(url) as records, records._engine.connect() as connection:
        found = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return round(found / 2**20, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", choices=("sqlite", "postgresql"))
    parser.add_argument("--networks", type=int, default=14_000)
    parser.add_argument("--scores", type=int, default=750_000)
    parser.add_argument("--out", type=Path, default=REPORT)
    given = parser.parse_args()
    rows: list[Row] = []
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="records-scale-") as folder:
        for backend in given.backend or ("sqlite", "postgresql"):
            if backend == "sqlite":
                rows.append(measure(backend, f"sqlite:///{folder}/records.db", given.networks, given.scores))
                continue
            script = ROOT / "tests" / "start_postgres.sh"
            started = subprocess.run([script, "start"], check=True, text=True, stdout=subprocess.PIPE)
            server, url = started.stdout.split()
            try:
                rows.append(measure(backend, url, given.networks, given.scores))
            finally:
                subprocess.run([script, "stop", server], check=True)
    load.append(os.getloadavg()[0])
    document = {
        "networks": given.networks,
        "scores": given.scores,
        "backends": rows,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load": [round(one, 1) for one in load],
        "machine": machine(),
    }
    given.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"report: {given.out}")


if __name__ == "__main__":
    main()
