"""A job as a folder: each file is written whole or not at all, so that whoever reads it finds the truth.

``job.json`` says what was asked, ``started.json`` that a process was made for it and which, ``progress.jsonl`` how far
it is, ``result.json`` what came of it and, after that, ``end.json`` how it ended. The file ``lock`` is locked for as
long as the job's process lives: that, and no number of a process, tells whether it does.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ...memory.files import write_whole
from .model import CANCELLED, Job, JobError, JobState, Progress

QUEUE: Final = "queue"
"""Folder beside the jobs' with an empty file for each that waits for its turn."""
_TAIL: Final = 4096  # bytes; a line of progress has fewer


def stamp() -> str:
    """Now, as the files say it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_json(path: Path, value: Any) -> None:
    """Write a document so that it is there as a whole, and still after a power cut, or not at all."""
    write_whole(path, json.dumps(value).encode())


def read_json(path: Path) -> Any:
    """The document in a file, ``None`` where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def is_locked(path: Path) -> bool:
    """Whether some process holds a lock file."""
    try:
        with path.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class JobFolder:
    """One job's files.

    Args:
        path: ``<home>/jobs/<id>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.log = path / "output.log"
        self.marker = path.parent / QUEUE / path.name

    @classmethod
    def create(cls, path: Path, asked: dict[str, Any]) -> JobFolder:
        """Make the folder of a new job: it appears under its name when all is in it."""
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
        write_json(made / "job.json", asked)
        (made / "lock").touch()
        made.rename(path)
        return cls(path)

    def asked(self) -> dict[str, Any]:
        """What was asked: ``tool``, ``arguments``, ``settings`` and ``created``.

        Raises:
            JobError: there is no such job.
        """
        told: dict[str, Any] | None = read_json(self.path / "job.json")
        if told is None:
            raise JobError(f"there is no job {self.path.name}: list the jobs to see which there are")
        return told

    def started(self) -> dict[str, Any] | None:
        """When a process was made for it, and its id as soon as it runs."""
        told: dict[str, Any] | None = read_json(self.path / "started.json")
        return told

    def start(self, pid: int | None) -> None:
        """Note that a process was made; by the board before and after, then by the process itself."""
        before = self.started() or {"at": stamp()}
        write_json(self.path / "started.json", {**before, "pid": pid})

    def take_back(self) -> None:
        """Note that it is being cancelled: who looks after its process is gone need not wait for :meth:`end`."""
        write_json(self.path / "cancel.json", {"at": stamp()})

    def end(self, state: JobState, error: str | None = None) -> None:
        """Note how it ended; the first to say so is believed, for a process and its canceller may both want to."""
        handle, name = tempfile.mkstemp(dir=self.path, prefix=".end.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"state": state, "error": error, "at": stamp()}, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, self.path / "end.json")
        except FileExistsError:
            pass  # it has ended already, in the way that is written there
        finally:
            Path(name).unlink(missing_ok=True)

    def ended(self) -> dict[str, Any] | None:
        """How it ended, ``None`` while it has not."""
        told: dict[str, Any] | None = read_json(self.path / "end.json")
        return told

    def put_result(self, result: Any) -> None:
        """Keep the result; :meth:`end` comes after it."""
        write_json(self.path / "result.json", result)

    def result(self) -> Any:
        """The result that was kept."""
        return read_json(self.path / "result.json")

    def progress(self) -> Progress | None:
        """The newest line of progress; one that is being written is left out."""
        try:
            with (self.path / "progress.jsonl").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        return Progress.model_validate_json(lines[-1]) if lines else None

    def steps(self, begin: int = 0) -> tuple[list[Progress], int]:
        """Whole lines of progress from byte ``begin`` on, and where the next ones begin."""
        try:
            with (self.path / "progress.jsonl").open("rb") as file:
                file.seek(begin)
                whole = file.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            return [], begin
        lines = whole.split(b"\n") if whole else []
        return [Progress.model_validate_json(line) for line in lines], begin + len(whole) + (1 if lines else 0)

    def alive(self) -> bool:
        """Whether its process, or one that it made, lives."""
        return is_locked(self.lock)

    def job(self) -> Job:
        """All that is known of it now.

        Raises:
            JobError: there is no such job.
        """
        asked, started = self.asked(), self.started()
        state, ended, error = self._state(started)
        return Job(
            id=self.path.name,
            tool=asked["tool"],
            state=state,
            created=asked["created"],
            started=started["at"] if started else None,
            ended=ended,
            progress=self.progress(),
            error=error,
        )

    def _state(self, started: dict[str, Any] | None) -> tuple[JobState, str | None, str | None]:
        """State, time of its end and what went wrong."""
        ended = self.ended()
        if ended is None and self.marker.exists():
            return "queued", None, None
        # The lock is looked at before the end is looked for again: a process ends after it has said so.
        alive = self.alive()
        ended = self.ended()
        if ended is not None:
            return ended["state"], ended["at"], ended["error"]
        if alive:
            return "running", None, None
        taken_back: dict[str, Any] | None = read_json(self.path / "cancel.json")
        if taken_back is not None:
            return "cancelled", taken_back["at"], CANCELLED
        why = "its process died (killed, or the machine went down)" if started else "it was given up before its start"
        return "interrupted", None, f"{why}: submit it again; what is on record is not done twice"
