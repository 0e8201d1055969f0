"""The ``bubblewrap`` backend: namespaces, a read-only view of the system, an unprivileged user, seccomp."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from . import cgroups
from .build_seccomp import ARCHITECTURES, path_of
from .environment import data_files, worker_environment
from .layout import OWN, Layout, layout, seen
from .pool import WorkerPool
from .protocol import Job, Limits, SandboxUnavailable, WorkerImage
from .worker import Plan

_START = "import sys; sys.path.insert(0, '/netwright'); from inside.main import main; main()"
_FIRST_UID, _UIDS = 1_900_000_000, 1 << 27
"""User ids above those that systemd hands out (up to 0x6FFFFFFF) and below 2^31."""
_PER_HOST = 64
_RESERVED = 1000
"""Ids at the end of a small range (65534 among them) that have an owner by custom."""
_INNER_ID = "65534"
_STAGES = ("/tmp", "/mnt", "/run", "/var/tmp")
_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SHOWN = ("/etc/ld.so.cache", "/etc/alternatives")
_WORKER_TMPFS = str(1 << 20)
SETTINGS = Path("/proc/sys")
INSTALL = "install it: 'apt-get install bubblewrap', 'dnf install bubblewrap' or 'apk add bubblewrap'"


def executable() -> str:
    """Path of bwrap. Raises :class:`SandboxUnavailable` with what to install."""
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxUnavailable(f"the bubblewrap sandbox needs the program 'bwrap'; {INSTALL}")
    return os.path.realpath(found)


def filter_bytes() -> bytes:
    """The system call filter for this machine. Raises :class:`SandboxUnavailable` if there is none."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise SandboxUnavailable(f"the bubblewrap sandbox has system call filters for {known}, not {machine}")
    return path_of(machine).read_bytes()


def obstacle() -> str | None:
    """The kernel setting that forbids user namespaces and how to change it, if one does."""
    settings = {
        "user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
        "kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap",
        ),
    }
    for name, (forbidding, remedy) in settings.items():
        setting = SETTINGS / name
        if setting.exists() and setting.read_text().strip() == forbidding:
            return f"{setting} is {forbidding}; as root: {remedy}"
    return None


def identity(slot: int) -> int | None:
    """A user id that nothing else uses, one per worker: limits per user do not add up across workers.

    ``None`` if we are not root, or root of a user namespace that has no other ids: then we are some
    unprivileged user already.
    """
    if os.geteuid() != 0:
        return None
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    end = max(int(first) + int(count) for first, _, count in ranges)
    wanted = _FIRST_UID + (os.getpid() * _PER_HOST + slot % _PER_HOST) % _UIDS
    if wanted < end:
        return wanted
    return end - _RESERVED - slot % _PER_HOST if end > 2 * _RESERVED else None


class BubblewrapSandbox(WorkerPool):
    """Runs jobs in bubblewrap, each in namespaces of its own below a warm worker's."""

    name = "bubblewrap"
    isolating = True

    def __init__(self, image: WorkerImage, workers: int | None = None) -> None:
        """As :class:`WorkerPool`; then checks by a trivial job that the walls stand."""
        self._bwrap = executable()
        self._filter = filter_bytes()
        self._hierarchy = cgroups.find()
        self._layout = layout(Path(image.handlers))
        super().__init__(image, workers)
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def control_groups(self) -> int | None:
        """Version of the control groups that hold the memory limit; ``None`` if /proc is watched instead."""
        return None if self._hierarchy is None else self._hierarchy.version

    @property
    def variables(self) -> set[str]:
        """Names of the environment variables that a worker may have."""
        return set(_variables(self._layout, self._image)) | {"PWD", "LC_CTYPE"}

    def _explain(self, message: str) -> str:
        setting = obstacle()
        advice = f" ({setting})" if setting else ""
        return f"the bubblewrap sandbox could not start a worker{advice}: {message}"

    def _plan(self, slot: int) -> Plan:
        user, folders = identity(slot), self._layout.folders
        root = user is not None
        stage = next(folder for folder in _STAGES if Path(folder).is_dir()) if root else None
        group = None if self._hierarchy is None else cgroups.group(self._hierarchy)
        return Plan(
            command=self._command(stage),
            environment={"PATH": "/usr/bin:/bin"},
            configuration={
                "isolating": True,
                "gauge_memory": group is None,
                "handlers": "/netwright/handlers",
                "sites": self._layout.sites,
                "preload": list(self._image.preload),
            },
            seccomp=self._filter,
            data=data_files(self._image),
            stage=stage,
            folders={name: str(path) for name, path in folders.items() if root and name not in OWN},
            copied={name: str(path) for name, path in folders.items() if root and name in OWN},
            identity=user,
            group=group,
        )

    def _command(self, stage: str | None) -> list[str]:
        command = [self._bwrap, "--unshare-user", "--unshare-all", "--uid", _INNER_ID, "--gid", _INNER_ID]
        command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        command += ["--clearenv"]
        for name, value in _variables(self._layout, self._image).items():
            command += ["--setenv", name, value]
        command += ["--ro-bind", "/usr", "/usr"]
        for path in _LINKED:
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                command += ["--ro-bind", path, path]
        for path in _SHOWN:
            command += ["--ro-bind-try", path, path]
        command += ["--proc", "/proc", "--dev", "/dev"]
        for path in ("/tmp", "/scratch", "/dev/shm"):
            command += ["--size", _WORKER_TMPFS, "--tmpfs", path]
        for name, source in self._layout.folders.items():
            shown = str(source) if stage is None else f"{stage}/{name}"
            command += ["--ro-bind", shown, f"/netwright/{name}"]
        for hidden in (folder.resolve() for folder in self._image.hidden if folder.is_dir()):
            inside = seen(hidden, self._layout.folders)
            if not inside.startswith(("/usr/", "/netwright/")):
                continue  # nothing of it is shown
            command += ["--tmpfs", inside, "--remount-ro", inside]
        command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/scratch"]
        return [*command, self._layout.executable, "-s", "-S", "-B", "-P", "-c", _START]

    def _check(self) -> None:
        """Look around from inside a job. Raises :class:`SandboxUnavailable` if a wall is missing."""
        outcome = self.run(Job(handler="self_check.probe", payload={}, limits=Limits(wall_s=20, memory_mb=256)))
        if outcome.status != "ok":
            raise SandboxUnavailable(self._explain(f"the self-check ended as {outcome.status}: {outcome.failure}"))
        found = outcome.result
        faults = {
            "it has a network": self.given("interfaces") > {"lo"} or found["internet_socket"] == "allowed",
            "it runs as root": found["uid"] == 0,
            "its environment is not clean": not self.given("environment") <= self.variables,
            "it has no process namespace of its own": found["pid"] > 2,
            "system calls are not filtered": found["seccomp"] != 2 or found["no_new_privs"] != 1,
            "it can make namespaces": found["namespaces"] == "allowed",
            "it has descriptors of the worker": set(found["descriptors"]) - {0, 1, 2, 3, 4} != set(),
            "it can write to the system": set(found["writable"]) - {"/scratch", "/tmp", "/dev/shm"} != set(),
        }
        broken = [fault for fault, found in faults.items() if found]
        if broken:
            raise SandboxUnavailable(self._explain(f"the self-check found that {'; '.join(broken)}"))

    def given(self, what: str) -> set[str]:
        """``interfaces`` or ``environment`` of the workers, as they found them when they started."""
        return {name for worker in self._alive.values() for name in worker.readiness[what]}


def _variables(arrangement: Layout, image: WorkerImage) -> dict[str, str]:
    variables = worker_environment(image, "/scratch")
    if arrangement.library_path is not None:
        variables["LD_LIBRARY_PATH"] = arrangement.library_path
    return variables
