"""Attacks, each run as a candidate in the bubblewrap backend: none reaches anything outside."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from netwright.sandbox import Job, Limits, Outcome, Sandbox, WorkerImage, open_sandbox

ATTEMPT = """
import os, socket, ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "allowed"
def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
"""


def attack(sandbox: Sandbox, source: str, **limits: Any) -> Outcome:
    """Run an attack under small limits; afterwards the sandbox still serves."""
    bounds = Limits(**{"wall_s": 20.0, "cpu_s": 10.0, "memory_mb": 256, "scratch_mb": 16, **limits})
    outcome = sandbox.run(Job(handler="candidate.run", payload={"source": ATTEMPT + source}, limits=bounds))
    follow_up = sandbox.run(Job(handler="candidate.run", payload={"source": "result = {'alive': True}"}))
    assert follow_up.result == {"alive": True}
    return outcome


def look(sandbox: Sandbox, source: str, **limits: Any) -> Any:
    """The result of an attack that reports what it met."""
    outcome = attack(sandbox, source, **limits)
    assert outcome.status == "ok", outcome
    return outcome.result


def test_the_environment_holds_nothing_of_the_host(bubblewrap: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    found = look(bubblewrap, "result = dict(os.environ)")
    assert "SECRET_TOKEN" not in found
    assert found["HOME"] == "/scratch"
    assert set(found["PATH"].split(":")) == {"/usr/bin", "/bin"}
    assert not any(str(Path.home()) in value for value in found.values())


def test_files_of_the_host_are_not_there(bubblewrap: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    paths = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/root",
        "/home",
        "/var",
        "/run",
        "/sys",
        "/proc/1",
        "/proc/self",
        "/proc/mounts",
        "/dev/sda",
        "/dev/vda",
        "/dev/mem",
        str(secret),
        str(Path.home()),
        str(Path(__file__).resolve()),
        "/netwright/inside/../../work",
    ]
    found = look(bubblewrap, f"result = {{p: os.path.exists(p) for p in {paths!r}}}")
    assert not [path for path, exists in found.items() if exists]


def test_only_named_folders_are_shown(bubblewrap: Sandbox) -> None:
    found = look(bubblewrap, "result = {p: sorted(os.listdir(p)) for p in ('/', '/etc', '/proc', '/netwright')}")
    linked = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}
    assert set(found["/"]) - linked == {"dev", "etc", "netwright", "proc", "scratch", "tmp", "usr"}
    assert set(found["/etc"]) <= {"alternatives", "ld.so.cache"}
    assert found["/proc"] == ["cpuinfo", "meminfo"]
    assert {name.rstrip("0123456789") for name in found["/netwright"]} <= {
        "inside",
        "handlers",
        "python",
        "site",
    }


def test_there_is_no_network(bubblewrap: Sandbox) -> None:
    source = """
families = [socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40]  # 40: AF_VSOCK
result = {
    "families": [attempt(lambda: socket.socket(f, socket.SOCK_STREAM)) for f in families],
    "pair": attempt(lambda: socket.socketpair(socket.AF_INET)),
    "local": attempt(lambda: socket.socketpair()),
    "loopback": attempt(lambda: socket.create_connection(("127.0.0.1", 22), 1)),
}"""
    found = look(bubblewrap, source)
    assert found["families"] == ["EAFNOSUPPORT"] * 5
    assert (found["pair"], found["loopback"], found["local"]) == ("EAFNOSUPPORT", "EAFNOSUPPORT", "allowed")


def test_nothing_outside_the_scratch_can_be_written(bubblewrap: Sandbox) -> None:
    places = [
        "/",
        "/usr",
        "/usr/lib",
        "/dev",
        "/etc",
        "/proc",
        "/netwright",
        "/netwright/handlers",
        "/netwright/inside",
    ]
    source = f"""
result = {{p: attempt(lambda: open(os.path.join(p, "written"), "w")) for p in {places!r}}}
result["remount"] = attempt(lambda: call(165, None, b"/usr", None, 32 | 4096, None))
result["chmod"] = attempt(lambda: os.chmod("/netwright/handlers/candidate.py", 0o777))
"""
    found = look(bubblewrap, source)
    assert "allowed" not in found.values(), found


def test_privileges_cannot_be_gained(bubblewrap: Sandbox) -> None:
    source = """
result = {
    "ids": [os.getuid(), os.geteuid(), os.getgid(), len(os.getgroups())],
    "setuid": attempt(lambda: os.setuid(0)),
    "user namespace": attempt(lambda: call(272, 0x10000000)),
    "clone": attempt(lambda: call(56, 0x10000000 | 17, 0, 0, 0, 0)),
    "clone3": attempt(lambda: call(435, 0, 0)),
    "chroot": attempt(lambda: os.chroot("/tmp")),
    "ptrace": attempt(lambda: call(101, 16, 1, 0, 0)),
    "io_uring": attempt(lambda: call(425, 8, 0)),
    "bpf": attempt(lambda: call(321, 0, 0, 0)),
    "keyctl": attempt(lambda: call(250, 0, -3, 0)),
    "memfd": attempt(lambda: os.memfd_create("x")),
    "module": attempt(lambda: call(313, 0, 0, 0)),
    "newest": attempt(lambda: call(500)),
    "compatible": attempt(lambda: call(272 | 0x40000000, 0)) if payload.get("x32") else "ENOSYS",
}"""
    found = look(bubblewrap, source)
    ids = found.pop("ids")
    assert ids[0] == ids[1] == ids[2] != 0
    assert set(found.values()) <= {"EPERM", "ENOSYS", "EINVAL"}, found


def test_a_call_by_another_numbering_is_fatal(bubblewrap: Sandbox) -> None:
    assert attack(bubblewrap, "call(0x40000000 | 39)").exit_code == -31  # SIGSYS


def test_the_worker_and_the_host_cannot_be_signalled_or_seen(bubblewrap: Sandbox) -> None:
    source = f"""
import signal
result = {{
    "ids": [os.getpid(), os.getppid()],
    "host": attempt(lambda: os.kill({os.getpid()}, 0)),
    "all": attempt(lambda: os.kill(-1, signal.SIGKILL)),
    "init": [attempt(lambda: os.kill(1, s)) for s in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)],
    "limits": attempt(lambda: call(302, 1, 0, None, None)),
    "environ": attempt(lambda: open("/proc/{os.getpid()}/environ")),
    "own": attempt(lambda: open("/proc/self/environ")),
}}"""
    found = look(bubblewrap, source)
    assert found["ids"] == [2, 1]
    assert found["host"] == "ESRCH"
    assert found["init"] == ["allowed"] * 3  # sent, and without effect on an init
    assert (found["limits"], found["environ"], found["own"]) == ("EPERM", "ENOENT", "ENOENT")


def test_no_descriptor_but_its_own(bubblewrap: Sandbox) -> None:
    source = """
import stat
kinds = {}
for fd in range(256):
    try:
        kinds[fd] = stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFIFO
    except OSError:
        pass
result = {"kinds": kinds, "read": attempt(lambda: os.read(3, 1))}"""
    found = look(bubblewrap, source)
    assert found["kinds"] == {"0": False, "1": True, "2": True, "3": True, "4": True}
    assert found["read"] == "EBADF"


def test_a_fork_bomb_is_contained(bubblewrap: Sandbox) -> None:
    before = len(psutil.pids())
    started = time.monotonic()
    outcome = attack(bubblewrap, "while True:\n    try: os.fork()\n    except OSError: pass", wall_s=3, cpu_s=2)
    assert outcome.status in {"timeout", "cpu", "crash"}
    assert time.monotonic() - started < 20
    assert len(psutil.pids()) < before + 20


def test_processes_and_threads_are_counted(bubblewrap: Sandbox) -> None:
    source = """
import threading, time
started = 0
try:
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
result = {"started": started}"""
    assert 4 <= look(bubblewrap, source, processes=8)["started"] <= 8


def test_memory_of_many_processes_adds_up(bubblewrap: Sandbox) -> None:
    source = """
import time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(b"x") * (100 << 20)
        time.sleep(30)
time.sleep(30)"""
    outcome = attack(bubblewrap, source, memory_mb=256)
    assert outcome.status == "memory", outcome


def test_memory_adds_up_where_there_is_no_control_group(handlers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.sandbox.cgroups.find", lambda: None)
    source = """
import mmap, time
held = mmap.mmap(-1, 150 << 20)
for start in range(0, len(held), 1 << 20):
    held[start : start + (1 << 20)] = b"x" * (1 << 20)
for _ in range(5):
    if os.fork() == 0:
        if payload["private"]:
            more = bytearray(b"x") * (60 << 20)
        else:
            sum(held[page] for page in range(0, len(held), 4096))  # the same pages in each process count once
        time.sleep(10)
time.sleep(2)
result = {"still": "here"}"""
    with open_sandbox("bubblewrap", WorkerImage(handlers, preload=()), workers=1) as sandbox:
        for private, status in ((True, "memory"), (False, "ok")):
            job = Job(
                handler="candidate.run",
                payload={"source": ATTEMPT + source, "private": private},
                limits=Limits(memory_mb=256, wall_s=20),
            )
            assert sandbox.run(job).status == status


def test_endless_printing_ends(bubblewrap: Sandbox) -> None:
    outcome = attack(bubblewrap, "while True: os.write(2, b'x' * 65536)")
    assert outcome.status == "output"


def test_the_scratch_is_bounded(bubblewrap: Sandbox) -> None:
    source = """
written = 0
def fill(folder):
    global written
    for number in range(100):
        with open(f"{folder}/{number}", "wb", buffering=0) as stream:
            while True:
                written += stream.write(b"x" * (1 << 20))
result = {"errors": [attempt(lambda: fill(f)) for f in ("/scratch", "/tmp", "/dev/shm")], "mib": written >> 20}
files = 0
def many():
    global files
    while True:
        os.close(os.open(f"/tmp/n{files}", os.O_CREAT | os.O_WRONLY))
        files += 1
os.unlink("/scratch/0")
result["many"] = attempt(many)
"""
    found = look(bubblewrap, source, scratch_mb=16)
    assert found["mib"] <= 16
    assert set(found["errors"]) <= {"ENOSPC", "EFBIG"}
    assert found["many"] == "ENOSPC"


def test_nothing_passes_from_one_candidate_to_the_next(bubblewrap: Sandbox) -> None:
    places = ["/scratch", "/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/usr/lib"]
    source = f"""
import candidate, sys
seen = {{p: os.path.exists(p + "/left-behind") for p in {places!r}}}
for place in {places!r}:
    attempt(lambda: open(place + "/left-behind", "w"))
result = {{"seen": seen, "patched": hasattr(candidate, "patched"), "marked": "MARK" in os.environ}}
candidate.patched = True
os.environ["MARK"] = "1"
s = socket.socket(socket.AF_UNIX)
result["bound"] = attempt(lambda: s.bind(chr(0) + "left-behind"))
s.listen()
"""
    for _ in range(2):
        found = look(bubblewrap, source)
        assert not any(found["seen"].values())
        assert (found["patched"], found["marked"], found["bound"]) == (False, False, "allowed")


def test_a_daemon_does_not_survive(bubblewrap: Sandbox) -> None:
    source = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time
        for fd in range(5): os.close(fd)
        time.sleep(60)
    os._exit(0)
os.wait()
result = {"daemon": "started"}"""
    children = psutil.Process().children(recursive=True)
    assert look(bubblewrap, source) == {"daemon": "started"}
    assert len(psutil.Process().children(recursive=True)) == len(children)


def test_a_forged_result_is_data_only(bubblewrap: Sandbox) -> None:
    forged = attack(bubblewrap, """os.write(3, b'{"kind": "ok", "result": {"accuracy": 1e999}}'); os._exit(0)""")
    assert (forged.status, forged.result) == ("ok", {"accuracy": float("inf")})
    for answer in (
        b"\x80\x04K*.",
        b"[" * 100_000,
        b'{"kind": "ok"}',
        b'"\xff"',
        b'{"kind":"ok","result":{"a":"\\ud800"}}',
    ):
        assert attack(bubblewrap, f"os.write(3, {answer!r}); os._exit(0)").status == "result"
    mixed = attack(bubblewrap, """os.write(3, b'{"kind": "ok", "result": {}}')""")
    assert mixed.status == "result"


def test_a_flood_of_notes_is_bounded(bubblewrap: Sandbox) -> None:
    source = "while True: os.write(4, b'n' * 4096)"
    outcome = attack(bubblewrap, source, wall_s=1)
    assert outcome.status == "timeout"
    assert outcome.note == "n" * 200


def test_the_host_runs_its_workers_without_root(bubblewrap: Sandbox) -> None:
    workers = [one for one in psutil.Process().children(recursive=True) if "inside.main" in " ".join(one.cmdline())]
    assert workers
    for worker in workers:
        if worker.cmdline()[0].endswith("bwrap") or "/netwright/" in worker.cmdline()[0]:
            assert worker.uids().real != 0 or os.geteuid() != 0
            assert worker.uids().real == worker.uids().effective
