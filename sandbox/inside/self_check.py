"""Handlers of the sandbox's own: what a job really sees, reported from where a candidate would stand."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PR_GET_SECCOMP, _PR_GET_NO_NEW_PRIVS = 21, 39
_SYS_IO_URING_SETUP = 425  # the same number on every architecture
_OWN = ("/scratch", "/tmp", "/dev/shm")
_SHOWN = ("/", "/etc", "/home", "/root", "/proc")


def probe(payload: dict[str, Any], data: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Look around from inside a job; ``payload`` and ``data`` are not used."""
    note("looking around")
    left_behind = sorted({name for place in _OWN for name in os.listdir(place)})
    for place in _OWN:
        (Path(place) / "left-behind").touch()
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "machine": platform.machine(),
        "environment": sorted(os.environ),
        "directory": os.getcwd(),
        "shown": {path: _listing(path) for path in _SHOWN},
        "descriptors": _open_descriptors(),
        "writable": [path for path in ("/", "/usr", "/dev", "/scratch", "/tmp", "/dev/shm") if _writable(path)],
        "internet_socket": _attempt(lambda: socket.socket(socket.AF_INET).close()),
        "namespaces": _attempt(lambda: _call(libc, libc.unshare, 0x10000000)),
        "io_uring": _attempt(lambda: _call(libc, libc.syscall, _SYS_IO_URING_SETUP, 1, None)),
        "seccomp": libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0),
        "capabilities": _capabilities(libc),
        "no_new_privs": libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        "process_limit": resource.getrlimit(resource.RLIMIT_NPROC)[1],
        "left_behind": left_behind,
        "scratch_mb": os.statvfs(".").f_blocks * os.statvfs(".").f_frsize / (1 << 20),
    }


def spin(payload: dict[str, Any], data: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Never end: shows that the wall and CPU limits hold."""
    note("spinning")
    while True:
        pass


def hoard(payload: dict[str, Any], data: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Take ``payload["mib"]`` MiB in small pieces: shows that the memory limit holds."""
    note("hoarding")
    held = [b"x" * (1 << 20) for _ in range(int(payload["mib"]))]
    return {"mib": len(held)}


def crowd(payload: dict[str, Any], data: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Start up to ``payload["wanted"]`` processes: shows that their number is limited."""
    note("forking")
    children: list[int] = []
    try:
        while len(children) < int(payload["wanted"]):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    except BlockingIOError:
        note("no more")
    return {"started": len(children)}


def _capabilities(libc: ctypes.CDLL) -> int:
    """The permitted set of this process, as bits."""
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call(libc, libc.capget, header, sets)
    return sets[1] | sets[4] << 32


def _listing(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))[:50]
    except OSError:
        return []


def _open_descriptors() -> list[int]:
    found = []
    for fd in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.append(fd)
    return found


def _writable(path: str) -> bool:
    trial = Path(path) / ".netwright-probe"
    try:
        trial.touch()
        trial.unlink()
    except OSError:
        return False
    return True


def _attempt(action: Callable[[], object]) -> str:
    """``"allowed"``, or the name of the error it met."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "allowed"


def _call(libc: ctypes.CDLL, function: Any, *arguments: Any) -> None:
    if function(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
