"""The ``docker`` backend: a hardened container around each warm worker, namespaces of its own for each job."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from . import walls
from .bubblewrap import filter_bytes, obstacle
from .build_seccomp import container_profile
from .container import Container, Order
from .daemon import STAGING, check_runtime, connect, image_variables, local_image, sweep, user_ids
from .environment import data_files, worker_environment
from .identity import unused
from .layout import LINKED, OWN, SHOWN, WORKER, hidden_inside, layout
from .pool import WorkerPool
from .protocol import DockerOptions, Outcome, SandboxUnavailable, WorkerImage
from .worker import Worker

_TMPFS = "size=1m,mode=1777"  # the worker's own; each job gets another over it
_EMPTY_TMPFS = "ro,size=4k,mode=0755"
_NETWORK_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""Docker writes the host's names and servers into them, unless something else is mounted there."""
_IMAGE_PATH = "/usr/local/bin:/usr/bin:/bin"
_HARMLESS = ("ok", "error")
_GIVEN_BY_DOCKER = {"HOSTNAME"}
_CPUS = 10**9


class DockerSandbox(WorkerPool):
    """Runs jobs in Docker containers, each job in namespaces of its own below a warm worker's."""

    name = "docker"
    isolating = True

    def __init__(self, image: WorkerImage, workers: int | None = None, options: DockerOptions | None = None) -> None:
        """As :class:`WorkerPool`; then checks by a trivial job that the walls stand."""
        self.options = options or DockerOptions()
        self._filter = filter_bytes()
        self._layout = layout(Path(image.handlers))
        self._client = connect()
        try:
            told = self._client.info()
            check_runtime(told, self.options.runtime)
            self._ids = user_ids(told)
            sweep(self._client)
            self._base: str = self.options.image or local_image(self._client)
            self._of_image = image_variables(self._client, self._base)
            self._staging = tempfile.TemporaryDirectory(prefix=f"{STAGING}{os.getpid()}-")
        except BaseException:
            self._client.close()
            raise
        try:
            self._data = self._stage(image)
            super().__init__(image, workers)
            walls.check(self, self.variables, self._explain)
        except BaseException:
            self.close()
            raise

    @property
    def variables(self) -> set[str]:
        """Names of the environment variables that a worker may have."""
        return set(self._variables()) | {"PWD", "LC_CTYPE"} | _GIVEN_BY_DOCKER | self._of_image

    @property
    def image_name(self) -> str:
        """The image that its containers are made of."""
        return self._base

    @property
    def control_groups(self) -> int | None:
        """Version of the control groups that hold the memory limit; ``None`` if /proc is watched instead."""
        with self._lock:
            found = [worker.readiness.get("control_groups") for worker in self._alive.values()]
        return next(iter(found), None)

    def close(self) -> None:
        """As :meth:`WorkerPool.close`; the copies that the containers saw go as well."""
        if hasattr(self, "_finalizer"):
            super().close()
        self._staging.cleanup()
        self._client.close()

    def _explain(self, message: str) -> str:
        setting = obstacle()
        advice = f" ({setting})" if setting else ""
        under = "" if self.options.runtime is None else f" under the runtime {self.options.runtime!r}"
        return f"the docker sandbox could not start a worker{under}{advice}: {message}"

    def _is_spent(self, worker: Worker, outcome: Outcome) -> bool:
        return outcome.status not in _HARMLESS or worker.served >= self.options.recycle_after

    def _stage(self, image: WorkerImage) -> dict[str, dict[str, Path]]:
        """Copy what is small or private to where the container's user may read it. Returns data to mount."""
        root = Path(self._staging.name)
        (root / "empty").touch(mode=0o644)
        for name in OWN:
            copy(self._layout.folders[name], root / name)
        found = data_files(image)
        for name, stems in found.items():
            for stem, path in stems.items():
                if not path.stat().st_mode & 0o004:
                    stems[stem] = root / f"data-{name}-{stem}.npy"
                    shutil.copyfile(path, stems[stem])
                    stems[stem].chmod(0o444)
        return found

    def _variables(self) -> dict[str, str]:
        variables = worker_environment(self._image, "/scratch")
        if self.options.image is not None:
            variables["PATH"] = _IMAGE_PATH
        elif self._layout.library_path is not None:
            variables["LD_LIBRARY_PATH"] = self._layout.library_path
        return variables

    def _vessel(self, slot: int) -> Container:
        user = unused(slot, self._ids)
        assert user is not None  # both ranges of user_ids are large
        own = self.options.image is None
        greeting = {
            "isolating": True,
            "group": True,
            "gauge_memory": True,
            "handlers": "/netwright/handlers",
            "sites": self._layout.sites if own else [],
            "preload": list(self._image.preload),
            "data": {name: {stem: _seen(name, stem) for stem in stems} for name, stems in self._data.items()},
        }
        # An image brings its own packages, so its interpreter must look for them.
        start = [self._layout.executable, "-s", "-S"] if own else ["python3", "-s"]
        return Container(
            self._client,
            Order(
                image=self._base,
                command=[*start, "-B", "-P", "-c", WORKER],
                environment=self._variables(),
                user=user,
                host_config=self._host_config(),
                greeting=greeting,
                seccomp=self._filter,
            ),
        )

    def _host_config(self) -> dict[str, Any]:
        from docker.types import LogConfig, Ulimit

        tmpfs = {"/scratch": _TMPFS, "/tmp": _TMPFS, "/dev/shm": _TMPFS, "/dev/mqueue": _EMPTY_TMPFS}
        if self.options.image is None:
            tmpfs |= dict.fromkeys(hidden_inside(self._image.hidden, self._layout.folders), _EMPTY_TMPFS)
        profile = json.dumps(container_profile(platform.machine()))
        return {
            "network_mode": "none",
            "read_only": True,
            "cap_drop": ["ALL"],
            # Its own profile in place of AppArmor's default, which forbids the mounts that lock a job in.
            "security_opt": ["no-new-privileges", f"seccomp={profile}", "apparmor=unconfined"],
            "ipc_mode": "private",
            "nano_cpus": _CPUS,
            "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=1024, hard=1024)],
            "tmpfs": tmpfs,
            "devices": [f"{path}:{path}:rw" for path in self._image.devices if path.exists()],
            "mounts": self._mounts(),
            "runtime": self.options.runtime,
            "log_config": LogConfig(type="none"),
        }

    def _mounts(self) -> list[Any]:
        from docker.types import Mount

        root = Path(self._staging.name)
        shown = dict.fromkeys(_NETWORK_FILES, root / "empty")
        shown |= {f"/netwright/{name}": root / name for name in OWN}
        if self.options.image is None:
            shown["/usr"] = Path("/usr")
            shown |= {path: Path(path) for path in LINKED if os.path.isdir(path) and not os.path.islink(path)}
            shown |= {path: Path(path) for path in SHOWN if os.path.exists(path)}
            others = {name: folder for name, folder in self._layout.folders.items() if name not in OWN}
            shown |= {f"/netwright/{name}": folder for name, folder in others.items()}
        for name, stems in self._data.items():
            shown |= {_seen(name, stem): path for stem, path in stems.items()}
        return [Mount(target, str(source.resolve()), "bind", read_only=True) for target, source in shown.items()]


def _seen(name: str, stem: str) -> str:
    return f"/netwright/data/{name}/{stem}.npy"


def copy(source: Path, target: Path) -> None:
    """Copy a folder of modules so that everybody can read it, whatever the modes are.

    Raises:
        SandboxUnavailable: something in it cannot be read.
    """
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copyfile)
    except (OSError, shutil.Error) as error:
        raise SandboxUnavailable(f"the docker sandbox cannot copy {source}: {error}") from error
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
