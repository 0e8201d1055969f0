"""Where untrusted code runs: one protocol, several backends, one warm worker."""

from __future__ import annotations

from .protocol import (
    Failure,
    Job,
    Limits,
    Outcome,
    Sandbox,
    SandboxUnavailable,
    Status,
    WorkerImage,
)

BACKENDS = ("bubblewrap", "process")


def open_sandbox(backend: str, image: WorkerImage, workers: int | None = None) -> Sandbox:
    """Start a sandbox.

    Args:
        backend: ``bubblewrap``; or ``process``, which is no security boundary and is never a fallback.
        image: what its workers hold.
        workers: how many; as many as there are usable cores by default.

    Raises:
        SandboxUnavailable: the backend cannot run here; the message says what to install or change.
        ValueError: no backend of that name.
    """
    if backend == "bubblewrap":
        from .bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(image, workers)
    if backend == "process":
        from .process import ProcessSandbox

        return ProcessSandbox(image, workers)
    raise ValueError(f"no sandbox backend {backend!r}; there are {', '.join(BACKENDS)}")


__all__ = [
    "BACKENDS",
    "Failure",
    "Job",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxUnavailable",
    "Status",
    "WorkerImage",
    "open_sandbox",
]
