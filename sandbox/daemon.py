"""The Docker daemon, by its SDK: reach it, name what is ours, make the image, remove what a killed host left."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import platform
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import psutil

from .layout import LINKED
from .protocol import SandboxUnavailable

INSTALL_SDK = "pip install netwright[docker]"
INSTALL_DAEMON = (
    "install and start it, as root: 'apt-get install docker.io' or 'dnf install moby-engine', then "
    "'systemctl start docker'; your user must be root or in the group docker"
)
LABEL = "netwright.host"
"""Label of our containers; its value says which process they belong to."""
REPOSITORY = "netwright-sandbox"
STAGING = "netwright-docker-"
_FOLDERS = ("dev", "etc", "netwright", "proc", "scratch", "sys", "tmp", "usr")
_FOR_ALL = ("scratch", "tmp")
_TIMEOUT_S = 60
_LOCAL = "http+docker://localhost"  # what the SDK makes of a Unix socket
_number = itertools.count()


def connect() -> Any:
    """A client of this machine's daemon, at the socket that ``DOCKER_HOST`` names or the usual one.

    Raises:
        SandboxUnavailable: no SDK, no daemon, or one for other machines; the message says what to do.
    """
    try:
        import docker
    except ImportError as error:
        raise SandboxUnavailable(
            f"the docker sandbox needs the Python package 'docker'; install it: {INSTALL_SDK}"
        ) from error
    try:
        client = docker.from_env(timeout=_TIMEOUT_S)
        told = client.info()
    except docker.errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        why = " (permission denied)" if "Permission denied" in str(error) else ""
        raise SandboxUnavailable(f"the docker sandbox reaches no daemon at {where}{why}; {INSTALL_DAEMON}") from error
    if client.api.base_url != _LOCAL:
        client.close()
        raise SandboxUnavailable(
            "the docker sandbox needs the daemon of this machine, by its Unix socket: it shows this machine's files; "
            f"DOCKER_HOST is {os.environ.get('DOCKER_HOST')}"
        )
    ours = (platform.system().lower(), platform.machine())
    if (told.get("OSType"), told.get("Architecture")) != ours:
        client.close()
        raise SandboxUnavailable(
            f"the docker sandbox needs a daemon for {'/'.join(ours)}, this one runs {told.get('OSType')}/"
            f"{told.get('Architecture')} containers"
        )
    return client


def check_runtime(told: dict[str, Any], runtime: str | None) -> None:
    """Raises :class:`SandboxUnavailable` if the daemon, whose ``info`` is given, does not know a runtime."""
    if runtime is not None and runtime not in told.get("Runtimes", {}):
        raise SandboxUnavailable(
            f"the Docker daemon has no runtime {runtime!r}; install it (Debian: 'apt-get install runsc'), name it "
            "under 'runtimes' in /etc/docker/daemon.json and restart the daemon (docs/sandbox.md has the lines)"
        )


def user_ids(told: dict[str, Any]) -> int:
    """How many user ids containers have, from the daemon's ``info``."""
    options = " ".join(told.get("SecurityOptions") or ())
    return 1 << 16 if "name=rootless" in options or "name=userns" in options else 1 << 32


def host_label(pid: int | None = None) -> str:
    """Machine, process id and start time of a process: no other one ever has the same."""
    process = psutil.Process(pid)
    return f"{platform.node()}:{process.pid}:{process.create_time():.2f}"


def container_name() -> str:
    """A name for the next container of this process."""
    return f"netwright-{os.getpid()}-{next(_number)}"


def sweep(client: Any) -> None:
    """Remove the containers and copies of processes of this machine that are gone.

    A container ends by itself when its host does; this is for one whose worker was stuck at that moment.
    """
    import docker

    for found in client.api.containers(all=True, filters={"label": LABEL}):
        label = found["Labels"][LABEL]
        node, pid, _ = label.rsplit(":", 2)
        if node == platform.node() and not _lives(int(pid), label):
            try:
                client.api.remove_container(found["Id"], force=True)
            except docker.errors.APIError:
                continue  # another process sweeps as well
    for folder in Path(tempfile.gettempdir()).glob(f"{STAGING}*"):
        pid = folder.name.removeprefix(STAGING).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int, label: str) -> bool:
    try:
        return host_label(pid) == label
    except psutil.NoSuchProcess:
        return False


def local_image(client: Any) -> str:
    """Name of an image that holds nothing but empty mount points, made here and now if it is not there.

    No registry is asked: what a container sees comes from this machine, by read-only mounts.
    """
    import docker

    content = _rootfs()
    tag = hashlib.sha256(content).hexdigest()[:16]
    name = f"{REPOSITORY}:{tag}"
    try:
        client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        client.api.import_image_from_data(content, repository=REPOSITORY, tag=tag)
    return name


def image_variables(client: Any, name: str) -> set[str]:
    """Names of the environment variables that an image sets; they are its own and not the host's.

    Raises:
        SandboxUnavailable: there is no such image.
    """
    import docker

    try:
        config = client.api.inspect_image(name)["Config"]
    except docker.errors.ImageNotFound as error:
        raise SandboxUnavailable(
            f"the docker sandbox has no image {name!r}; build it from the Dockerfile beside netwright.sandbox "
            "(docs/sandbox.md has the command), or leave sandbox.docker.image out to show this machine's own files"
        ) from error
    return {entry.partition("=")[0] for entry in config.get("Env") or ()}


def _rootfs() -> bytes:
    """A tar archive of mount points, and of this system's links into /usr; always the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in _FOLDERS:
            archive.addfile(_member(name, tarfile.DIRTYPE))
        for path in LINKED:
            if os.path.islink(path):
                archive.addfile(_member(path[1:], tarfile.SYMTYPE, os.readlink(path)))
            elif os.path.isdir(path):
                archive.addfile(_member(path[1:], tarfile.DIRTYPE))
    return buffer.getvalue()


def _member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    # A tmpfs over a folder takes the folder's mode.
    member.type, member.mode, member.linkname = kind, 0o1777 if name in _FOR_ALL else 0o755, target
    return member
