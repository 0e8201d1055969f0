"""Compile the system call filter of a job to the ``*.bpf`` files beside this module.

Run ``python -m netwright.sandbox.build_seccomp`` after a change; a test compares the files with the table.
The filter refuses what a candidate does not need and what has been a way out of sandboxes: new namespaces
and mounts, network sockets, io_uring, kernel key rings, tracing, memory files outside of any size limit,
and every system call newer than this table.
"""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_ABOVE_OR_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT_0 = 0, 4, 16  # offsets in struct seccomp_data, little endian
_AF_UNIX = 1
_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_NEWEST = 450
_X32_BIT = 0x40000000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Audit numbers of linux/audit.h."""

# Number on x86_64 and on aarch64 (None: the architecture has no such call), from the kernel's unistd.h.
_EPERM: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "personality": (135, 92),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "lookup_dcookie": (212, 18),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "nfsservctl": (180, 42),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Memory that is neither in the resident set nor in the sized scratch.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
_CLONE, _CLONE3, _SOCKET, _SOCKETPAIR, _PRLIMIT = (56, 220), (435, 435), (41, 198), (53, 199), (302, 261)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _refuse(code: int) -> bytes:
    return _op(_RETURN, _ERRNO | code)


def _on_argument(number: int, test: bytes, code: int) -> bytes:
    """Refuse ``number`` with ``code`` where ``test`` on the low half of its first argument falls through.

    ``test`` must skip one instruction to allow the call. The accumulator holds the system call number
    before, and after a call that is another one.
    """
    return b"".join(
        [
            _op(_JUMP_EQUAL, number, 0, 4),
            _op(_LOAD, _ARGUMENT_0),
            test,
            _refuse(code),
            _op(_RETURN, _ALLOW),
        ]
    )


def compile_filter(machine: str) -> bytes:
    """The BPF program for ``x86_64`` or ``aarch64``, eight bytes per instruction."""
    column = list(ARCHITECTURES).index(machine)
    program = [
        _op(_LOAD, _ARCHITECTURE),
        _op(_JUMP_EQUAL, ARCHITECTURES[machine], 1, 0),
        _op(_RETURN, _KILL),  # a 32-bit call on a 64-bit kernel goes by other numbers
        _op(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += [_op(_JUMP_ABOVE_OR_EQUAL, _X32_BIT, 0, 1), _op(_RETURN, _KILL)]
    # The C library falls back to clone, whose flags can be read; those of clone3 are behind a pointer.
    program += [_op(_JUMP_EQUAL, _CLONE3[column], 0, 1), _refuse(errno.ENOSYS)]
    program += [_op(_JUMP_ABOVE_OR_EQUAL, _NEWEST + 1, 0, 1), _refuse(errno.ENOSYS)]
    program += [
        _on_argument(_CLONE[column], _op(_JUMP_ANY_BIT, _NAMESPACES, 0, 1), errno.EPERM),
        _on_argument(_SOCKET[column], _op(_JUMP_EQUAL, _AF_UNIX, 1, 0), errno.EAFNOSUPPORT),
        _on_argument(_SOCKETPAIR[column], _op(_JUMP_EQUAL, _AF_UNIX, 1, 0), errno.EAFNOSUPPORT),
        _on_argument(_PRLIMIT[column], _op(_JUMP_EQUAL, 0, 1, 0), errno.EPERM),  # limits of others
    ]
    for numbers in _EPERM.values():
        number = numbers[column]
        if number is not None:
            program += [_op(_JUMP_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    return b"".join([*program, _op(_RETURN, _ALLOW)])


_WORKER_NEEDS = ("mount",)
_WORKER_NAMESPACES = 0x38020000  # user, process, IPC and mount: what a worker gives each job (see inside.jail)


def container_profile(machine: str) -> dict[str, Any]:
    """The same table as Docker's JSON, for a container's worker.

    It allows what the worker needs to lock a job in: mounts, and those new namespaces that it makes for each
    job. The jobs themselves go under :func:`compile_filter` as well, and of two filters the stricter decides.
    """
    refused = [name for name in _EPERM if name not in _WORKER_NEEDS]
    rules = [_rule(refused, errno.EPERM), _rule(["clone3"], errno.ENOSYS)]
    for bit in (1 << shift for shift in range(32)):
        if bit & _NAMESPACES & ~_WORKER_NAMESPACES:
            flag = {"index": 0, "value": bit, "valueTwo": bit, "op": "SCMP_CMP_MASKED_EQ"}
            rules.append(_rule(["clone"], errno.EPERM, flag))
    rules.append(
        _rule(["socket", "socketpair"], errno.EAFNOSUPPORT, {"index": 0, "value": _AF_UNIX, "op": "SCMP_CMP_NE"})
    )
    rules.append(_rule(["prlimit64"], errno.EPERM, {"index": 0, "value": 0, "op": "SCMP_CMP_NE"}))
    architecture = f"SCMP_ARCH_{machine.upper()}"
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [architecture], "syscalls": rules}


def _rule(names: list[str], code: int, *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": code, "args": list(arguments)}


def path_of(machine: str) -> Path:
    """Where the compiled filter of an architecture is."""
    return Path(__file__).with_name(f"seccomp-{machine}.bpf")


def build() -> None:
    """Write the filter of every architecture."""
    for machine in ARCHITECTURES:
        path_of(machine).write_bytes(compile_filter(machine))


if __name__ == "__main__":
    build()
