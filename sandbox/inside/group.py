"""What a memory control group tells: read by the host, and by a worker that is in a container of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_INSIDE = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryGroup:
    """The folder of a memory control group, of version 1 or 2."""

    version: int
    folder: Path

    def resident_mib(self) -> float:
        """MiB of anonymous and shared memory in the group: what cannot be dropped, as cached files can."""
        names = ("anon", "shmem") if self.version == 2 else ("rss", "shmem")
        found = _fields(self.folder / "memory.stat")
        return sum(found.get(name, 0) for name in names) / _MIB

    def kills(self) -> int:
        """How often the kernel killed a process of the group because its memory limit was reached."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return _fields(self.folder / name).get("oom_kill", 0)


def own() -> MemoryGroup | None:
    """The group of this container, which it sees as the root of the hierarchy; ``None`` if it is not shown."""
    if (_INSIDE / "memory.events").exists():  # the root of a whole machine has no such file
        return MemoryGroup(2, _INSIDE)
    if (_INSIDE / "memory" / "memory.oom_control").exists():
        return MemoryGroup(1, _INSIDE / "memory")
    return None


def _fields(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
