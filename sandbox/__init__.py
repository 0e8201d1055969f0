"""Where untrusted code runs: one protocol, several backends, one warm worker."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from .protocol import (
    DockerOptions,
    Failure,
    Job,
    Limits,
    Outcome,
    Sandbox,
    SandboxUnavailable,
    Status,
    WorkerImage,
)

BACKENDS = ("bubblewrap", "docker", "process")
ISOLATING = ("bubblewrap", "docker")
"""Those that are a boundary, and may so stand in for each other."""


def backend_order(backend: str | Sequence[str]) -> tuple[str, ...]:
    """The backends to try, one after the other.

    Raises:
        ValueError: none, an unknown or a repeated name, or one among several that is no security boundary.
    """
    names = (backend,) if isinstance(backend, str) else tuple(backend)
    for name in names:
        if name not in BACKENDS:
            raise ValueError(f"no sandbox backend {name!r}; there are {', '.join(BACKENDS)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"the order of sandbox backends must name each at most once and at least one, not {names}")
    weak = [name for name in names if name not in ISOLATING]
    if weak and len(names) > 1:
        raise ValueError(
            f"{weak[0]!r} is no security boundary: it is used only when it is named alone, not in an order"
        )
    return names


def open_sandbox(
    backend: str | Sequence[str], image: WorkerImage, workers: int | None = None, docker: DockerOptions | None = None
) -> Sandbox:
    """Start a sandbox.

    Args:
        backend: ``bubblewrap`` or ``docker``; several of them, to take the first that runs here, with a warning
            about each that does not; or ``process``, which is no security boundary and is never a fallback.
        image: what its workers hold.
        workers: how many; as many as there are usable cores by default.
        docker: options of the ``docker`` backend.

    Raises:
        SandboxUnavailable: none of the named backends can run here; the message says what to install or change.
        ValueError: no backend of that name, or an order that is none.
    """
    names = backend_order(backend)
    reasons: list[str] = []
    for name, following in zip(names, (*names[1:], None), strict=True):
        try:
            return _open(name, image, workers, docker)
        except SandboxUnavailable as error:
            if len(names) == 1:
                raise
            reasons.append(f"{name}: {error}")
            if following is not None:
                warnings.warn(f"trying the {following} sandbox, because: {error}", stacklevel=2)
    raise SandboxUnavailable(f"none of the named sandboxes can run here. {'; '.join(reasons)}")


def _open(name: str, image: WorkerImage, workers: int | None, docker: DockerOptions | None) -> Sandbox:
    if name == "bubblewrap":
        from .bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(image, workers)
    if name == "docker":
        from .docker import DockerSandbox

        return DockerSandbox(image, workers, docker)
    from .process import ProcessSandbox

    return ProcessSandbox(image, workers)


__all__ = [
    "BACKENDS",
    "ISOLATING",
    "DockerOptions",
    "Failure",
    "Job",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxUnavailable",
    "Status",
    "WorkerImage",
    "backend_order",
    "open_sandbox",
]
