"""What the sandbox can really enforce on this machine, found out by running it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from . import bubblewrap, walls
from .process import ProcessSandbox
from .protocol import Job, Limits, Sandbox, SandboxUnavailable, WorkerImage

_WALL_S, _CPU_S = 0.3, 0.1
_MEMORY_MIB, _PROCESSES, _SCRATCH_MIB = 64, 8, 8
_ROOT_OR_DELEGATION = (
    "run as root with a writable /sys/fs/cgroup, or in a delegated group: "
    "'systemd-run --user --scope -p Delegate=yes …'; until then limits are held by rlimits and by watching /proc"
)
_FORBIDDEN = (
    "the detail of 'user namespaces' says what failed; in a container, allow user namespaces and mounts, "
    "which its seccomp or AppArmor profile usually forbids"
)
_REINSTALL = f"the program does not run: {bubblewrap.INSTALL}"
_REPORT = "this is a fault of the sandbox on this kernel: report it with the output of 'uname -a'"


@dataclass(frozen=True)
class Capability:
    """One thing that a machine may or may not offer.

    Attributes:
        name: what it is.
        in_force: whether it is there, as found by trying.
        detail: what was found.
        remedy: what to install or change if it is not in force; ``None`` if nothing is to be done.
    """

    name: str
    in_force: bool
    detail: str
    remedy: str | None


def capabilities() -> list[Capability]:
    """Probe the backends by running small jobs; takes about two seconds and leaves nothing behind."""
    program = _program()
    with tempfile.TemporaryDirectory(prefix="netwright-doctor-") as folder:
        image = WorkerImage(Path(folder), preload=())
        try:
            with bubblewrap.BubblewrapSandbox(image, workers=1) as sandbox:
                found = look_around(sandbox)
        except SandboxUnavailable as error:
            found = _none(str(error))
        return [program, *found, _process_backend(image)]


def _program() -> Capability:
    found = shutil.which("bwrap")
    if found is None:
        return Capability("bubblewrap", False, "no program 'bwrap'", bubblewrap.INSTALL)
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10, check=False)
    works = version.returncode == 0
    told = version.stdout.strip() if works else f"'bwrap --version' fails: {version.stderr.strip()[:200]}"
    return Capability("bubblewrap", works, f"{told} ({found})", None if works else _REINSTALL)


def _none(reason: str) -> list[Capability]:
    """Everything that needs bubblewrap, when it does not start."""
    remedy = bubblewrap.INSTALL if shutil.which("bwrap") is None else bubblewrap.obstacle() or _FORBIDDEN
    first = Capability("user namespaces", False, reason[:500], remedy)
    rest = [name for name in _NAMES if name != first.name]
    return [first, *(Capability(name, False, "needs user namespaces and bubblewrap", remedy) for name in rest)]


_NAMES = (
    "user namespaces",
    "unprivileged user",
    "network namespace",
    "clean environment",
    "read-only system",
    "scratch on tmpfs",
    "seccomp filter",
    "io_uring blocked",
    "memory limit",
    "memory limit by control group",
    "process limit",
    "CPU time limit",
    "wall time limit",
    "warm worker, namespaces per candidate",
)


def _try(sandbox: Any, handler: str, payload: dict[str, Any] | None = None, **limits: Any) -> Any:
    bounds = {"wall_s": 10.0, "cpu_s": 10.0, "memory_mb": 256, "scratch_mb": _SCRATCH_MIB, **limits}
    return sandbox.run(Job(handler=f"self_check.{handler}", payload=payload or {}, limits=Limits(**bounds)))


class Probed(Sandbox, Protocol):
    """What an isolating backend tells about itself."""

    @property
    def control_groups(self) -> int | None: ...

    @property
    def variables(self) -> set[str]: ...

    def processes(self) -> list[int]: ...

    def given(self, what: str) -> set[str]: ...


def look_around(sandbox: Probed) -> list[Capability]:
    """Every wall and limit of an open isolating sandbox, tried out by small jobs."""
    seen = _try(sandbox, "probe").result
    again = _try(sandbox, "probe").result
    # Before the limits are tried: a container is replaced after each that is reached.
    interfaces, variables, groups = sandbox.given("interfaces"), sandbox.variables, sandbox.control_groups
    identities = sorted({user for pid in sandbox.processes() if (user := _user(pid)) is not None})
    crowd = _try(sandbox, "crowd", {"wanted": 4 * _PROCESSES}, processes=_PROCESSES).result
    hoard = _try(sandbox, "hoard", {"mib": 4 * _MEMORY_MIB}, memory_mb=_MEMORY_MIB)
    cpu = _try(sandbox, "spin", cpu_s=_CPU_S)
    wall = _try(sandbox, "spin", wall_s=_WALL_S)
    outside = set(seen["writable"]) - walls.OWN_PLACES
    found = {
        "user namespaces": (True, f"{sandbox.name} starts, and each job makes its own below"),
        "unprivileged user": (
            0 not in identities and seen["uid"] != 0 and seen["capabilities"] == 0,
            f"outside user {', '.join(map(str, identities))}, inside {seen['uid']}, no capabilities",
        ),
        "network namespace": (
            interfaces == {"lo"} and seen["internet_socket"] != "allowed",
            f"interfaces: {', '.join(sorted(interfaces))}; an internet socket: {seen['internet_socket']}",
        ),
        "clean environment": (
            not set(os.environ) & set(seen["environment"]) - variables,
            f"{len(seen['environment'])} fixed variables, none inherited",
        ),
        "read-only system": (not outside, f"writable: {', '.join(seen['writable'])}"),
        "scratch on tmpfs": (
            seen["scratch_mb"] == _SCRATCH_MIB,
            f"{seen['scratch_mb']:g} MiB where {_SCRATCH_MIB} were asked for",
        ),
        "seccomp filter": (
            seen["seccomp"] == 2 and seen["namespaces"] == "EPERM",
            f"mode {seen['seccomp']} on {seen['machine']}; a new namespace: {seen['namespaces']}",
        ),
        "io_uring blocked": (seen["io_uring"] != "allowed", f"io_uring_setup: {seen['io_uring']}"),
        "memory limit": (hoard.status == "memory", f"taking too much ended as {hoard.status}"),
        "memory limit by control group": (
            groups is not None,
            f"version {groups}" if groups else "not available here: address-space limit and /proc watched",
        ),
        "process limit": (
            crowd["started"] < _PROCESSES,
            f"{crowd['started'] + 1} tasks under a limit of {_PROCESSES}",
        ),
        "CPU time limit": (
            cpu.status == "cpu",
            f"spinning ended as {cpu.status} after {cpu.cpu_s:.2f} CPU s",
        ),
        "wall time limit": (wall.status == "timeout", f"ended as {wall.status} after {wall.wall_s:.2f} s"),
        "warm worker, namespaces per candidate": (
            seen["pid"] == again["pid"] == 2 and not again["left_behind"],
            f"process {again['pid']} of its own; files of the job before: {again['left_behind']}",
        ),
    }
    return [Capability(name, *found[name], _remedy(name, found[name][0])) for name in _NAMES]


def _remedy(name: str, in_force: bool) -> str | None:
    if in_force:
        return None
    return _ROOT_OR_DELEGATION if name == "memory limit by control group" else _REPORT


def _user(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).uids().real)
    except psutil.NoSuchProcess:
        return None


def _process_backend(image: WorkerImage) -> Capability:
    name = "process backend (no boundary)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = ProcessSandbox(image, workers=1)
        with opened as sandbox:
            ended = _try(sandbox, "spin", wall_s=_WALL_S).status
    except SandboxUnavailable as error:
        return Capability(name, False, str(error)[:500], _REPORT)
    detail = f"limits only, isolates nothing, used only when named; a time limit ended as {ended}"
    return Capability(name, ended == "timeout", detail, None if ended == "timeout" else _REPORT)
