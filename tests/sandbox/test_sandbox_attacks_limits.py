"""Attacks by use: processes, memory, disk, output, time. The host counts what is used and what is left."""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from .conftest import Attack


class Crowd:
    """Counts the sandbox's processes while an attack runs."""

    def __init__(self, attack: Attack) -> None:
        self._attack, self._done, self.most = attack, threading.Event(), 0
        self.before = attack.settled

    def __enter__(self) -> Crowd:
        self._thread = threading.Thread(target=self._count)
        self._thread.start()
        return self

    def _count(self) -> None:
        users = {psutil.Process(pid).uids().real for pid in self.before}
        while not self._done.is_set():
            found = [
                one for one in psutil.process_iter(["uids"]) if one.info["uids"] and one.info["uids"].real in users
            ]
            self.most = max(self.most, len(found))
            time.sleep(0.05)

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()


def test_fork_bomb(attack: Attack) -> None:
    with Crowd(attack) as crowd:
        outcome = attack.run(wall_s=3, cpu_s=2, processes=32)
    assert outcome.status in {"timeout", "cpu", "crash"}
    if 0 not in {psutil.Process(pid).uids().real for pid in crowd.before & set(psutil.pids())}:
        assert crowd.most < len(crowd.before) + 48
    assert len(attack.settled) == len(crowd.before)


def test_thread_bomb(attack: Attack) -> None:
    assert 4 <= attack.report(processes=8)["started"] <= 8


def test_memory_of_one(attack: Attack) -> None:
    before = psutil.virtual_memory().available
    outcome = attack.run(memory_mb=128)
    assert outcome.status == "memory"
    assert psutil.virtual_memory().available > before - (1 << 30)


def test_memory_of_many(attack: Attack) -> None:
    count = len(attack.settled)
    assert attack.run(memory_mb=256).status == "memory"
    assert len(attack.settled) == count


def test_memory_unseen(attack: Attack) -> None:
    outcome = attack.run(memory_mb=128)
    assert outcome.status == "memory"


def test_disk(attack: Attack) -> None:
    free = shutil.disk_usage("/").free
    found = attack.report(scratch_mb=16)
    assert found["mib"] <= 16
    assert set(found["errors"]) <= {"ENOSPC", "EFBIG"}
    assert found["many"] == "ENOSPC"
    assert shutil.disk_usage("/").free > free - (1 << 30)


def test_output_flood(attack: Attack) -> None:
    outcome = attack.run()
    assert outcome.status == "output"
    assert len(outcome.stdout) == 4000


def test_note_flood(attack: Attack) -> None:
    outcome = attack.run(wall_s=1)
    assert outcome.status == "timeout"
    assert outcome.note == "n" * 200


def test_result_flood(attack: Attack) -> None:
    outcome = attack.run(result_kb=512)
    assert (outcome.status, outcome.result) == ("result", None)


def test_endless_loop(attack: Attack) -> None:
    count = len(attack.settled)
    outcome = attack.run(wall_s=1.5, cpu_s=60)
    assert outcome.status == "timeout"
    assert attack.run(wall_s=60, cpu_s=1).status == "cpu"
    assert len(attack.settled) == count


def test_endless_sleep(attack: Attack) -> None:
    count = len(attack.settled)
    assert attack.run(wall_s=1).status == "timeout"
    assert len(attack.settled) == count


def test_cpu_of_many(attack: Attack) -> None:
    outcome = attack.run(wall_s=60, cpu_s=1)
    assert outcome.status == "cpu"
    assert outcome.cpu_s < 5


def test_surviving_daemon(attack: Attack) -> None:
    before = attack.settled
    assert attack.report() == {"won": [], "daemons": 3}
    assert attack.residents() == before
