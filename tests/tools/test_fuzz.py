"""Whatever is given to ``validate``: a verdict comes back, and nothing is left behind."""

from __future__ import annotations

import ctypes
import gc
import os
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from netwright.memory.types import STAGES, Verdict
from netwright.sandbox import Limits, Sandbox, cgroups, open_sandbox
from netwright.tools.execution import Validator, validation_image
from netwright.tools.tasks import task

from .mutants import LEAK, PROGRAMS, Input
from .trees import inputs

DIGITS = task("digits")
# Tight, so that endless loops cost little: a valid program takes a twentieth of this.
LIMITS = Limits(wall_s=10, cpu_s=1, memory_mb=256, processes=16, output_kb=128, result_kb=64)
BATCH = 8
SEED = 20_240_601
MARK = "NETWRIGHT_FUZZ"
WORKERS = 2
PLACES = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/"), Path.home(), Path.cwd())
_MOST_GROWTH = 256 << 20
_SETTLE_S = 10.0


class Surroundings:
    """What a validation could leave behind in this process and on this machine."""

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder = folder
        self._mark = mark
        self._me = psutil.Process()
        self.before = self.now()
        self._resident = self._me.memory_info().rss

    def now(self) -> dict[str, Counter[str]]:
        """Everything that must not become more, counted by name."""
        numbers = {
            "marked processes": sum(self._is_marked(process) for process in psutil.process_iter()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "mounts": Path("/proc/self/mountinfo").read_text().count("netwright"),
        }
        leaked = (path for place in PLACES for path in place.glob(f"{LEAK}*"))
        return {
            "numbers": Counter(numbers),
            "processes": Counter(_name(child) for child in self._me.children(recursive=True)),
            "files": Counter(str(path) for path in (*self._folder.rglob("*"), *leaked)),
            "control groups": Counter(_control_groups()),
        }

    def _is_marked(self, process: psutil.Process) -> bool:
        """Whether it comes out of this sandbox, wherever it hangs now."""
        try:
            return process.environ().get(MARK) == self._mark
        except (psutil.Error, OSError):
            return False

    def check(self) -> None:
        """Wait a moment for what is just ending, then compare: nothing may have come, and no file gone."""
        deadline = time.monotonic() + _SETTLE_S
        while (more := self._more()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not more

    def _more(self) -> dict[str, Counter[str]]:
        now = self.now()
        came = {key: now[key] - self.before[key] for key in now}
        came["lost files"] = self.before["files"] - now["files"]
        return {key: found for key, found in came.items() if found}

    def growth(self) -> int:
        """Bytes by which this process has grown, without what hypothesis kept while it ran."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # the allocator keeps what was freed
        return int(self._me.memory_info().rss - self._resident)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "(ended)"


def _control_groups() -> list[str]:
    """Those of this process: their names begin with its id."""
    hierarchy = cgroups.find()
    parents = {} if hierarchy is None else hierarchy.parents
    return [key for key, parent in parents.items() for _ in parent.glob(f"netwright-{os.getpid()}-*")]


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def sandbox(
    mark: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """Two workers, started by a process whose home, folder and place for temporary files are its own."""
    for name in ("home", "work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path_factory.mktemp("hypothesis")))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path / "work")
    image = validation_image()
    image = replace(image, seed_environment={**image.seed_environment, MARK: mark})
    with open_sandbox("bubblewrap", image, workers=WORKERS) as opened:
        yield opened


def check_verdict(verdict: Verdict) -> None:
    """Everything in a verdict is known or bounded, and can be stored and shown."""
    assert verdict.stage in STAGES
    assert 0 <= verdict.seconds < LIMITS.wall_s + 20
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert verdict.line is None or 1 <= verdict.line <= 10_000_000
    if verdict.ok:
        assert verdict.stage == "backward"
        assert verdict.params is not None
        assert verdict.error_class is verdict.message is None
    else:
        assert verdict.error_class
        assert len(verdict.error_class) <= 80
        assert verdict.message is not None
        assert len(verdict.message) <= 500
        assert verdict.reason.isprintable()


def figures(verdicts: list[Verdict]) -> list[tuple[bool, int | None, int | None]]:
    return [(verdict.ok, verdict.params, verdict.flops) for verdict in verdicts]


def test_paths_that_are_no_programs(digits_sandbox: Sandbox, tmp_path: Path) -> None:
    validator = Validator(digits_sandbox, LIMITS)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "astray").symlink_to("nowhere")
    names = ("", "absent", "pipe", "loop", "astray", "x" * 300, "x/" * 5000, "\udcff", "\ud800", "a\0b", "\x1b[2J")
    paths = [*(tmp_path / name for name in names), Path("/dev/zero"), Path("/dev/stdin"), Path("/proc/self/mem")]
    for path in paths:
        verdict = validator.validate_file(path, DIGITS)
        check_verdict(verdict)
        assert verdict.stage == "extract"


class Judge:
    """Validates batches of inputs on all workers at once, and counts."""

    def __init__(self, validator: Validator, folder: Path) -> None:
        self._validator = validator
        self._folder = folder
        self.stages: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: Counter[str] = Counter()
        self.distinct: set[int] = set()
        self.pool = ThreadPoolExecutor(WORKERS)

    def _one(self, at: int, item: Input) -> Verdict:
        if isinstance(item.content, str):
            return self._validator.validate(item.content, DIGITS)
        path = self._folder / f"{at}.py"
        path.write_bytes(item.content)
        return self._validator.validate_file(path, DIGITS)

    def batch(self, batch: list[Input]) -> None:
        for item, verdict in zip(batch, self.pool.map(self._one, range(len(batch)), batch), strict=True):
            check_verdict(verdict)
            self.stages[item.kind]["ok" if verdict.ok else verdict.stage] += 1
            self.seconds[item.kind] += verdict.seconds
            self.distinct.add(hash(item.content))

    @property
    def count(self) -> int:
        return sum(found.total() for found in self.stages.values())

    def table(self) -> str:
        """Kind by stage, and seconds of worker time by kind."""
        columns = (*STAGES, "ok")
        lines = ["kind      " + "".join(f"{name:>9}" for name in (*columns, "all", "seconds"))]
        for kind, found in sorted(self.stages.items()):
            numbers = "".join(f"{found[name]:9}" for name in columns)
            lines.append(f"{kind:10}{numbers}{found.total():9}{self.seconds[kind]:9.1f}")
        return "\n".join(lines)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.fuzz)])
def test_every_input_has_a_verdict_and_leaves_nothing(
    count: int, mark: str, sandbox: Sandbox, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    validator = Validator(sandbox, LIMITS)
    judge = Judge(validator, tmp_path_factory.mktemp("inputs"))
    well = figures(validator.validate_many(PROGRAMS, DIGITS))
    assert sum(ok for ok, _, _ in well) >= 24
    judge.batch([Input("warm-up", program) for program in PROGRAMS])
    surroundings = Surroundings(tmp_path, mark)

    @seed(SEED)
    @settings(max_examples=count // BATCH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(inputs(), min_size=BATCH, max_size=BATCH, unique=True))
    def no_harm(batch: list[Input]) -> None:
        judge.batch(batch)
        surroundings.check()
        if judge.count % 1000 < BATCH:
            print(f"{judge.count} after {time.monotonic() - started:.0f} s", flush=True)

    started = time.monotonic()
    no_harm()
    grown = surroundings.growth()
    spent = time.monotonic() - started
    print(f"\n{judge.table()}\n{len(judge.distinct)} distinct, {spent:.0f} s, {grown >> 20} MiB more")
    assert figures(validator.validate_many(PROGRAMS, DIGITS)) == well
    assert surroundings.now() == surroundings.before
    assert judge.count - len(PROGRAMS) >= count
    assert grown < _MOST_GROWTH
    judge.pool.shutdown()
