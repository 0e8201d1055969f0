"""How the fork that will hold a candidate locks itself in.

Two processes per job: the *init* of the job's own process namespace, which prepares the mounts, reaps
orphans and whose end takes everything in the namespace with it; and the candidate's process below it.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import struct
from pathlib import Path
from typing import Any, NoReturn

from . import kernel

NAMESPACES = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC
SCRATCH = "/scratch"
RESULT_FD, NOTE_FD = 3, 4
_STATUS = struct.Struct("i")
_MIB = 1 << 20
_SPACE_BASE_MIB = 768
"""Address space beyond the memory limit that a job may reserve without using it: stacks of threads, arenas
of the allocator and lazily loaded libraries take address space and no memory."""
_SPACE_SPARE_MIB = 64
"""Address space kept back so that a job which ran out of memory can still say so."""
_OPEN_FILES = 256
_HIGH_FD = 200
UNPREPARED = 113
"""Exit code of a fork that could not lock itself in; the reason is on the worker's standard error."""
_FILES_PER_MIB = 256
_STAGE = "/dev/shm"
_SHOWN_IN_PROC = ("cpuinfo", "meminfo")
_EMPTIED = ("/sys", "/dev/mqueue")
"""What a container shows and a candidate does not need; a message queue would outlive its candidate."""


def set_limits(limits: dict[str, Any], space: int, count_processes: bool) -> None:
    """Set the rlimits of this process and of everything it will start.

    Args:
        limits: fields of ``Limits``, and ``address_space``: whether that is limited too.
        space: bytes of address space that the worker has already.
        count_processes: set RLIMIT_NPROC too. Right in a user namespace of the job's own, where the kernel
            counts from zero; elsewhere it would count all processes of the user.
    """
    cpu = math.ceil(limits["cpu_s"])
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, limits["scratch_mb"] * _MIB)
    space += (limits["memory_mb"] + _SPACE_BASE_MIB) * _MIB
    if limits["address_space"]:
        _lower(resource.RLIMIT_AS, space, space + _SPACE_SPARE_MIB * _MIB)
    if count_processes:
        _lower(resource.RLIMIT_NPROC, limits["processes"] + 1)  # the init counts too


def _lower(what: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(what)
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(what, (soft, wanted))


def use_spare_space() -> None:
    """Raise the address space limit by what was kept back, to report an exhausted memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def address_space() -> int:
    """Bytes of address space of this process. Needs /proc."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def become_init(user: int, group: int, limits: dict[str, Any]) -> None:
    """In fresh namespaces: keep the identity, and see an own scratch, /tmp and /dev/shm and no /proc.

    One tmpfs backs every writable place, so that ``scratch_mb`` holds for their sum.

    Args:
        user, group: who we were before the fork.
        limits: fields of ``Limits``.

    Raises:
        OSError: a mount or an identity map was refused; the message names it.
    """
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an init is immune to each signal it does not handle
    Path("/proc/self/oom_score_adj").write_text("1000")  # the job goes before the worker
    Path("/proc/self/setgroups").write_text("deny")  # asked for by user_namespaces(7) before gid_map
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    megabytes = limits["scratch_mb"]
    options = f"size={megabytes}m,nr_inodes={1024 + _FILES_PER_MIB * megabytes},mode=0755"
    kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    stage = Path(_STAGE)
    for name in ("scratch", "tmp", "shm", "proc", "nothing"):
        (stage / name).mkdir()
    for name in _SHOWN_IN_PROC:
        (stage / "proc" / name).touch()
        kernel.bind(f"/proc/{name}", f"{_STAGE}/proc/{name}")
    kernel.bind(f"{_STAGE}/scratch", SCRATCH)
    kernel.bind(f"{_STAGE}/tmp", "/tmp")
    kernel.bind(f"{_STAGE}/proc", "/proc", read_only=True)
    for folder in filter(os.path.isdir, _EMPTIED):
        kernel.bind(f"{_STAGE}/nothing", folder, read_only=True)
    kernel.bind(f"{_STAGE}/shm", _STAGE)


def wait_for(candidate: int, status_fd: int) -> NoReturn:
    """The life of the init: collect orphans until the candidate ends, then end, and all with it."""
    os.closerange(0, status_fd)
    os.closerange(status_fd + 1, 1 << 16)
    while True:
        pid, status = os.wait()
        if pid == candidate:
            os.write(status_fd, _STATUS.pack(status))
            os._exit(0)


def status_from(data: bytes) -> int | None:
    """The wait status that :func:`wait_for` wrote; ``None`` if the init was killed before it could."""
    return int(_STATUS.unpack(data)[0]) if len(data) == _STATUS.size else None


def renounce(seccomp: bytes | None) -> None:
    """Give up capabilities and the way to get them back, then go under the filter. Raises ``OSError``."""
    kernel.drop_capabilities()
    kernel.refuse_privileges()
    if seccomp is not None:
        kernel.install_filter(seccomp)


def keep_only(output: int, result: int, note: int) -> None:
    """Leave open: nothing to read at 0, the output at 1 and 2, result and note at their fixed numbers."""
    null = os.open(os.devnull, os.O_RDONLY)
    # First to numbers above all others, so that no copy lands on a descriptor that is still needed.
    for offset, fd in enumerate((null, output, output, result, note)):
        os.dup2(fd, _HIGH_FD + offset)
    for offset, target in enumerate((0, 1, 2, RESULT_FD, NOTE_FD)):
        os.dup2(_HIGH_FD + offset, target)
    os.closerange(NOTE_FD + 1, 1 << 16)
