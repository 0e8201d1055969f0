"""What GPUs need: device files that are shown by name, and address space beyond the memory limit."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.sandbox import Job, Limits, Sandbox, WorkerImage, open_sandbox

RESERVE = """
import mmap
MAP_NORESERVE = 0x4000
mmap.mmap(-1, 16 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
result = {"reserved": True}
"""


@pytest.fixture
def device() -> Iterator[Path]:
    """A character device of a name of its own, with the numbers of /dev/null."""
    path = Path("/dev") / f"netwright-test-{os.getpid()}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes device files")
    path.chmod(0o666)
    yield path
    path.unlink()


@pytest.mark.parametrize("backend", ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def test_named_devices_are_there_and_no_others(backend: str, handlers: Path, device: Path) -> None:
    source = f"""
import os
with open({str(device)!r}, "wb") as stream:
    stream.write(b"x")
result = {{"there": sorted(name for name in os.listdir("/dev") if name.startswith(("netwright", "nvidia")))}}
"""
    image = WorkerImage(handlers, preload=(), devices=(device, Path("/dev/nvidia-that-is-not-here")))
    with open_sandbox(backend, image, workers=1) as sandbox:
        outcome = sandbox.run(Job(handler="candidate.run", payload={"source": source}))
    assert outcome.status == "ok", outcome
    assert outcome.result == {"there": [device.name]}


def test_address_space_is_limited_unless_a_job_says_otherwise(bubblewrap: Sandbox) -> None:
    def reserve(address_space: bool) -> str:
        job = Job(
            handler="candidate.run",
            payload={"source": RESERVE},
            limits=Limits(memory_mb=256),
            address_space=address_space,
        )
        return bubblewrap.run(job).status

    assert reserve(address_space=False) == "ok"
    assert reserve(address_space=True) == "memory"
