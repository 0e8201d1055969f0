"""One job, seen from the worker: fork, watch the limits, collect what comes out, end all of it."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import call, jail, kernel, watch, wire
from .group import MemoryGroup

FOLDER = "netwright-job-"
"""Start of the name of a job's scratch where it has no namespaces; the worker's process id follows."""
TICK_S = 0.025
"""How often limits are looked at. A job that ends is noticed at once."""
_GAUGE_S = 0.1
_CHUNK = 1 << 16
_OUTPUT_TAIL = 16_000
_NOTE_TAIL = 2048


@dataclass(frozen=True)
class Setting:
    """How this worker runs jobs.

    Attributes:
        isolating: give each job its own namespaces, drop privileges and filter system calls.
        seccomp: the filter.
        gauge_memory: watch the memory by /proc; off where a control group does it.
        control: descriptor of the channel to the host, which may stop a job, or be gone.
        group: the memory group of this worker's container, where it is for us to watch and not for the host.
    """

    isolating: bool
    seccomp: bytes | None
    gauge_memory: bool
    control: int
    group: MemoryGroup | None = None

    def kills(self) -> int:
        """How often the kernel has killed for want of memory, as far as we are to watch that."""
        return 0 if self.group is None else self.group.kills()


@dataclass
class Running:
    """A forked job and the ends of its pipes that the worker reads."""

    pid: int
    output: int
    result: int
    note: int
    status: int
    started: float = field(default_factory=time.monotonic)
    printed: int = 0
    output_tail: bytearray = field(default_factory=bytearray)
    note_tail: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    reason: str | None = None


def run(
    setting: Setting, name: str, payload: bytearray, data: Mapping[str, Any], limits: dict[str, Any]
) -> tuple[dict[str, Any], bytearray]:
    """Run one job to its end. Returns what is known about it and the raw result.

    Raises ``wire.Closed`` if the host is gone; the job has ended then, too.
    """
    scratch = jail.SCRATCH if setting.isolating else tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-")
    killed_before = setting.kills()
    try:
        job = _start(setting, name, payload, data, limits, scratch)
        payload[:] = bytes(len(payload))  # the next fork must not find it in our memory
        try:
            _supervise(setting, job, limits, killed_before)
        finally:
            status, cpu_s = _finish(setting, job, limits)
    finally:
        if not setting.isolating:
            shutil.rmtree(scratch, ignore_errors=True)
    if job.reason is None and setting.kills() > killed_before:
        job.reason = "memory"
    return {
        "reason": job.reason,
        "exit_code": os.waitstatus_to_exitcode(status),
        "wall_s": time.monotonic() - job.started,
        "cpu_s": cpu_s,
        "note": _last_line(job.note_tail),
        "stdout": bytes(job.output_tail).decode("utf-8", "replace")[-4000:],
    }, job.answer


def _start(
    setting: Setting,
    name: str,
    payload: bytearray,
    data: Mapping[str, Any],
    limits: dict[str, Any],
    scratch: str,
) -> Running:
    pipes = [os.pipe() for _ in range(4)]
    inner = [pipe[1] for pipe in pipes]
    user, group, space = os.getuid(), os.getgid(), jail.address_space()
    pid = kernel.fork_into(jail.NAMESPACES) if setting.isolating else os.fork()
    if pid == 0:
        try:
            if setting.isolating:
                jail.become_init(user, group, limits)
                candidate = os.fork()
                if candidate:
                    jail.wait_for(candidate, inner[3])
            else:
                kernel.die_with_parent()
                os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            jail.keep_only(*inner[:3])
            jail.set_limits(limits, space, setting.isolating)
            os.chdir(scratch)
            if setting.isolating:
                jail.renounce(setting.seccomp)
            else:
                os.environ.update(TMPDIR=scratch, HOME=scratch)
                tempfile.tempdir = None
            call.perform(name, payload, data)
        except BaseException as error:
            print(f"the job could not be prepared: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(jail.UNPREPARED)
    for fd in inner:
        os.close(fd)
    output, result, note, status = (pipe[0] for pipe in pipes)
    for fd in (output, result, note):
        os.set_blocking(fd, False)
    return Running(pid, output, result, note, status)


def _supervise(setting: Setting, job: Running, limits: dict[str, Any], killed_before: int) -> None:
    """Return when the job has ended or must be ended (``job.reason`` says why)."""
    waiter = select.poll()
    ended = os.pidfd_open(job.pid)
    gauge, next_look, next_gauge = watch.MemoryGauge(), job.started + TICK_S, job.started
    try:
        for fd in (ended, job.output, job.result, job.note):
            waiter.register(fd, select.POLLIN)
        waiter.register(setting.control, select.POLLIN)
        while job.reason is None:
            ready = {fd for fd, _ in waiter.poll(TICK_S * 1000)}
            for fd in ready & {job.output, job.result, job.note}:
                if not _collect(job, fd, limits):
                    waiter.unregister(fd)
            if setting.control in ready:
                job.reason = str(wire.receive(setting.control, 0)[0]["stop"])
            if ended in ready:
                return
            now = time.monotonic()
            if job.reason is not None or now < next_look:
                continue
            next_look = now + TICK_S
            job.reason = "memory" if setting.kills() > killed_before else _exceeded(setting, job, limits, now)
            if job.reason is None and setting.gauge_memory and now >= next_gauge:
                next_gauge = now + _GAUGE_S
                if gauge.used_mib(_members(setting, job), limits["memory_mb"]) > limits["memory_mb"]:
                    job.reason = "memory"
    finally:
        os.close(ended)


def _exceeded(setting: Setting, job: Running, limits: dict[str, Any], now: float) -> str | None:
    if now - job.started > limits["wall_s"]:
        return "timeout"
    used = watch.usage(_members(setting, job))
    if used.cpu_s > limits["cpu_s"]:
        return "cpu"
    if used.processes > limits["processes"] + 1:
        return "processes"
    return None


def _members(setting: Setting, job: Running) -> list[int]:
    return watch.neighbours() if setting.isolating else watch.descendants(os.getpid())


def _collect(job: Running, fd: int, limits: dict[str, Any]) -> bool:
    """Read what is there. Returns whether more may come."""
    try:
        data = os.read(fd, _CHUNK)
    except BlockingIOError:
        return True
    if fd == job.output:
        job.printed += len(data)
        job.output_tail += data
        del job.output_tail[:-_OUTPUT_TAIL]
        if job.printed > limits["output_kb"] * 1024:
            job.reason = job.reason or "output"
    elif fd == job.result:
        job.answer += data
        if len(job.answer) > limits["result_kb"] * 1024:
            job.reason = job.reason or "result"
            job.answer.clear()
    else:
        job.note_tail += data
        del job.note_tail[:-_NOTE_TAIL]
    return bool(data)


def _finish(setting: Setting, job: Running, limits: dict[str, Any]) -> tuple[int, float]:
    """End the job with everything it started. Returns its wait status and its CPU seconds."""
    # The kernel does not pass on the times of processes that die with their namespace, so look before.
    seen = watch.usage(_members(setting, job)).cpu_s if job.reason is not None else 0.0
    _signal(job.pid)  # no effect on one that has ended and waits to be reaped
    _, status, resources = os.wait4(job.pid, 0)
    cpu_s = resources.ru_utime + resources.ru_stime
    ending = status
    if setting.isolating:
        told = jail.status_from(os.read(job.status, 64))
        ending = status if told is None else told
    else:
        cpu_s += _end_descendants()
    for fd in (job.output, job.result, job.note):
        # All writers are gone, so what is left is finite and ends in an end of file.
        while job.reason is None and _collect(job, fd, limits):
            pass
    for fd in (job.output, job.result, job.note, job.status):
        os.close(fd)
    return ending, max(cpu_s, seen)


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _end_descendants() -> float:
    """Kill and reap whatever a job without a namespace of its own left behind. Returns its CPU seconds."""
    cpu_s = 0.0
    while True:
        for pid in watch.descendants(os.getpid()):
            _signal(pid)
        try:
            _, _, resources = os.wait4(-1, 0)
        except ChildProcessError:
            return cpu_s
        cpu_s += resources.ru_utime + resources.ru_stime


def _last_line(tail: bytearray) -> str | None:
    lines = bytes(tail).decode("utf-8", "replace").splitlines()
    return lines[-1][:200] if lines else None
