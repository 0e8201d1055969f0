"""Attacks on the worker, the host's processes and the kernel: signals, tracing, namespaces, risky system calls."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from .conftest import Attack

# Their programs name system calls by the numbers of this architecture.
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the attacks are written for x86_64")


def state(attack: Attack) -> list[Any]:
    """What could be changed about the worker from outside of it."""
    workers = [psutil.Process(pid) for pid in sorted(attack.settled)]
    return [(w.pid, w.create_time(), w.nice(), w.ionice(), w.cpu_affinity()) for w in workers]


def test_kill_parent(attack: Attack) -> None:
    before = state(attack)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            attack.report({"pids": [os.getpid(), other.pid]})
            assert other.poll() is None
        finally:
            other.kill()
    assert state(attack) == before


def test_trace_parent(attack: Attack) -> None:
    before = state(attack)
    attack.report({"pids": [os.getpid(), os.getppid()]})
    assert state(attack) == before


def test_limits_of_others(attack: Attack) -> None:
    before = state(attack)
    attack.report({"pids": [os.getpid()]})
    assert state(attack) == before


def test_namespaces(attack: Attack) -> None:
    assert attack.refusals() == {"EPERM", "ENOSYS"}  # clone3 is as if the kernel had none


def test_mounts(attack: Attack) -> None:
    mounts = len(psutil.disk_partitions(all=True))
    attack.report()
    assert len(psutil.disk_partitions(all=True)) == mounts


def test_io_uring(attack: Attack) -> None:
    assert attack.refusals() == {"EPERM"}


def test_risky_calls(attack: Attack) -> None:
    assert attack.refusals() <= {"EPERM", "ENOSYS"}


def test_other_numbering(attack: Attack) -> None:
    for i386 in (True, False):
        outcome = attack.run({"i386": i386})
        assert outcome.status == "crash"
        assert outcome.exit_code in (-31, -11)  # SIGSYS; or the kernel has no such numbering at all
        assert outcome.note == "calling"


def test_exec_to_shed_filter(attack: Attack) -> None:
    found = attack.report()
    user, namespace, ring = found["python"]
    assert (namespace, ring) == ("-1", "-1")
    assert found["shell"] == [user] != ["0"]


def test_gain_privileges(attack: Attack) -> None:
    # EINVAL: an identity that the user namespace does not have. ENOENT: there is no map to write to.
    assert attack.refusals() <= {"EPERM", "EINVAL", "ENOENT"}
