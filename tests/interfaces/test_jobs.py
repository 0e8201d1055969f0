"""The job board with real processes: what it promises of each job's end, of the queue, and of kills."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from netwright.interfaces.jobs.board import JobBoard
from netwright.interfaces.jobs.folder import JobFolder
from netwright.interfaces.jobs.model import JobError, QueueFull

REGISTRY = "job_tools:registry"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs find the tools of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def board(netwright_home: Path) -> Iterator[JobBoard]:
    with JobBoard(netwright_home, at_once=2, most_queued=3, registry=REGISTRY) as made:
        yield made
        for job in made.list():
            made.cancel(job.id)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_a_job_completes_and_others_can_read_it(board: JobBoard, netwright_home: Path) -> None:
    job = board.submit("sleep", {"seconds": 0.1})
    assert job.state in {"queued", "running"}
    ended = board.wait(job.id, 60)
    assert (ended.state, ended.error) == ("complete", None)
    assert ended.progress is not None
    assert (ended.progress.done, ended.progress.total, ended.progress.message) == (2, 2, "awake")
    lines = (netwright_home / "jobs" / job.id / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["starting", "sleeping", "awake"]
    with JobBoard(netwright_home, dispatch=False) as other:
        assert other.result(job.id)["pid"] != os.getpid()
        assert other.arguments(job.id) == {"seconds": 0.1}
        assert [one.id for one in other.list()] == [job.id]


def test_failures_say_why_and_show_no_traceback(board: JobBoard) -> None:
    failing, faulty = board.submit("fail", {}), board.submit("broken", {})
    assert board.wait(failing.id, 60).error == "cannot sleep: the neighbours sing; ask again tomorrow"
    told = board.wait(faulty.id, 60)
    assert told.state == "failed"
    assert told.error is not None
    assert "KeyError" in told.error
    assert "Traceback" not in told.error
    with pytest.raises(JobError, match="has no result, it is failed"):
        board.result(faulty.id)


def test_a_killed_process_is_found_out(board: JobBoard) -> None:
    job = board.submit("die", {})
    ended = board.wait(job.id, 60)
    assert ended.state == "interrupted"
    assert "submit it again" in (ended.error or "")


def test_cancelling_ends_the_whole_tree(board: JobBoard, tmp_path: Path) -> None:
    note = tmp_path / "note"
    job = board.submit("stubborn", {"seconds": 600, "note": str(note)})
    until(note.exists)
    until(lambda: "sleeping" in str(board.status(job.id).progress))
    child = int(note.read_text().split()[0])
    began = time.monotonic()
    cancelled = board.cancel(job.id)
    # The bound of the promise, and no measure of this machine: a stubborn job has one second before it is killed.
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert time.monotonic() - began < 2
    assert cancelled.state == "cancelled"
    assert board.cancel(job.id) == cancelled


def test_a_job_can_be_cancelled_before_its_process_is_up(
    netwright_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(300)")  # a machine that starts nothing soon
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with JobBoard(netwright_home, at_once=1, registry=REGISTRY) as board:
        job = board.submit("sleep", {})
        until(lambda: board.status(job.id).state == "running")
        assert board.cancel(job.id).state == "cancelled"
        assert not JobFolder(netwright_home / "jobs" / job.id).alive()


def test_a_job_whose_process_went_by_its_canceller_is_cancelled(netwright_home: Path) -> None:
    """Whoever looks between the end of the process and the canceller's note does not read that the machine failed."""
    with JobBoard(netwright_home, dispatch=False, registry=REGISTRY) as board:
        job = board.submit("sleep", {})
        folder = JobFolder(netwright_home / "jobs" / job.id)
        folder.start(None)
        folder.marker.unlink()
        assert board.status(job.id).state == "interrupted"
        folder.take_back()
        assert board.status(job.id).state == "cancelled"
        folder.end("complete")
        assert board.status(job.id).state == "complete"


def test_what_lies_in_the_queue_for_no_job_stops_nobody(board: JobBoard, netwright_home: Path) -> None:
    jobs = netwright_home / "jobs"
    with JobBoard(netwright_home, dispatch=False) as looking:
        ended = looking.submit("sleep", {"note": str(netwright_home / "note")})
        JobFolder(jobs / ended.id).end("cancelled", "by one that died before it took the job out of the queue")
        (jobs / "queue" / f"job-{0:016x}-{0:08x}").touch()
        assert board.wait(board.submit("sleep", {}).id, 60).state == "complete"
        assert looking.status(ended.id).state == "cancelled"
    until(lambda: not list((jobs / "queue").iterdir()))
    assert not (netwright_home / "note").exists()


def test_a_board_that_cannot_start_a_job_tries_again(
    board: JobBoard, netwright_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = JobFolder.start, [OSError(errno.ENOSPC, "no space left on device")]

    def start(folder: JobFolder, pid: int | None) -> None:
        if full:
            raise full.pop()
        real(folder, pid)

    monkeypatch.setattr(JobFolder, "start", start)
    assert board.wait(board.submit("sleep", {}).id, 60).state == "complete"
    assert not full


def test_a_polite_job_stops_by_itself(board: JobBoard) -> None:
    job = board.submit("sleep", {"seconds": 600})
    until(lambda: "sleeping" in str(board.status(job.id).progress))
    assert board.cancel(job.id).state == "cancelled"
    assert board.wait(job.id, 0).error == "cancelled by the caller"


def test_the_queue_is_bounded_and_keeps_its_order(netwright_home: Path, tmp_path: Path) -> None:
    with JobBoard(netwright_home, at_once=1, most_queued=2, registry=REGISTRY) as one:
        blocking = one.submit("sleep", {"seconds": 600})
        until(lambda: one.status(blocking.id).state == "running")
        first, second = (one.submit("sleep", {"note": str(tmp_path / name)}) for name in ("first", "second"))
        with pytest.raises(QueueFull, match="2 jobs wait already"):
            one.submit("sleep", {})
        assert [one.status(job.id).state for job in (first, second)] == ["queued", "queued"]
        assert one.cancel(second.id).state == "cancelled"
        third = one.submit("sleep", {"note": str(tmp_path / "third")})
        one.cancel(blocking.id)
        assert one.wait(third.id, 60).state == one.wait(first.id, 60).state == "complete"
        assert not (tmp_path / "second").exists()
        assert began(tmp_path / "third") > began(tmp_path / "first")


def began(path: Path) -> float:
    return float(path.read_text().split()[1])


def test_what_waits_is_started_by_the_next_board(netwright_home: Path) -> None:
    with JobBoard(netwright_home, dispatch=False) as looking:
        job = looking.submit("sleep", {})
        assert looking.wait(job.id, 0.3).state == "queued"
        with JobBoard(netwright_home, registry=REGISTRY):
            assert looking.wait(job.id, 60).state == "complete"


def test_two_boards_share_the_slots(netwright_home: Path, tmp_path: Path) -> None:
    with (
        JobBoard(netwright_home, at_once=1, registry=REGISTRY) as one,
        JobBoard(netwright_home, at_once=1, registry=REGISTRY) as other,
    ):
        notes = [tmp_path / str(number) for number in range(3)]
        jobs = [
            place.submit("sleep", {"seconds": 0.2, "note": str(note)})
            for place, note in zip((one, other, one), notes, strict=True)
        ]
        assert [one.wait(job.id, 90).state for job in jobs] == ["complete"] * 3
    spans = sorted(tuple(float(line.split()[1]) for line in note.read_text().splitlines()) for note in notes)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


SERVER = """
import sys, time
from pathlib import Path
from netwright.interfaces.jobs.board import JobBoard
board = JobBoard(Path(sys.argv[1]), registry="job_tools:registry")
print(board.submit("sleep", {"seconds": 1, "note": sys.argv[2]}).id, flush=True)
time.sleep(600)
"""


def test_a_job_outlives_a_killed_server(netwright_home: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    command = [sys.executable, "-c", SERVER, str(netwright_home), str(note)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        job = server.stdout.readline().strip()
        until(note.exists)
        server.send_signal(signal.SIGKILL)
    with JobBoard(netwright_home) as next_one:
        assert next_one.status(job).state == "running"
        assert next_one.wait(job, 60).state == "complete"


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "job-1", "", "job-" + "0" * 16 + "-" + "0" * 8 + "\n"])
def test_only_ids_name_jobs(board: JobBoard, name: str) -> None:
    for ask in (board.status, board.result, board.cancel, board.arguments):
        with pytest.raises(JobError):
            ask(name)
    with pytest.raises(JobError, match="there is no job"):
        board.status("job-" + "0" * 16 + "-" + "0" * 8)


def test_the_first_end_is_the_one_that_counts(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path / "job", {"tool": "sleep", "created": "now"})
    folder.end("complete")
    folder.end("cancelled", "too late")
    assert (folder.job().state, folder.job().error) == ("complete", None)
