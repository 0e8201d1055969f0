"""A small process between netwright and a model server: the server ends when its owner does, or when it is told to.

Run as a plain script with its order, one line of JSON, on standard input: it holds a key, and arguments are there
for every user of a machine to read. It starts the server in a session of its own, adopts whatever the
server leaves behind, and ends all of it on SIGTERM or when its owner is gone. Without an owner it stays.
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

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.5
_GRACE_S = 20.0
"""Seconds that the server's processes have to close by themselves: killed, they leave shared memory behind."""
_libc = ctypes.CDLL(None, use_errno=True)


def _become(order: dict[str, Any], guardian: int) -> NoReturn:
    """In the child: become the server, which dies with this process's parent at the latest."""
    try:
        os.setsid()
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == guardian:
            os.execve(order["command"][0], order["command"], order["environment"])
    except BaseException as error:
        print(f"cannot start the server: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(127)


def _below(pid: int) -> list[int]:
    """Children of a process, of all its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _reap() -> None:
    """Collect what has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _end(server: int) -> None:
    """Ask the server to end, give its processes time to tidy up after each other, then kill what is left."""
    _signal([server], signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    _reap()
    while _below(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.05)
        _reap()
    while left := _below(os.getpid()):
        _signal(left, signal.SIGKILL)
        time.sleep(0.02)
        _reap()


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def main() -> None:
    """Start the server of the order on standard input and stay until it, the owner or a signal ends it."""
    order = json.loads(sys.stdin.buffer.readline())
    stop: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.append(True))
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guardian = os.getpid()
    server = os.fork()
    if server == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _become(order, guardian)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    ended = select.poll()
    ended.register(os.pidfd_open(server), select.POLLIN)
    owner = order["owner"]
    while not stop and (owner is None or os.getppid() == owner):
        if ended.poll(_LOOK_S * 1000):
            break
    _end(server)
    for path in order["files"]:
        Path(path).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
