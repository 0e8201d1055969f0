"""Control groups: exact limits on the memory and the processes of a worker and its jobs, where we may set them.

Version 1 and version 2 are known. A worker's group lies below the group that we are in ourselves (version 1)
or below the nearest one that passes its controllers on (version 2), so limits set on us from outside hold.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from .inside.group import MemoryGroup

_PREFIX = "netwright-"
_CONTROLLERS = ("memory", "pids")
_MIB = 1 << 20
_PATIENCE_S = 3.0
_number = itertools.count()


@dataclass(frozen=True)
class Hierarchy:
    """Where groups can be made: the parent folder for each controller; the same one for version 2."""

    version: int
    parents: dict[str, Path]


@dataclass(frozen=True)
class Group:
    """The control group of one worker. It is made and removed by the launcher."""

    version: int
    paths: dict[str, Path]

    @property
    def folders(self) -> list[str]:
        """The folders to join, each once."""
        return [str(path) for path in dict.fromkeys(self.paths.values())]

    def limit(self, memory_mib: float, processes: int) -> None:
        """Set the limits for the next job.

        Raises:
            OSError: the group is gone, or what is in it does not fit below the new limit.
        """
        memory = str(int(memory_mib * _MIB))
        if self.version == 2:
            (self.paths["memory"] / "memory.max").write_text(memory)
            swap = self.paths["memory"] / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")
        else:
            _write_patiently(self.paths["memory"] / "memory.limit_in_bytes", memory)
        (self.paths["pids"] / "pids.max").write_text(str(processes))

    def remove(self) -> None:
        """Remove what is left of it. A group that still holds a process stays, for the next sweep."""
        for path in self.paths.values():
            with contextlib.suppress(OSError):
                path.rmdir()

    def resident_mib(self) -> float:
        """MiB of memory in the group that cannot be dropped."""
        return MemoryGroup(self.version, self.paths["memory"]).resident_mib()

    def kills(self) -> int:
        """How often the kernel killed a process of the group because its memory limit was reached."""
        return MemoryGroup(self.version, self.paths["memory"]).kills()


def _write_patiently(path: Path, text: str) -> None:
    """Write a limit; the memory of a job that just ended may take a moment to be given back."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            path.write_text(text)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def find() -> Hierarchy | None:
    """Where this process may make groups; ``None`` if nowhere. Also removes what a killed process left."""
    own = dict(_own_groups())
    hierarchy = _version_2(own) or _version_1(own)
    if hierarchy is None:
        return None
    for parent in set(hierarchy.parents.values()):
        _sweep(parent)
    return hierarchy if all(_can_make(parent) for parent in hierarchy.parents.values()) else None


def group(hierarchy: Hierarchy) -> Group:
    """A name for a new group; the launcher makes it."""
    name = f"{_PREFIX}{os.getpid()}-{next(_number)}"
    return Group(hierarchy.version, {key: parent / name for key, parent in hierarchy.parents.items()})


def _own_groups() -> list[tuple[str, str]]:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    pairs = [line.split(":", 2)[1:] for line in lines]
    return [(name, path) for names, path in pairs for name in names.split(",")]


def _mounts(kind: str) -> list[tuple[Path, list[str]]]:
    """Mount points of a file system type, with the options of each."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, this_kind, options, *_ = line.split(" ")
        if this_kind == kind:
            found.append((Path(point), options.split(",")))
    return found


def _version_2(own: dict[str, str]) -> Hierarchy | None:
    for point, _ in _mounts("cgroup2"):
        folder = point / own.get("", "/").lstrip("/")
        while folder.is_relative_to(point):
            try:
                passed_on = (folder / "cgroup.subtree_control").read_text().split()
            except OSError:
                passed_on = []
            if set(_CONTROLLERS) <= set(passed_on):
                return Hierarchy(2, dict.fromkeys(_CONTROLLERS, folder))
            folder = folder.parent
    return None


def _version_1(own: dict[str, str]) -> Hierarchy | None:
    parents = {}
    for name in _CONTROLLERS:
        for point, options in _mounts("cgroup"):
            if name in options and name in own:
                parents[name] = point / own[name].lstrip("/")
    ready = len(parents) == len(_CONTROLLERS) and all(path.is_dir() for path in parents.values())
    return Hierarchy(1, parents) if ready else None


def _can_make(parent: Path) -> bool:
    trial = parent / f"{_PREFIX}{os.getpid()}-{next(_number)}"
    try:
        trial.mkdir()
        writable = os.access(trial / "cgroup.procs", os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK)
        trial.rmdir()
    except OSError:
        return False
    return writable


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        match = re.fullmatch(rf"{_PREFIX}(\d+)-\d+", folder.name)
        if match and not Path("/proc", match[1]).exists():
            try:
                folder.rmdir()
            except OSError:
                continue  # still in use or not ours: it does no harm
