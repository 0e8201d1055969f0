"""What every backend promises: the same test class runs against each."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from netwright.sandbox import Job, Limits, Outcome, Sandbox, SandboxUnavailable, WorkerImage, open_sandbox

QUICK = {"wall_s": 10.0, "cpu_s": 8.0, "memory_mb": 256}


def submit(sandbox: Sandbox, source: str, handler: str = "candidate.run", **limits: Any) -> Outcome:
    """Run a candidate's source under small limits."""
    return sandbox.run(Job(handler=handler, payload={"source": source}, limits=Limits(**{**QUICK, **limits})))


def alive(pids: Iterable[int]) -> list[int]:
    """Those of some processes that run, zombies apart."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def settled(sandbox: Sandbox) -> list[int]:
    """The processes of a sandbox whose workers are all ready and have nothing to do."""
    assert submit(sandbox, "result = {'x': 1}").status == "ok"
    return alive(sandbox.processes())  # type: ignore[attr-defined]


def containers(pid: int) -> list[str]:
    """Names of the containers of a process, where there is a daemon."""
    if shutil.which("docker") is None:
        return []
    listing = ["docker", "ps", "--all", "--filter", "label=netwright.host", "--format", "{{.Names}}"]
    found = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
    return [name for name in found if name.startswith(f"netwright-{pid}-")]


BACKENDS = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker), "process"]


@pytest.fixture(params=BACKENDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each backend in turn; after each test it still does its work."""
    opened: Sandbox = request.getfixturevalue(request.param)
    yield opened
    assert submit(opened, "result = {'x': 1}").status == "ok"


class TestContract:
    def test_it_is_a_sandbox(self, sandbox: Sandbox) -> None:
        assert isinstance(sandbox, Sandbox)
        assert sandbox.workers == 1
        assert sandbox.isolating == (sandbox.name != "process")

    def test_result_note_output_and_times(self, sandbox: Sandbox) -> None:
        source = "note('half way')\nprint('hallo', 'Welt')\nsum(range(10**6))\nresult = {'n': 1.5, 'l': [None, True]}"
        outcome = submit(sandbox, source)
        assert outcome.status == "ok", outcome
        assert outcome.result == {"n": 1.5, "l": [None, True]}
        assert (outcome.note, outcome.stdout, outcome.exit_code) == ("half way", "hallo Welt\n", 0)
        assert 0 < outcome.cpu_s < 5
        assert 0 < outcome.wall_s < 10

    def test_unicode_both_ways(self, sandbox: Sandbox) -> None:
        text = "naïve 网络 🕸 \x00\u2028"
        job = Job(
            handler="candidate.run",
            payload={"source": "print('网络')\nnote('🕸')\nresult = {'t': payload['text']}", "text": text},
        )
        outcome = sandbox.run(job)
        assert outcome.result == {"t": text}
        assert (outcome.stdout, outcome.note) == ("网络\n", "🕸")

    def test_an_exception_is_described(self, sandbox: Sandbox) -> None:
        outcome = submit(sandbox, "def f():\n    raise ValueError('x' * 5000)\n\nf()")
        assert (outcome.status, outcome.result) == ("error", None)
        assert outcome.failure is not None
        assert outcome.failure.error_class == "ValueError"
        assert outcome.failure.message == "x" * 2000
        assert outcome.failure.line == 2
        assert "<candidate>" in outcome.failure.traceback

    @pytest.mark.parametrize(
        ("source", "name", "line"),
        [
            ("import sys\nsys.exit(4)", "SystemExit", 2),
            ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
            ("x = (\n", "SyntaxError", 1),
            ("class E(Exception):\n    def __str__(self): raise OSError\nraise E", "E", 3),
            ("def f(): f()\nf()", "RecursionError", 1),
        ],
    )
    def test_every_way_to_raise_is_an_error(self, sandbox: Sandbox, source: str, name: str, line: int) -> None:
        outcome = submit(sandbox, source)
        assert outcome.status == "error"
        assert outcome.failure is not None
        assert (outcome.failure.error_class, outcome.failure.line) == (name, line)

    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ("import os\nos._exit(0)", 0),
            ("import os\nos._exit(9)", 9),
            ("import ctypes\nctypes.string_at(0)", -11),
        ],
    )
    def test_a_process_that_disappears_is_a_crash(self, sandbox: Sandbox, source: str, code: int) -> None:
        outcome = submit(sandbox, "note('last words')\n" + source)
        assert (outcome.status, outcome.exit_code, outcome.note) == ("crash", code, "last words")

    def test_bad_handlers_are_errors(self, sandbox: Sandbox) -> None:
        assert submit(sandbox, "", "nothing.there").failure.error_class == "LookupError"  # type: ignore[union-attr]
        assert submit(sandbox, "", "candidate.missing").status == "error"
        assert submit(sandbox, "", "candidate.number").failure.error_class == "TypeError"  # type: ignore[union-attr]
        assert submit(sandbox, "", "candidate.unwritable").status == "result"

    def test_wall_time(self, sandbox: Sandbox) -> None:
        outcome = submit(sandbox, "import time\nnote('asleep')\ntime.sleep(60)", wall_s=0.5)
        assert (outcome.status, outcome.note) == ("timeout", "asleep")
        assert outcome.wall_s < 3

    def test_cpu_time_of_the_whole_tree(self, sandbox: Sandbox) -> None:
        source = "import os\nfor _ in range(2):\n    if os.fork() == 0:\n        while True: pass\nos.wait()"
        outcome = submit(sandbox, source, cpu_s=0.5, wall_s=60)
        assert outcome.status == "cpu"
        assert 0.4 < outcome.cpu_s < 4

    def test_output_is_bounded(self, sandbox: Sandbox) -> None:
        outcome = submit(sandbox, "while True: print('spam' * 100)", output_kb=64)
        assert outcome.status == "output"
        assert len(outcome.stdout) == 4000

    def test_result_is_bounded(self, sandbox: Sandbox) -> None:
        assert submit(sandbox, "result = {'x': 'x' * 2000}", result_kb=1).status == "result"
        assert submit(sandbox, "result = {'x': 'x' * 900}", result_kb=1).status == "ok"

    def test_a_large_result_arrives(self, sandbox: Sandbox) -> None:
        outcome = submit(sandbox, "result = {'x': 'y' * 4_000_000}")
        assert outcome.status == "ok"
        assert len(outcome.result["x"]) == 4_000_000

    def test_memory_by_one_piece_and_by_many(self, sandbox: Sandbox) -> None:
        whole = submit(sandbox, "x = bytearray(20 << 30)", wall_s=20)
        assert (whole.status, whole.failure.error_class) == ("memory", "MemoryError")  # type: ignore[union-attr]
        pieces = submit(sandbox, "x = []\nwhile True: x.append(bytearray(b'1') * (1 << 20))", wall_s=20)
        assert pieces.status == "memory", pieces

    def test_a_timeout_ends_grandchildren(self, sandbox: Sandbox) -> None:
        source = "import os, time\nfor _ in range(2):\n    if os.fork() == 0: os.setsid()\ntime.sleep(60)"
        before = settled(sandbox)
        assert submit(sandbox, source, wall_s=0.5).status == "timeout"
        after = settled(sandbox)
        assert len(after) == len(before)
        assert after == before or not alive(before)  # a container is replaced after a violation

    def test_what_is_left_running_ends_with_the_job(self, sandbox: Sandbox) -> None:
        daemon = "    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)"
        source = f"import os, time\nif os.fork() == 0:\n{daemon}"
        before = settled(sandbox)
        outcome = submit(sandbox, source)
        assert outcome.status == "ok", outcome
        assert outcome.wall_s < 8
        assert alive(sandbox.processes()) == before  # type: ignore[attr-defined]

    def test_a_fork_that_returns_does_not_answer_twice(self, sandbox: Sandbox) -> None:
        source = "import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\nresult = {'child': child == 0}"
        assert submit(sandbox, source).result == {"child": False}

    def test_scratch_is_writable_and_fresh(self, sandbox: Sandbox) -> None:
        source = "import os\nold = os.listdir('.')\nopen('left', 'w').write('x')\nresult = {'old': old}"
        for _ in range(2):
            assert submit(sandbox, source).result == {"old": []}

    def test_a_data_set_that_is_not_there(self, sandbox: Sandbox) -> None:
        with pytest.raises(ValueError, match="no data set 'digits'"):
            sandbox.run(Job(handler="candidate.run", payload={"source": ""}, data="digits"))

    def test_a_payload_that_cannot_be_sent(self, sandbox: Sandbox) -> None:
        with pytest.raises(TypeError, match="not JSON serializable"):
            sandbox.run(Job(handler="candidate.run", payload={"source": {1, 2}}))
        with pytest.raises(ValueError, match="at most 64"):
            sandbox.run(Job(handler="candidate.run", payload={"source": "#" * (65 << 20)}))

    def test_limits_hold_for_one_job_only(self, sandbox: Sandbox) -> None:
        source = "held = bytearray(b'x') * (300 << 20)\nresult = {'held': len(held) >> 20}"
        for memory_mb in (512, 64, 512):
            outcome = submit(sandbox, source.replace("300", "900") if memory_mb == 64 else source, memory_mb=memory_mb)
            assert outcome.status == ("ok" if memory_mb == 512 else "memory"), outcome

    def test_threads_share_a_worker(self, sandbox: Sandbox) -> None:
        with ThreadPoolExecutor(4) as executor:
            outcomes = list(executor.map(lambda n: submit(sandbox, f"result = {{'n': {n}}}"), range(12)))
        assert [outcome.result["n"] for outcome in outcomes] == list(range(12))


@pytest.mark.filterwarnings("ignore:the 'process' sandbox")
@pytest.mark.parametrize("backend", BACKENDS)
class TestLifetime:
    def test_nothing_is_left_after_close(self, backend: str, handlers: Path) -> None:
        groups, files, boxes = control_groups(), set(os.listdir("/tmp")), containers(os.getpid())
        sandbox = open_sandbox(backend, WorkerImage(handlers, preload=()), workers=2)
        running = settled(sandbox)
        assert running
        sandbox.close()
        sandbox.close()
        assert not alive(running)
        assert containers(os.getpid()) == boxes
        assert control_groups() <= groups
        ours = ("netwright-docker-" + str(os.getpid()), "netwright-job-", "netwright-worker-")
        assert not {name for name in set(os.listdir("/tmp")) - files if name.startswith(ours)}
        with pytest.raises(RuntimeError, match="closed"):
            submit(sandbox, "")

    def test_close_ends_a_running_job(self, backend: str, handlers: Path) -> None:
        sandbox = open_sandbox(backend, WorkerImage(handlers, preload=()), workers=1)
        threading.Timer(0.5, sandbox.close).start()
        started = time.monotonic()
        with pytest.raises(RuntimeError, match="closed while the job ran"):
            submit(sandbox, "import time\ntime.sleep(30)", wall_s=40)
        assert time.monotonic() - started < 10

    def test_a_dead_worker_is_replaced(self, backend: str, handlers: Path) -> None:
        with open_sandbox(backend, WorkerImage(handlers, preload=()), workers=1) as sandbox:
            first = sandbox.processes()[0]  # type: ignore[attr-defined]
            threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
            outcome = submit(sandbox, "import time\ntime.sleep(9)")
            assert outcome.status == "crash"
            assert outcome.failure is not None
            assert "did not survive" in outcome.failure.message
            assert submit(sandbox, "result = {'again': 1}").result == {"again": 1}

    def test_a_lost_launcher_or_container_is_no_harm(self, backend: str, handlers: Path) -> None:
        before, groups, boxes = set(psutil.Process().children()), control_groups(), containers(os.getpid())
        with open_sandbox(backend, WorkerImage(handlers, preload=()), workers=1) as sandbox:
            below = alive(sandbox.processes())  # type: ignore[attr-defined]
            if backend == "docker":
                (name,) = set(containers(os.getpid())) - set(boxes)
                subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
            else:
                (launcher,) = set(psutil.Process().children()) - before
                launcher.kill()
            psutil.wait_procs([psutil.Process(pid) for pid in alive(below)], timeout=5)
            assert not alive(below)
            # Gone while it was idle: the next job is not blamed for it.
            assert submit(sandbox, "result = {'again': 1}").result == {"again": 1}
        assert control_groups() <= groups

    def test_a_worker_that_cannot_start_says_why(self, backend: str, handlers: Path) -> None:
        with pytest.raises(SandboxUnavailable, match="no_such_module"):
            open_sandbox(backend, WorkerImage(handlers, preload=("no_such_module",)), workers=1)

    def test_folders_must_exist(self, backend: str, handlers: Path, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="not a folder of handlers"):
            open_sandbox(backend, WorkerImage(tmp_path / "none"))
        with pytest.raises(FileNotFoundError, match=r"no \.npy file"):
            open_sandbox(backend, WorkerImage(handlers, preload=(), data={"d": tmp_path}))

    def test_the_folders_of_a_killed_worker_are_removed(self, backend: str, handlers: Path) -> None:
        folder = Path(tempfile.gettempdir(), "netwright-job-4194304-test")
        (folder / "left").mkdir(parents=True, exist_ok=True)
        try:
            open_sandbox(backend, WorkerImage(handlers, preload=()), workers=1).close()
            assert folder.exists() == (backend != "process")  # the others have none, and see none
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def test_a_killed_host_takes_its_workers_along(self, backend: str, handlers: Path) -> None:
        pid, workers = start_host(backend, handlers)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        deadline = time.monotonic() + 10
        while any(psutil.pid_exists(one) for one in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [one for one in workers if psutil.pid_exists(one)]
        while containers(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not containers(pid)
        assert not [name for name in control_groups(pid) if name.startswith(f"netwright-{pid}-")]


def start_host(backend: str, handlers: Path) -> tuple[int, list[int]]:
    """A host process of its own in the middle of a job. Returns its pid and those of all below it."""
    program = (
        "import json, sys, threading, time, warnings, psutil\n"
        "warnings.simplefilter('ignore')\n"
        "from pathlib import Path\n"
        "from netwright.sandbox import Job, WorkerImage, open_sandbox\n"
        f"sandbox = open_sandbox({backend!r}, WorkerImage(Path({str(handlers)!r}), preload=()), workers=2)\n"
        "job = Job(handler='candidate.run', payload={'source': 'import time\\ntime.sleep(60)'})\n"
        "threading.Thread(target=sandbox.run, args=(job,), daemon=True).start()\n"
        "time.sleep(0.5)\n"
        "below = [p.pid for p in psutil.Process().children(recursive=True)]\n"
        "print(json.dumps(below + sandbox.processes()), flush=True)\n"
        "time.sleep(60)\n"
    )
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    workers = json.loads(host.stdout.readline())
    host.stdout.close()
    assert len(set(workers)) >= 4  # two workers, and a job of two processes
    return host.pid, workers


def control_groups(pid: int | None = None) -> set[str]:
    """Names of the control groups that sandboxes of a process (of this one) have made on this machine."""
    return {path.name for path in Path("/sys/fs/cgroup").rglob(f"netwright-{pid or os.getpid()}-*")}


def test_an_unknown_backend_is_named(handlers: Path) -> None:
    with pytest.raises(ValueError, match="'chroot'"):
        open_sandbox("chroot", WorkerImage(handlers))


@pytest.mark.parametrize("workers", [0, -1])
def test_a_sandbox_has_workers(handlers: Path, workers: int) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        open_sandbox("bubblewrap", WorkerImage(handlers, preload=()), workers=workers)
