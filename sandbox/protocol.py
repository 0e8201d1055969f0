"""The sandbox protocol: what a job is, what comes back, and what every backend promises.

A backend runs *handlers* (trusted modules that the caller ships in a :class:`WorkerImage`) on
*untrusted payloads* (source text that a model wrote). The handler and the payload share one process,
so everything that comes back is hostile data: bounded JSON, checked by the host, never pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["ok", "error", "timeout", "cpu", "memory", "output", "result", "crash"]
"""How a job ended.

``ok`` the handler returned; ``error`` it raised; ``timeout`` wall-clock limit; ``cpu`` CPU-time limit;
``memory`` memory limit; ``output`` printed more than allowed; ``result`` its result was missing, malformed
or larger than allowed; ``crash`` the process died (signal, ``os._exit``, segmentation fault).
"""


class Limits(BaseModel):
    """What one job may use. Every limit holds for the job's whole process tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_s: float = Field(default=30.0, gt=0, description="wall-clock seconds")
    cpu_s: float = Field(default=25.0, gt=0, description="CPU seconds")
    memory_mb: int = Field(default=2048, gt=0, description="MiB of memory beyond the warm worker's own")
    processes: int = Field(default=32, gt=0, description="processes and threads")
    scratch_mb: int = Field(default=64, gt=0, description="MiB of tmpfs that the job can write")
    output_kb: int = Field(default=256, gt=0, description="KiB of stdout and stderr together")
    result_kb: int = Field(default=8192, gt=0, description="KiB of JSON result")


class Job(BaseModel):
    """One call of a handler on a payload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handler: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$", description="module.function in the worker image")
    payload: dict[str, Any] = Field(description="JSON-serialisable argument of the handler")
    data: str | None = Field(default=None, description="name of a resident data set of the worker image")
    limits: Limits = Limits()
    address_space: bool = Field(
        default=True, description="limit the address space too; CUDA reserves more of it than any memory limit allows"
    )


class Failure(BaseModel):
    """An exception that the handler let through, as data."""

    error_class: str
    message: str
    line: int | None = Field(default=None, description="line in the candidate's source, where known")
    traceback: str = ""


class Outcome(BaseModel):
    """What is known about a finished job. ``result`` is set only when ``status == "ok"``."""

    status: Status
    result: Any = None
    failure: Failure | None = None
    note: str | None = Field(default=None, description="last progress note the handler wrote, at most 200 characters")
    stdout: str = Field(default="", description="tail of standard output and error, at most 4,000 characters")
    wall_s: float = 0.0
    cpu_s: float = 0.0
    exit_code: int | None = None


@dataclass(frozen=True)
class WorkerImage:
    """What a warm worker holds before it forks.

    Attributes:
        handlers: folder of plain Python modules, put first on the worker's ``sys.path``. A handler is a
            function ``(payload: dict, data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict``.
        preload: modules imported before the first fork. The modules of ``handlers`` are imported as well.
            ``torch._dynamo`` is among the defaults because the first step of any torch optimizer imports it,
            which would cost each fork two CPU seconds.
        data: data set name -> folder of ``*.npy`` files; each is loaded once, as a read-only tensor named by
            its stem, and shared by all forks.
        hidden: folders of this machine that jobs must not see although they lie in what is shown to them (a
            library's copy of a data set's labels, say). Those that do not exist are passed over. The
            ``process`` backend cannot hide anything.
        devices: device files that jobs may use (those of GPUs); those that do not exist are passed over.
        seed_environment: extra environment variables of the worker (never secrets).
    """

    handlers: Path
    preload: tuple[str, ...] = ("torch", "numpy", "torch._dynamo")
    data: Mapping[str, Path] = field(default_factory=dict)
    hidden: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    seed_environment: Mapping[str, str] = field(default_factory=dict)


class DockerOptions(BaseModel):
    """What only the ``docker`` backend has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: str | None = Field(default=None, description="OCI runtime, e.g. runsc for gVisor; null: the daemon's own")
    image: str | None = Field(default=None, description="image with Python and torch; null: this machine's own files")
    recycle_after: int = Field(default=1000, ge=1, description="jobs after which a container is replaced")


class SandboxUnavailable(RuntimeError):
    """The named backend cannot run here; the message says what to install or change."""


@runtime_checkable
class Sandbox(Protocol):
    """A pool of warm workers. ``run`` is thread-safe and blocks until a worker is free."""

    name: str
    isolating: bool
    workers: int

    def run(self, job: Job) -> Outcome: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
