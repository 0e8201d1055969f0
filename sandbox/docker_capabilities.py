"""What the docker backend can really enforce on this machine: short where there is no daemon, which is no fault."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .bubblewrap import obstacle
from .capabilities import Capability, look_around
from .daemon import INSTALL_DAEMON, INSTALL_SDK, connect
from .docker import DockerSandbox
from .protocol import DockerOptions, SandboxUnavailable, WorkerImage

_OPTIONAL = "only if you want the docker sandbox:"
_GVISOR = "a newer runsc: it must offer process descriptors, user and mount namespaces, and control groups"
_RUNSC = "runsc"


def docker_capabilities() -> list[Capability]:
    """The daemon, and if it answers, each wall of a container and of gVisor; takes a few seconds at most."""
    try:
        client = connect()
    except SandboxUnavailable as error:
        remedy = INSTALL_SDK if INSTALL_SDK in str(error) else INSTALL_DAEMON
        return [Capability("Docker daemon", False, str(error).partition(";")[0], f"{_OPTIONAL} {remedy}")]
    try:
        told = client.info()
    finally:
        client.close()
    detail = f"version {told.get('ServerVersion')}, {told.get('Driver')}, control groups {told.get('CgroupVersion', 1)}"
    daemon = Capability("Docker daemon", True, detail, None)
    return [daemon, *_backend(), *_gvisor(told)]


def _backend() -> list[Capability]:
    with tempfile.TemporaryDirectory(prefix="netwright-doctor-") as folder:
        try:
            with DockerSandbox(WorkerImage(Path(folder), preload=()), workers=1) as sandbox:
                image = Capability("image", True, sandbox.image_name, None)
                return [image, *look_around(sandbox)]
        except SandboxUnavailable as error:
            remedy = obstacle() or "the detail says what failed; see docs/sandbox.md"
            return [Capability("docker sandbox", False, str(error)[:500], remedy)]


def _gvisor(told: dict[str, Any]) -> list[Capability]:
    """Whether a worker runs under gVisor; nothing where the daemon does not know it."""
    name = "gVisor runtime"
    if _RUNSC not in (told.get("Runtimes") or {}):
        return []
    with tempfile.TemporaryDirectory(prefix="netwright-doctor-") as folder:
        image = WorkerImage(Path(folder), preload=())
        try:
            with DockerSandbox(image, workers=1, options=DockerOptions(runtime=_RUNSC)):
                return [Capability(name, True, "a container under runsc starts, and its walls stand", None)]
        except SandboxUnavailable as error:
            return [Capability(name, False, str(error).strip().splitlines()[-1][:300], _GVISOR)]
