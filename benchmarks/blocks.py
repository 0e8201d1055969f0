"""How many blocks of timm, torchvision and transformers stand alone, once mined?

    python benchmarks/blocks.py [--until names] [--limit 500] [--only names]

The packages are taken as pip installs them, sources only: torchvision and transformers from this environment, timm
from ``pip install --no-deps --target``. In turn:

* ``mine``: all blocks go to a store in ``build/bench-blocks``; the names of ``benchmarks/data/block_names.json`` are
  mined once more, alone and from nothing, for the time and memory that takes.
* ``names``: each file of one of the names is imported in a new Python process, in a sandbox in which none of the
  three packages exists; the class must be there, and the checker of undefined names must find nothing.
* ``all``: each block is validated in forks of a warm worker.
* ``repeat``: two runs from nothing must give the same bytes, and after one file was changed one file is parsed.

Everything found is kept as it comes, so that a run that was ended goes on where it was. Writes
``docs/reports/blocks.json``, which ``benchmarks/publish.py`` puts into the documents. Exit code 1 where a share is
less than asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import blocks_report
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import BLOCK_STAGES, Block
from netwright.sandbox import ISOLATING, Job, Limits, Sandbox, WorkerImage, open_sandbox
from netwright.tools.blocks.validation import REFUSED, BlockValidator, Usage, block_image, name_stop
from netwright.tools.outcomes import stop_of, text
from netwright.tools.pretraining.report import machine
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

ROOT: Final = Path(__file__).resolve().parents[1]
OUT: Final = ROOT / "docs" / "reports" / "blocks.json"
BUILD: Final = ROOT / "build" / "bench-blocks"
NAMES: Final = ROOT / "benchmarks" / "data" / "block_names.json"
PINNED: Final = {"timm": "1.0.31"}  # what the environment has not got
_USAGE_EVERY: Final = 50  # checks, of which a killed run may lose the account
FRESH_LIMITS: Final = Limits(wall_s=240, cpu_s=60, memory_mb=4096, processes=64)


def sources(build: Path) -> dict[str, Path]:
    """The packages' folders by name; those that are not installed are installed below ``build``."""
    site = Path(sysconfig.get_paths()["purelib"])
    found: dict[str, Path] = {}
    for name in REFUSED:
        if name in PINNED:
            target = build / "sources" / f"{name}-{PINNED[name]}"
            if not (target / name).is_dir():
                command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
                subprocess.run([*command, f"{name}=={PINNED[name]}"], check=True)
            found[name] = target / name
        else:
            found[name] = site / name
    return found


def version_of(folder: Path) -> str:
    """The version that the installed metadata beside a package's folder names."""
    infos = sorted(folder.parent.glob(f"{folder.name}-*.dist-info"))
    return infos[0].name.removesuffix(".dist-info").rpartition("-")[2] if infos else "unknown"


def mine(home: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run ``netwright blocks mine`` in a process of its own; its answer, CPU seconds and peak memory.

    Raises:
        RuntimeError: it failed.
    """
    home.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).parent / "netwright"), "blocks", "mine", *arguments, "--no-validate", "--json"]
    started = time.perf_counter()
    with (home / "mine.json").open("w+", encoding="utf-8") as answer:
        process = subprocess.Popen(command, stdout=answer, env={**os.environ, "NETWRIGHT_HOME": str(home)})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        answer.seek(0)
        told = answer.read()
    if process.returncode:
        raise RuntimeError(f"mining failed with exit code {process.returncode}: {' '.join(command)}")
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(time.perf_counter() - started, 2),
        "peak_mb": used.ru_maxrss // 1024,
        "answer": json.loads(told),
    }


def store_of(home: Path) -> BlockStore:
    """The block store of a data directory."""
    return BlockStore(home / "blocks" / "blocks.db")


class Rows:
    """Results of blocks by id, one JSON line each, kept as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.known: dict[str, dict[str, Any]] = {}
        if not path.is_file():
            return
        whole, _, cut = path.read_text(encoding="utf-8").rpartition("\n")
        if cut:  # of the line that was being written when a run was killed
            os.truncate(path, len(f"{whole}\n".encode()) if whole else 0)
        for line in whole.splitlines():
            row = json.loads(line)
            self.known[row["id"]] = row

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.known[row["id"]] = row
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


def fresh_image() -> WorkerImage:
    """A worker that starts new Pythons, among packages of which those that blocks come from are hidden."""
    site = Path(sysconfig.get_paths()["purelib"])
    hidden = [path for name in REFUSED for path in sorted(site.glob(f"{name}*")) if path.is_dir()]
    return WorkerImage(handlers=ROOT / "benchmarks" / "fresh", preload=(), hidden=tuple(hidden))


def fresh_row(sandbox: Sandbox, block: Block) -> dict[str, Any]:
    """Import one file in a new process and check its names."""
    payload = {"source": block.text, "name": block.name, "absent": list(REFUSED)}
    outcome = sandbox.run(Job(handler="fresh.run", payload=payload, limits=FRESH_LIMITS))
    stop = stop_of(outcome, FRESH_LIMITS)
    found = outcome.result if stop is None and isinstance(outcome.result, dict) else {}
    names = name_stop(block.text, REFUSED)
    why = None
    if stop is not None:
        why = f"{stop.error_class}: {stop.message}"
    elif found.get("exit_code") != 0:
        why = text(found.get("error")) or f"exit code {found.get('exit_code')}"
    elif found.get("visible") or found.get("imported"):
        why = f"a source package was there: {found['visible']} {found['imported']}"
    elif not found.get("there"):
        why = "the class is not there"
    elif names is not None:
        why = f"{names.error_class}: {names.message}"
    row = {"id": block.id, "qualified": block.qualified, "name": block.name, "ok": why is None, "why": why}
    return {**row, "cpu_s": round(outcome.cpu_s, 2), "peak_mb": found.get("peak_mb")}


def check_names(blocks: Sequence[Block], rows: Rows, workers: int, progress: Progress) -> None:
    """Fill in the rows of blocks that have none."""
    missing = [block for block in blocks if block.id not in rows.known]
    bar = progress.add_task("new processes", total=len(blocks), completed=len(blocks) - len(missing))
    if not missing:
        return
    with (
        open_sandbox(ISOLATING, fresh_image(), workers=workers) as sandbox,
        ThreadPoolExecutor(max_workers=workers) as pool,
    ):
        for row in pool.map(lambda block: fresh_row(sandbox, block), missing):
            rows.add(row)
            progress.advance(bar)


def unchecked(store: BlockStore, until: str, limit: int | None) -> Iterator[Block]:
    """Blocks to validate. Those that stopped where the last run was told to stop go on."""

    def waits(block: Block) -> bool:
        check = block.check
        return check is None or (
            check.error_class is None and BLOCK_STAGES.index(check.stage) < BLOCK_STAGES.index(until)
        )

    return islice(filter(waits, store.stream()), limit)


def check_all(store: BlockStore, given: argparse.Namespace, usage: Path, progress: Progress) -> None:
    """Validate what the store has not yet validated, and write each check before the next is begun."""
    waiting = sum(1 for _ in unchecked(store, given.until, given.limit))
    bar = progress.add_task("validating", total=waiting)
    if not waiting:
        return
    with open_sandbox(ISOLATING, block_image(), workers=given.workers) as sandbox:
        validator = BlockValidator(sandbox, until=given.until, search_s=given.search)
        blocks = unchecked(store, given.until, given.limit)
        for number, (block, check) in enumerate(validator.stream(blocks), start=1):
            store.set_check(block.id, check)
            progress.advance(bar)
            if number % _USAGE_EVERY == 0 or number == waiting:
                _add_usage(usage, validator.usage)


def _add_usage(path: Path, used: Usage) -> None:
    """Keep what checks took so far, and count from zero again."""
    line = {"blocks": used.blocks, "cpu_s": round(used.cpu_s, 1), "peak_mb": used.peak_mb}
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    used.blocks, used.cpu_s = 0, 0.0


def digest(store: BlockStore) -> dict[str, str]:
    """Hash of each emitted file by qualified name."""
    return {
        block.qualified: hashlib.sha256(block.text.encode("utf-8", "surrogatepass")).hexdigest()
        for block in store.stream()
    }


def repeat(source: Path, build: Path) -> dict[str, Any]:
    """Mine a package twice from nothing, and a third time after one file was changed."""
    shutil.rmtree(build, ignore_errors=True)
    copy = build / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    digests = []
    for run in ("one", "two"):
        first = mine(build / run, [str(copy)])["answer"]
        with store_of(build / run) as store:
            digests.append(digest(store))
    changed = max(sorted(copy.rglob("*.py")), key=lambda path: path.stat().st_size)
    with changed.open("a", encoding="utf-8") as stream:
        stream.write("\n# changed\n")
    third = mine(build / "two", [str(copy)])["answer"]
    return {
        "package": source.name,
        "identical": digests[0] == digests[1],
        "blocks": len(digests[0]),
        "files": first["parsed"],
        "parsed": third["parsed"],
        "reused": third["reused"],
    }


def _kept(path: Path, make: Any) -> Any:
    """What a step found, from its file if it was done before."""
    if not path.is_file():
        found = make()
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1), encoding="utf-8")
        os.replace(part, path)
    return json.loads(path.read_text(encoding="utf-8"))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--until", choices=("names", "build", "forward"), default="forward", help="last stage to try")
    made.add_argument("--only", choices=("names", "all"), help="leave the other half out")
    made.add_argument("--limit", type=int, help="validate at most so many blocks in this run")
    made.add_argument("--search", type=float, default=2.0, help="CPU seconds to look for arguments of one block")
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--build", type=Path, default=BUILD, help="where what was found is kept")
    made.add_argument("--store", type=Path, help="a store that was mined already, in place of mining")
    made.add_argument("--output", type=Path, default=OUT, help="where the report goes")
    made.add_argument("--failures", type=Path, help="write all failures to this file as well")
    return made


def mined(given: argparse.Namespace, paths: Sequence[str]) -> dict[str, Any]:
    """Mine all blocks, and the names alone; CPU seconds and peak memory of both, zeros where a store was given."""
    if given.store is not None:
        return {step: {"cpu_s": 0.0, "peak_mb": 0} for step in ("names", "all")}
    steps = {"all": ("home", paths), "names": ("few", ["--names", str(NAMES), *paths])}
    found = {}
    for step, (folder, arguments) in steps.items():
        kept = _kept(given.build / f"mined-{step}.json", partial(mine, given.build / folder, arguments))
        found[step] = {key: value for key, value in kept.items() if key != "answer"}
    return found


def used(path: Path) -> dict[str, Any]:
    """What the checks of all runs took together."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    cpu, peak = sum(row["cpu_s"] for row in rows), max((row["peak_mb"] for row in rows), default=0)
    return {"blocks": sum(row["blocks"] for row in rows), "cpu_s": round(cpu, 1), "peak_mb": peak}


def main(arguments: Sequence[str] | None = None) -> int:
    """Mine, check, report. Returns the exit code."""
    given = parser().parse_args(arguments)
    build: Path = given.build
    build.mkdir(parents=True, exist_ok=True)
    names: list[str] = json.loads(NAMES.read_text(encoding="utf-8"))
    folders = sources(build)
    mining = mined(given, [str(folder) for folder in folders.values()])
    rows = Rows(build / "fresh.jsonl")
    whole, few = (given.store or build / folder / "blocks" / "blocks.db" for folder in ("home", "few"))
    with BlockStore(whole) as store, Progress(console=Console(stderr=True)) as progress:
        with BlockStore(few) as of_names:
            named = [block for name in names for block in of_names.find(name)]
        if given.only != "all":
            check_names(named, rows, given.workers, progress)
        if given.only != "names":
            check_all(store, given, build / "usage.jsonl", progress)
        # Their texts are not needed any more, and are half a gigabyte.
        blocks = [block.model_copy(update={"text": ""}) for block in store.stream()]
    document = {
        "machine": machine(),
        "packages": {name: version_of(folder) for name, folder in folders.items()},
        "absent": list(REFUSED),
        "asked": blocks_report.ASKED,
        "other": blocks_report.OTHER,
        "mining": mining,
        "names": blocks_report.names_summary(names, named, rows.known),
        "all": blocks_report.stages(blocks),
        "validation": used(build / "usage.jsonl"),
    }
    if given.store is None:
        document["repeat"] = _kept(build / "repeat.json", lambda: repeat(folders["timm"], build / "repeat"))
    if given.failures is not None:
        given.failures.write_text(blocks_report.failures_text(document, blocks), encoding="utf-8")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    Console().print(Markdown(blocks_report.text(document)))
    return blocks_report.exit_code(document)


if __name__ == "__main__":
    sys.exit(main())
