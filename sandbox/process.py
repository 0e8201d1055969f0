"""The ``process`` backend: limits without walls."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from .environment import data_files, worker_environment
from .layout import INSIDE, site_folders
from .pool import WorkerPool
from .protocol import WorkerImage
from .vessel import Launched, Plan

_START = "import sys; sys.path.insert(0, sys.argv.pop()); from inside.main import main; main()"


class ProcessSandbox(WorkerPool):
    """Runs jobs as plain child processes. THIS IS NO SECURITY BOUNDARY.

    Time, memory, output and result limits hold, and everything a job started is killed at its end; but a job
    has the rights of the user: it can read and write his files, use the network and signal his processes. It
    is for trusted code, and for systems without bubblewrap when somebody names it, never a fallback.
    """

    name = "process"
    isolating = False

    def __init__(self, image: WorkerImage, workers: int | None = None) -> None:
        """As :class:`WorkerPool`; warns that nothing is isolated."""
        warnings.warn(
            "the 'process' sandbox is no security boundary: untrusted code has all rights of this user",
            stacklevel=2,
        )
        super().__init__(image, workers)

    def _vessel(self, slot: int) -> Launched:
        handlers = Path(self._image.handlers)
        if not handlers.is_dir():
            raise FileNotFoundError(f"{handlers} is not a folder of handlers")
        plan = Plan(
            command=[sys.executable, "-s", "-S", "-B", "-P", "-c", _START, str(INSIDE.parent)],
            environment=worker_environment(self._image, "/tmp"),
            configuration={
                "isolating": False,
                "group": False,
                "gauge_memory": True,
                "handlers": str(handlers.resolve()),
                "sites": [str(path) for path in site_folders()],
                "preload": list(self._image.preload),
            },
            data=data_files(self._image),
        )
        return Launched(plan)
