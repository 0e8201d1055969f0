"""What a candidate sees of the world in an isolating backend; attacks on it are in ``attacks/``."""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest
from netwright.sandbox import Job, Limits, Sandbox, WorkerImage, open_sandbox


@pytest.fixture(params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def isolated(request: pytest.FixtureRequest) -> Sandbox:
    """Each isolating backend in turn."""
    opened: Sandbox = request.getfixturevalue(request.param)
    return opened


def look(sandbox: Sandbox, source: str) -> Any:
    """The result of a candidate that reports what it met."""
    outcome = sandbox.run(Job(handler="candidate.run", payload={"source": source}, limits=Limits(memory_mb=256)))
    assert outcome.status == "ok", outcome
    return outcome.result


def test_only_named_folders_are_shown(isolated: Sandbox) -> None:
    places = ("/", "/etc", "/proc", "/netwright", "/sys")
    found = look(isolated, f"import os\nresult = {{p: os.listdir(p) for p in {places} if os.path.isdir(p)}}")
    linked = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}
    of_docker = {".dockerenv", "sys"} if isolated.name == "docker" else set()
    assert set(found["/"]) - linked == {"dev", "etc", "netwright", "proc", "scratch", "tmp", "usr"} | of_docker
    empty = {"hosts", "hostname", "resolv.conf", "mtab"} if isolated.name == "docker" else set()
    assert set(found["/etc"]) <= {"alternatives", "ld.so.cache"} | empty
    assert sorted(found["/proc"]) == ["cpuinfo", "meminfo"]
    assert not found.get("/sys")
    assert {name.rstrip("0123456789") for name in found["/netwright"]} <= {"inside", "handlers", "python", "site"}


def test_a_candidate_is_nobody_and_the_second_process_of_its_own(isolated: Sandbox) -> None:
    found = look(isolated, "import os\nresult = {'ids': [os.getuid(), os.geteuid(), os.getgid()], 'pid': os.getpid()}")
    assert found["pid"] == 2
    assert len(set(found["ids"])) == 1
    assert found["ids"][0] > 1000


def test_memory_adds_up_where_there_is_no_control_group(handlers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.sandbox.cgroups.find", lambda: None)
    source = """
import mmap, os, time
held = mmap.mmap(-1, 150 << 20)
for start in range(0, len(held), 1 << 20):
    held[start : start + (1 << 20)] = b"x" * (1 << 20)
for _ in range(5):
    if os.fork() == 0:
        if payload["private"]:
            more = bytearray(b"x") * (60 << 20)
        else:
            sum(held[page] for page in range(0, len(held), 4096))  # the same pages in each process count once
        time.sleep(10)
time.sleep(2)
result = {"still": "here"}"""
    with open_sandbox("bubblewrap", WorkerImage(handlers, preload=()), workers=1) as sandbox:
        for private, status in ((True, "memory"), (False, "ok")):
            job = Job(
                handler="candidate.run",
                payload={"source": source, "private": private},
                limits=Limits(memory_mb=256, wall_s=20),
            )
            assert sandbox.run(job).status == status


def test_the_host_runs_its_workers_without_root(isolated: Sandbox) -> None:
    assert look(isolated, "result = {}") == {}
    workers = [psutil.Process(pid) for pid in isolated.processes()]  # type: ignore[attr-defined]
    assert workers
    for worker in workers:
        assert worker.uids().real != 0 or os.geteuid() != 0
        assert worker.uids().real == worker.uids().effective


def test_every_attack_is_tested() -> None:
    from pathlib import Path

    here = Path(__file__).parent
    programs = {path.stem for path in (here / "attacks").glob("[!_]*.py")}
    tests = "".join(path.read_text() for path in here.glob("test_sandbox_attacks_*.py"))
    assert {name for name in programs if f"def test_{name}(" in tests} == programs
    assert len(programs) >= 40
