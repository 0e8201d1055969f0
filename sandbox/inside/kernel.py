"""The few system calls that Python's standard library does not offer, by ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

_libc = ctypes.PyDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_SECCOMP = 1, 24, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP_MODE_FILTER = 2
_MADV_COLLAPSE = 25
_CAP_VERSION_3 = 0x20080522
_LAST_CAP = 63
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _syscall(numbers: dict[str, int], *arguments: object) -> int:
    machine = platform.machine()
    if machine not in numbers:
        raise OSError(f"the sandbox knows the system calls of {', '.join(numbers)}, not of {machine}")
    result: int = _libc.syscall(ctypes.c_long(numbers[machine]), *arguments)
    return result


def fork_into(namespaces: int) -> int:
    """Fork with new namespaces, as ``clone(namespaces | SIGCHLD)``; returns like ``os.fork``.

    With ``CLONE_NEWPID`` the child is the init of its own process namespace. The C library does not learn
    of this fork, so the child may prepare itself and must call ``os.fork`` before it runs anything large.
    """
    zero = ctypes.c_long(0)
    flags = ctypes.c_ulong(namespaces | signal.SIGCHLD)
    return _check(_syscall(_SYS_CLONE, flags, zero, zero, zero, zero), "clone")


def unshare(namespaces: int) -> None:
    """Move this process into new namespaces. Raises ``OSError``."""
    _check(_libc.unshare(ctypes.c_int(namespaces)), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """``mount(2)``. Raises ``OSError`` naming the target."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    result = _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    _check(result, f"mount {target}")


def bind(source: str, target: str, read_only: bool = False) -> None:
    """Show ``source`` at ``target`` as well. Raises ``OSError``."""
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def collapse(start: int, length: int) -> None:
    """``madvise(MADV_COLLAPSE)``: back a stretch of our own memory with huge pages. Raises ``OSError``."""
    result = _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), ctypes.c_int(_MADV_COLLAPSE))
    _check(result, "madvise(MADV_COLLAPSE)")


def _prctl(option: int, *arguments: object) -> int:
    padded = [*arguments, *([ctypes.c_ulong(0)] * (4 - len(arguments)))]
    result: int = _libc.prctl(ctypes.c_int(option), *padded)
    return result


def die_with_parent() -> None:
    """Ask for SIGKILL when the parent (more exactly: the thread that forked us) ends."""
    _check(_prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)), "prctl(PR_SET_PDEATHSIG)")


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant, so that none can leave the tree."""
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1)), "prctl(PR_SET_CHILD_SUBREAPER)")


def refuse_privileges() -> None:
    """Set ``no_new_privs``: no program run from here on can gain privileges."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1)), "prctl(PR_SET_NO_NEW_PRIVS)")


def drop_capabilities() -> None:
    """Give up every capability: bounding, ambient, inheritable, permitted and effective."""
    for capability in range(_LAST_CAP + 1):
        if _prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability)) < 0:
            break
    _prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL))
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_syscall(_SYS_CAPSET, ctypes.byref(header), ctypes.byref(nothing)), "capset")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install_filter(program: bytes) -> None:
    """Put this thread under a seccomp filter (BPF, 8 bytes per instruction), for good.

    Raises ``OSError`` if the kernel has no seccomp or refuses the program.
    """
    argument = _Program(len(program) // 8, program)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    _check(_prctl(_PR_SET_SECCOMP, mode, ctypes.byref(argument)), "prctl(PR_SET_SECCOMP)")
