"""The self-check of the isolating backends: a job looks around, and a sandbox with a missing wall does not open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pool import WorkerPool
from .protocol import Job, Limits, SandboxUnavailable

OWN_PLACES = {"/scratch", "/tmp", "/dev/shm"}
"""Where a job may write: one tmpfs of its own."""
_JOB_FDS = {0, 1, 2, 3, 4}


def check(pool: WorkerPool, variables: set[str], explain: Callable[[str], str]) -> None:
    """Look around from inside a job.

    Args:
        pool: an open sandbox.
        variables: environment variables that a worker may have.
        explain: turns what was found into advice.

    Raises:
        SandboxUnavailable: a wall is missing.
    """
    outcome = pool.run(Job(handler="self_check.probe", payload={}, limits=Limits(wall_s=20, memory_mb=256)))
    if outcome.status != "ok":
        raise SandboxUnavailable(explain(f"the self-check ended as {outcome.status}: {outcome.failure}"))
    broken = missing(outcome.result, pool.given("interfaces"), pool.given("environment") - variables)
    if broken:
        raise SandboxUnavailable(explain(f"the self-check found that {'; '.join(broken)}"))


def missing(found: dict[str, Any], interfaces: set[str], foreign: set[str]) -> list[str]:
    """The walls that do not stand.

    Args:
        found: what ``self_check.probe`` reported.
        interfaces: network devices of the workers.
        foreign: environment variables of the workers that should not be there.
    """
    faults = {
        "it has a network": interfaces > {"lo"} or found["internet_socket"] == "allowed",
        "it runs as root": found["uid"] == 0,
        "it has capabilities": found["capabilities"] != 0,
        "its environment is not clean": bool(foreign),
        "it has no process namespace of its own": found["pid"] > 2,
        "system calls are not filtered": found["seccomp"] != 2 or found["no_new_privs"] != 1,
        "it can make namespaces": found["namespaces"] == "allowed",
        "it can use io_uring": found["io_uring"] == "allowed",
        "it has descriptors of the worker": set(found["descriptors"]) - _JOB_FDS != set(),
        "it can write to the system": set(found["writable"]) - OWN_PLACES != set(),
        "it sees processes or the kernel": bool(set(found["shown"]["/proc"]) - {"cpuinfo", "meminfo"}),
    }
    return [fault for fault, found_so in faults.items() if found_so]
