"""The process of one job: ``python -m netwright.interfaces.jobs.work FOLDER REGISTRY LOCK SLOT``.

Started by the board, which hands it two locked files; they stay locked until this process and all that it made are
gone. SIGTERM takes the job back: tools that look at ``Context.cancelled`` stop at a safe point, in any other the
interrupt that follows unwinds to here, and closes what is open on its way.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from ...tools.registry import Cancelled, Context, Registry, ToolError
from ..toolbox.shared import Shared
from ..toolbox.words import explain_error
from .folder import JobFolder
from .model import CANCELLED, Progress

LEAST_S: Final = 0.2
"""Seconds between two lines that say the same at first; they grow apart, so that hours of work leave a small file."""
_MOST_MESSAGE: Final = 500
_MOST_LINES: Final = 1000

_log = logging.getLogger(__name__)


class Reporter:
    """Writes progress as lines of JSON; thread-safe.

    Args:
        path: the file, added to.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._lines, self._next, self._said = 0, 0.0, ""

    def __call__(self, done: float, total: float | None, message: str) -> None:
        with self._lock:
            moment = time.monotonic()
            said = message == self._said or self._lines > _MOST_LINES
            if said and moment < self._next and (total is None or done < total):
                return
            line = Progress(done=done, total=total, message=message[:_MOST_MESSAGE])
            self._file.write(line.model_dump_json() + "\n")
            self._file.flush()
            self._lines, self._said = self._lines + 1, message
            self._next = moment + max(LEAST_S, self._lines / 500)


def main(path: str, registry: str, *files: str) -> int:
    """Run the job of a folder and write down how it ended; the exit code of the process."""
    for file in files:  # for us alone: not for what we start
        os.set_inheritable(int(file), False)
    folder, cancelled = JobFolder(Path(path)), threading.Event()

    def take_back(number: int, frame: FrameType | None) -> None:
        cancelled.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, take_back)
    try:
        folder.start(os.getpid())
        module, _, name = registry.partition(":")
        make: Callable[[], Registry] = getattr(importlib.import_module(module), name)
        _run(folder, make(), cancelled)
    except (KeyboardInterrupt, Cancelled):
        folder.end("cancelled", CANCELLED)
        return 130
    except Exception as error:
        if not isinstance(error, ToolError):
            _log.exception("job %s", folder.path.name)
        folder.end("failed", explain_error(error))
        return 1
    folder.end("complete")
    return 0


def _run(folder: JobFolder, registry: Registry, cancelled: threading.Event) -> None:
    asked = folder.asked()
    tool, reporter = registry[asked["tool"]], Reporter(folder.path / "progress.jsonl")
    reporter(0, None, "starting")
    with Shared(asked["settings"]) as shared:
        result = tool.run(asked["arguments"], Context(shared=shared, report=reporter, cancelled=cancelled))
        folder.put_result(result.model_dump(mode="json"))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(*sys.argv[1:]))
