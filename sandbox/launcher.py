"""A small process between the host and one worker; it outlives neither.

Run as a plain script with one JSON argument. It joins control groups, as root shows the worker's folders at
a place that an unprivileged user can reach, gives up root, starts the worker, and ends it when the host ends:
a parent-death signal alone would fire when the host's *thread* ends that started the worker.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_CHILD_SUBREAPER = 36
_COPIES = "16m"
_LOOK_S = 0.25
_REMOVAL_S = 3.0
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _check(_libc.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def _show(stage: str, folders: dict[str, str], copied: dict[str, str]) -> None:
    """In a mount namespace of our own, show folders (name -> source) below a tmpfs at ``stage``.

    Those in ``copied`` are small, and copied so that others can read them whatever their modes are.
    """
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    opened = {name: os.open(source, os.O_PATH) for name, source in folders.items()}  # of this namespace
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    sources = {name: os.open(source, os.O_PATH) for name, source in copied.items()}
    _mount("tmpfs", stage, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=0755,size={_COPIES}")
    for name, fd in sources.items():
        _copy(Path(f"/proc/self/fd/{fd}/."), Path(stage, name))
        os.close(fd)
    for name, fd in opened.items():
        target = Path(stage) / name
        target.mkdir()
        # By descriptor: the source may itself lie below the stage, which is covered now.
        _mount(f"/proc/self/fd/{fd}", str(target), None, _MS_BIND | _MS_REC)
        os.close(fd)


def _copy(source: Path, target: Path) -> None:
    target.mkdir(mode=0o755)
    for entry in source.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            _copy(entry, target / entry.name)
        elif entry.is_file():
            (target / entry.name).write_bytes(entry.read_bytes())
            (target / entry.name).chmod(0o644)


def _start(order: dict[str, Any]) -> NoReturn:
    """In the child: prepare, drop root, become the worker."""
    try:
        for group in order["groups"]:
            Path(group, "cgroup.procs").write_text(str(os.getpid()))
        if order["stage"] is not None:
            _show(order["stage"], order["folders"], order["copied"])
        if order["identity"] is not None:
            identity = int(order["identity"])
            os.setgroups([])
            os.setresgid(identity, identity, identity)
            os.setresuid(identity, identity, identity)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.execve(order["command"][0], order["command"], order["environment"])
    except BaseException as error:
        print(f"cannot start the worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(127)


def _below(pid: int) -> list[int]:
    """Direct children of a single-threaded process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _end(worker: int) -> None:
    """Kill the worker and everything that falls to us when it is gone."""
    pending = [worker]
    while pending:
        for pid in pending:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.wait()
        except ChildProcessError:
            return
        pending = _below(os.getpid())


def _remove(groups: list[str]) -> None:
    """Remove the control groups; the kernel empties them a moment after the last process ended."""
    deadline = time.monotonic() + _REMOVAL_S
    for group in groups:
        while Path(group).exists():
            try:
                os.rmdir(group)
            except OSError as error:
                if time.monotonic() > deadline:
                    print(f"cannot remove control group {group}: {error}", file=sys.stderr, flush=True)
                    break
                time.sleep(0.02)


def main() -> None:
    """Start the worker of ``sys.argv[1]`` and stay until it or the host ends."""
    order = json.loads(sys.argv[1])
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for group in order["groups"]:
        Path(group).mkdir()
    worker = os.fork()
    if worker == 0:
        _start(order)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)  # so that the channel closes when the worker does
    os.closerange(3, 1 << 16)
    ended = os.pidfd_open(worker)
    waiter = select.poll()
    waiter.register(ended, select.POLLIN)
    while not stop and os.getppid() == order["host"]:
        try:
            if waiter.poll(_LOOK_S * 1000):
                break
        except InterruptedError:
            continue
    _end(worker)
    _remove(order["groups"])


if __name__ == "__main__":
    main()
