"""What ``doctor`` says about the sandbox is found by trying, and has a remedy where something is missing."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from netwright.sandbox import SandboxUnavailable, WorkerImage, bubblewrap, open_sandbox
from netwright.sandbox.capabilities import capabilities


def test_every_wall_is_in_force_here() -> None:
    before = len(psutil.Process().children(recursive=True))
    found = {one.name: one for one in capabilities()}
    optional = {"memory limit by control group"}
    assert not [one for one in found.values() if not one.in_force and one.name not in optional]
    assert all(one.detail for one in found.values())
    assert all((one.remedy is None) == one.in_force for one in found.values())
    assert {"seccomp filter", "io_uring blocked", "network namespace", "unprivileged user"} <= set(found)
    assert "no boundary" in " ".join(found)
    assert len(psutil.Process().children(recursive=True)) == before


def test_without_bubblewrap_it_says_how_to_install(monkeypatch: pytest.MonkeyPatch, handlers: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match=r"apt-get install bubblewrap.*dnf install bubblewrap"):
        open_sandbox("bubblewrap", WorkerImage(handlers, preload=()))
    found = {one.name: one for one in capabilities()}
    assert not found["bubblewrap"].in_force
    assert "apt-get install bubblewrap" in (found["bubblewrap"].remedy or "")
    assert [name for name, one in found.items() if one.in_force] == ["process backend (no boundary)"]


def test_a_bubblewrap_that_fails_is_not_replaced_by_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, handlers: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    os.chmod(tmp_path, 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SandboxUnavailable, match="could not start a worker"):
        open_sandbox("bubblewrap", WorkerImage(handlers, preload=()), workers=1)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("user/max_user_namespaces", "0", "max_user_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
    ],
)
def test_the_setting_in_the_way_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, word: str
) -> None:
    monkeypatch.setattr(bubblewrap, "SETTINGS", tmp_path)
    assert bubblewrap.obstacle() is None
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("4321\n")
    assert bubblewrap.obstacle() is None
    (tmp_path / name).write_text(f"{value}\n")
    assert word in (bubblewrap.obstacle() or "")
