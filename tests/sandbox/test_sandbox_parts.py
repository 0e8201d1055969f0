"""The parts of the sandbox that need no worker: results, frames, the filter, the layout, control groups."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from netwright.sandbox import Limits, bubblewrap, build_seccomp, cgroups, layout
from netwright.sandbox.inside import wire
from netwright.sandbox.results import MAX_DEPTH, outcome_from

ENDING = {"reason": None, "exit_code": 0, "wall_s": 1.0, "cpu_s": 0.5, "note": None, "stdout": ""}


def read(answer: bytes, **changed: Any) -> Any:
    """The outcome of a job that wrote ``answer``."""
    return outcome_from({**ENDING, **changed}, answer, Limits())


def nested(depth: int) -> bytes:
    """A good envelope whose JSON has ``depth`` levels."""
    return b'{"kind": "ok", "result": {"a": ' + b"[" * (depth - 3) + b"1" + b"]" * (depth - 3) + b"}}"


class TestResults:
    def test_a_good_one(self) -> None:
        outcome = read(b'{"kind": "ok", "result": {"a": [1, "\xc3\xbc"]}}')
        assert (outcome.status, outcome.result, outcome.cpu_s) == ("ok", {"a": [1, "ü"]}, 0.5)

    @pytest.mark.parametrize(
        "answer",
        [
            b"null",
            b"{}",
            b'{"kind": "ok", "result": [1]}',
            b'{"kind": "timeout", "result": {}}',
            b'{"kind": ["ok"], "result": {}}',
            b'{"kind": "error"}',
            b'{"kind": "error", "failure": {"error_class": "E", "message": "m", "line": "7"}}',
            b'{"kind": "error", "failure": {"error_class": "E", "message": {}}}',
            b'{"kind": "ok", "result": {}} ',
            b'{"kind": "ok", "result": {"a": ' + b"9" * 5000 + b"}}",
            nested(MAX_DEPTH + 2),
            b"[" * 200_000 + b"]" * 200_000,
        ],
        ids=lambda answer: answer[:40].decode(),
    )
    def test_anything_else_is_refused(self, answer: bytes) -> None:
        expected = "ok" if answer.endswith(b" ") else "result"  # white space is JSON
        assert read(answer).status == expected

    def test_depth_up_to_the_bound(self) -> None:
        assert read(nested(MAX_DEPTH)).status == "ok"

    def test_a_forged_failure_is_cut(self) -> None:
        failure = {"error_class": "E" * 999, "message": "m" * 9999, "line": 3, "traceback": "t" * 9999}
        outcome = read(json.dumps({"kind": "error", "failure": failure}).encode())
        assert (len(outcome.failure.error_class), len(outcome.failure.message)) == (200, 2000)
        assert (len(outcome.failure.traceback), outcome.failure.line) == (4000, 3)

    @pytest.mark.parametrize("reason", ["timeout", "cpu", "memory", "output", "result"])
    def test_a_limit_counts_more_than_an_answer(self, reason: str) -> None:
        outcome = read(b'{"kind": "ok", "result": {}}', reason=reason, exit_code=-9)
        assert (outcome.status, outcome.result) == (reason, None)
        assert outcome.failure.message

    def test_exits(self) -> None:
        assert read(b"", exit_code=0).status == "crash"
        assert read(b'{"kind": "ok", "result": {}}', exit_code=1).status == "crash"
        assert read(b"", exit_code=-24).status == "cpu"
        assert "signal 11" in read(b"", exit_code=-11).failure.message
        assert read(b"", reason="processes", exit_code=-9).status == "crash"


class TestFrames:
    def test_there_and_back(self) -> None:
        reader, writer = os.pipe()
        wire.send(writer, {"ü": 1}, b"body")
        assert wire.receive(reader, 4) == ({"ü": 1}, b"body")
        os.close(writer)
        with pytest.raises(wire.Closed):
            wire.receive(reader, 4)
        os.close(reader)

    @pytest.mark.parametrize(
        "frame",
        [struct.pack(">II", 1 << 30, 0), struct.pack(">II", 2, 99) + b"{}", struct.pack(">II", 2, 0) + b"[]"],
    )
    def test_bad_frames(self, frame: bytes) -> None:
        reader, writer = os.pipe()
        os.write(writer, frame)
        with pytest.raises(wire.Malformed):
            wire.receive(reader, 4)
        os.close(reader)
        os.close(writer)

    def test_a_deadline(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"\0")
        with pytest.raises(wire.Late):
            wire.receive(reader, 4, time.monotonic() + 0.05)
        os.close(reader)
        os.close(writer)


class TestFilter:
    @pytest.mark.parametrize("machine", build_seccomp.ARCHITECTURES)
    def test_the_files_are_what_the_table_says(self, machine: str) -> None:
        assert build_seccomp.path_of(machine).read_bytes() == build_seccomp.compile_filter(machine)

    @pytest.mark.parametrize("machine", build_seccomp.ARCHITECTURES)
    def test_decisions(self, machine: str) -> None:
        column = list(build_seccomp.ARCHITECTURES).index(machine)
        audit = build_seccomp.ARCHITECTURES[machine]

        def decide(number: int, argument: int = 0, architecture: int = audit) -> int:
            return interpret(build_seccomp.compile_filter(machine), number, argument, architecture)

        allow, kill, errno = 0x7FFF0000, 0x80000000, 0x00050000
        read_call, clone, socket, prlimit = [(0, 63), (56, 220), (41, 198), (302, 261)]
        assert decide(read_call[column]) == allow
        assert decide(read_call[column], architecture=0x40000003) == kill  # i386
        assert decide(clone[column], 17) == allow
        assert decide(clone[column], 0x3D0F00) == allow  # flags of a thread
        assert [decide(clone[column], 17 | 1 << bit) for bit in (17, *range(25, 31))] == [errno | 1] * 7
        assert (decide(socket[column], 1), decide(socket[column], 2)) == (allow, errno | 97)
        assert (decide(prlimit[column], 0), decide(prlimit[column], 1)) == (allow, errno | 1)
        assert [decide(number) for number in (425, 426, 427)] == [errno | 1] * 3
        assert (decide(435), decide(451), decide(449)) == (errno | 38, errno | 38, allow)
        if machine == "x86_64":
            assert decide(0x40000000) == kill

    def test_numbers_differ_from_each_other(self) -> None:
        for column in range(2):
            numbers = [n[column] for n in build_seccomp._EPERM.values() if n[column] is not None]
            assert len(set(numbers)) == len(numbers)


def interpret(program: bytes, number: int, argument: int, architecture: int) -> int:
    """A small interpreter of the BPF instructions that the filter uses."""
    data = {0: number, 4: architecture, 16: argument}
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = data[value]
        elif code == 0x06:
            return value
        else:
            jump = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += if_true if jump else if_false


class TestLayout:
    def test_the_running_environment(self, handlers: Path) -> None:
        found = layout.layout(handlers)
        assert found.folders["handlers"] == handlers.resolve()
        assert found.folders["inside"].name == "inside"
        assert Path(found.executable).is_relative_to("/netwright/python") == ("python" in found.folders)
        assert all(site.startswith(("/netwright/", "/usr/")) for site in found.sites)
        assert not any(path == Path.home() or Path.cwd() == path for path in found.folders.values())

    def test_a_system_interpreter_needs_no_folder(self, handlers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "base_prefix", "/usr")
        monkeypatch.setattr(sys, "_base_executable", "/usr/bin/env")
        monkeypatch.setattr(layout, "site_folders", lambda: [Path("/usr/lib/python3/dist-packages")])
        found = layout.layout(handlers)
        assert set(found.folders) == {"inside", "handlers"}
        assert (found.library_path, found.sites) == (None, ["/usr/lib/python3/dist-packages"])
        assert found.executable.startswith("/usr/bin/")


class TestIdentity:
    @pytest.mark.parametrize(
        ("ranges", "low", "high"),
        [
            ("0 0 4294967295\n", 1_900_000_000, 2_034_217_728),
            ("0 100000 65536\n", 60_000, 64_536),
            ("0 1000 1\n1 100000 65536\n", 60_000, 64_537),
        ],
    )
    def test_root_gives_each_worker_a_user_of_its_own(
        self, ranges: str, low: int, high: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(Path, "read_text", lambda path: ranges)
        found = [bubblewrap.identity(slot) for slot in range(8)]
        assert len(set(found)) == 8
        assert all(low <= one <= high for one in found if one is not None)

    def test_others_stay_who_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert bubblewrap.identity(0) is None
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(Path, "read_text", lambda path: "0 1000 1\n")
        assert bubblewrap.identity(0) is None


class TestControlGroups:
    def test_version_2_looks_for_a_group_that_passes_its_controllers_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slice_, scope = tmp_path / "user.slice", tmp_path / "user.slice" / "session.scope"
        scope.mkdir(parents=True)
        (scope / "cgroup.subtree_control").write_text("")
        (slice_ / "cgroup.subtree_control").write_text("cpu memory pids\n")
        monkeypatch.setattr(cgroups, "_mounts", lambda kind: [(tmp_path, [])] if kind == "cgroup2" else [])
        found = cgroups._version_2({"": "/user.slice/session.scope"})
        assert found is not None
        assert (found.version, set(found.parents.values())) == (2, {slice_})
        (slice_ / "cgroup.subtree_control").write_text("cpu\n")
        assert cgroups._version_2({"": "/user.slice/session.scope"}) is None

    def test_limits_and_counters_of_version_2(self, tmp_path: Path) -> None:
        group = cgroups.Group(2, {"memory": tmp_path, "pids": tmp_path})
        (tmp_path / "memory.stat").write_text("anon 2097152\nfile 9\nshmem 1048576\n")
        (tmp_path / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
        (tmp_path / "memory.swap.max").write_text("max")
        group.limit(1.5, 7)
        assert (tmp_path / "memory.max").read_text() == str(3 << 19)
        assert (tmp_path / "memory.swap.max").read_text() == "0"
        assert (tmp_path / "pids.max").read_text() == "7"
        assert (group.resident_mib(), group.kills(), group.folders) == (3.0, 1, [str(tmp_path)])

    def test_version_1_where_it_is(self) -> None:
        found = cgroups.find()
        if found is None:
            assert not os.access("/sys/fs/cgroup", os.W_OK) or os.geteuid() != 0 or cgroups._mounts("cgroup2")
            return
        assert all(parent.is_dir() for parent in found.parents.values())
        assert not [p for parent in found.parents.values() for p in parent.glob(f"netwright-{os.getpid()}-9999")]
