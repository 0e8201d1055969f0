"""The ``bubblewrap`` backend: namespaces, a read-only view of the system, an unprivileged user, seccomp."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from . import cgroups, walls
from .build_seccomp import ARCHITECTURES, path_of
from .environment import data_files, worker_environment
from .identity import identity
from .layout import LINKED, OWN, SHOWN, WORKER, Layout, hidden_inside, layout
from .pool import WorkerPool
from .protocol import SandboxUnavailable, WorkerImage
from .vessel import Launched, Plan

_INNER_ID = "65534"
_STAGES = ("/tmp", "/mnt", "/run", "/var/tmp")
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
        raise SandboxUnavailable(f"the sandbox has system call filters for {known}, not {machine}")
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
            walls.check(self, self.variables, self._explain)
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

    def _vessel(self, slot: int) -> Launched:
        user, folders = identity(slot), self._layout.folders
        root = user is not None
        stage = next(folder for folder in _STAGES if Path(folder).is_dir()) if root else None
        group = None if self._hierarchy is None else cgroups.group(self._hierarchy)
        plan = Plan(
            command=self._command(stage),
            environment={"PATH": "/usr/bin:/bin"},
            configuration={
                "isolating": True,
                "group": False,
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
        return Launched(plan)

    def _command(self, stage: str | None) -> list[str]:
        command = [self._bwrap, "--unshare-user", "--unshare-all", "--uid", _INNER_ID, "--gid", _INNER_ID]
        command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        command += ["--clearenv"]
        for name, value in _variables(self._layout, self._image).items():
            command += ["--setenv", name, value]
        command += ["--ro-bind", "/usr", "/usr"]
        for path in LINKED:
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                command += ["--ro-bind", path, path]
        for path in SHOWN:
            command += ["--ro-bind-try", path, path]
        command += ["--proc", "/proc", "--dev", "/dev"]
        for path in ("/tmp", "/scratch", "/dev/shm"):
            command += ["--size", _WORKER_TMPFS, "--tmpfs", path]
        for name, source in self._layout.folders.items():
            shown = str(source) if stage is None else f"{stage}/{name}"
            command += ["--ro-bind", shown, f"/netwright/{name}"]
        for hidden in hidden_inside(self._image.hidden, self._layout.folders):
            command += ["--tmpfs", hidden, "--remount-ro", hidden]
        for device in self._image.devices:
            command += ["--dev-bind-try", str(device), str(device)]
        command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/scratch"]
        return [*command, self._layout.executable, "-s", "-S", "-B", "-P", "-c", WORKER]


def _variables(arrangement: Layout, image: WorkerImage) -> dict[str, str]:
    variables = worker_environment(image, "/scratch")
    if arrangement.library_path is not None:
        variables["LD_LIBRARY_PATH"] = arrangement.library_path
    return variables
