"""Trouble that passes is waited for, a fault is not; what waits can be stopped, gives up in the end, and says why."""

from __future__ import annotations

import errno
import itertools
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import openai
import pytest
from langgraph.runtime import RunControl
from netwright.graphs.config import Config, ConfigError, load_config
from netwright.graphs.journal import JOURNAL, Happening, happenings, note
from netwright.graphs.morning import interruptions
from netwright.graphs.overnight import ADAPTERS, NIGHT_S, for_the_night
from netwright.graphs.service_settings import SupervisionSettings
from netwright.graphs.standing import Waiting, ask, asked, beat, heartbeat, launched, starting
from netwright.graphs.supervision import AttemptControl, CampaignGaveUp, Supervisor
from netwright.graphs.troubles import DiskLow, Trouble, check_disk, trouble_of
from netwright.memory.records import Records
from netwright.memory.rows import Campaign
from netwright.tools.protocols import default_protocol
from netwright.tools.serving.client import Connection, RequestRefused, ServerUnreachable
from netwright.tools.tasks import task_info
from sqlalchemy.exc import OperationalError

FAST = SupervisionSettings(enabled=True, first_s=0.05, most_s=0.2, give_up_s=60)


def answered(status: int, **headers: str) -> openai.APIStatusError:
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    kind = openai.RateLimitError if status == 429 else openai.InternalServerError
    return kind("no", response=httpx.Response(status, headers=headers, request=request), body=None)


def of_database(text: str) -> OperationalError:
    return OperationalError("insert", {}, sqlite3.OperationalError(text))


def unreachable() -> ServerUnreachable:
    """The real error of a port at which nothing listens."""
    with pytest.raises(ServerUnreachable) as caught:
        Connection("http://127.0.0.1:9/v1").models()
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
        (of_database("database or disk is full"), "disk"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk"),
        (DiskLow(errno.ENOSPC, "2 MiB are free"), "disk"),
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory"),
        (of_database("database is locked"), "records"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "model"),
        (httpx.ReadTimeout("late"), "model"),
        (answered(503), "model"),
        (answered(429), "model"),
        (RequestRefused("the server refused: 500", 500), "model"),
    ],
)
def test_trouble_that_passes(error, kind):
    found = trouble_of(error)
    assert found is not None
    assert found.kind == kind
    assert found.advice


def test_a_server_that_is_away_is_trouble_also_as_the_cause_of_another_error():
    try:
        raise RuntimeError("the model cannot be opened") from unreachable()
    except RuntimeError as error:
        found = trouble_of(error)
    assert found is not None
    assert found.kind == "model"


@pytest.mark.parametrize(
    "error",
    [
        TypeError("no"),
        ValueError("no"),
        FileNotFoundError(errno.ENOENT, "no file"),
        RequestRefused("the key is refused", 401),
        RequestRefused("the prompt is too long", 400),
        of_database("no such table: trials"),
        KeyboardInterrupt(),
    ],
)
def test_faults_are_not_waited_for(error):
    assert trouble_of(error) is None


def test_a_fault_in_the_handling_of_an_outage_is_a_fault():
    slip = TypeError("a slip in the handler")
    slip.__context__ = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    assert trouble_of(slip) is None


def test_retry_after_in_both_forms():
    told = trouble_of(answered(429, **{"retry-after": "17"}))
    assert told is not None
    assert told.retry_after_s == 17
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    told = trouble_of(answered(429, **{"retry-after": later}))
    assert told is not None
    assert told.retry_after_s is not None
    assert 90 < told.retry_after_s <= 100
    assert trouble_of(answered(429, **{"retry-after": "soon"})).retry_after_s is None


def register(records: Records) -> None:
    """A campaign called c."""
    task, protocol = task_info("digits").task, default_protocol("digits")
    records.add_task(task)
    records.add_protocol(protocol)
    records.create_campaign(Campaign(id="c", task_id=task.id, protocol_hash=protocol.hash, config={"campaign": {}}))


@pytest.fixture
def registered(netwright_home: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{netwright_home}/own-{time.monotonic_ns()}.db") as records:
        register(records)
        yield records


def supervisor(records: Records, folder: Path, settings: SupervisionSettings = FAST, told: list | None = None):
    return Supervisor("c", records, folder, settings, seed=3, tell=(told if told is not None else []).append)


def test_waits_double_up_to_a_cap_and_the_seed_fixes_their_jitter(registered, tmp_path):
    settings = SupervisionSettings(enabled=True, first_s=4, most_s=60)
    trouble = Trouble(kind="model", reason="away")
    one, other = (supervisor(registered, tmp_path, settings) for _ in range(2))
    waits = [one.delay_s(n, trouble) for n in range(1, 200)]
    assert waits == [other.delay_s(n, trouble) for n in range(1, 200)]
    for n, wait in enumerate(waits, start=1):
        full = min(60.0, 4 * 2.0 ** min(n - 1, 60))
        assert full / 2 <= wait <= full
    assert one.delay_s(1, trouble.model_copy(update={"retry_after_s": 99.0})) == 99.0


def test_state_says_why_and_until_when(registered, tmp_path):
    told: list[Trouble] = []
    one = supervisor(registered, tmp_path, told=told)
    seen: list[Waiting | None] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            sign = heartbeat(tmp_path)
            seen.append(sign.waiting if sign else None)
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    assert one.wait(unreachable(), RunControl())
    watching.set()
    thread.join()
    stored = registered.get_campaign("c")
    assert stored.state == "waiting"
    assert "waiting (model) until" in (stored.stop_reason or "")
    assert "start the model's server" in (stored.stop_reason or "")
    waiting = next(one for one in seen if one is not None)
    assert waiting.next_try > waiting.since
    assert one.wait(unreachable(), RunControl())
    assert [one.kind for one in told] == ["model"], "one trouble is told once"
    one.went_on()
    assert [(h.what, h.kind, h.tries) for h in happenings(tmp_path)] == [
        ("waiting", "model", None),
        ("recovered", "model", 2),
    ]
    assert one.unpaid_s > 0


def test_a_fault_is_not_retried_and_nothing_is_without_supervision(registered, tmp_path):
    assert not supervisor(registered, tmp_path).wait(TypeError("no"), RunControl())
    assert not supervisor(registered, tmp_path, SupervisionSettings()).wait(MemoryError(), RunControl())
    assert happenings(tmp_path) == []


def test_a_stop_ends_a_wait_at_once(registered, tmp_path):
    one = supervisor(registered, tmp_path, SupervisionSettings(enabled=True, first_s=500, most_s=500))
    control = RunControl()
    threading.Timer(0.3, control.request_drain, args=("terminated",)).start()
    assert one.wait(MemoryError(), control), "the caller then drains"
    assert one.unpaid_s < 100


def test_patience_ends(registered, tmp_path):
    one = supervisor(registered, tmp_path, SupervisionSettings(enabled=True, first_s=0.01, most_s=0.05, give_up_s=0.2))
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(CampaignGaveUp, match=r"gave up after .* make room on the disk"):
        all(one.wait(full, RunControl()) for _ in range(100))


def test_a_wait_is_not_longer_than_the_budget(registered, tmp_path):
    one = supervisor(registered, tmp_path, SupervisionSettings(enabled=True, first_s=500, most_s=500))
    assert one.wait(MemoryError(), RunControl(), left_s=0.1)
    assert one.unpaid_s < 100


def test_records_that_are_the_trouble_do_not_end_the_wait(registered, tmp_path, netwright_home):
    """A second process holds the lock of the records for good: the heartbeat says what the records cannot take."""
    registered._engine.dispose()
    other = sqlite3.connect(registered._engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netwright.memory.database.BUSY_TIMEOUT_MS", 50)
        assert supervisor(registered, tmp_path).wait(of_database("database is locked"), RunControl())
    other.close()
    assert registered.get_campaign("c").state == "running"
    assert heartbeat(tmp_path).waiting.kind == "records"


def test_an_attempt_drains_with_the_whole_and_not_the_other_way():
    whole = RunControl()
    first, second = AttemptControl(whole), AttemptControl(whole)
    first.request_drain("its clock failed")
    assert first.drain_requested
    assert not second.drain_requested
    whole.request_drain("terminated")
    assert second.drain_reason == "terminated"
    assert first.drain_reason == "its clock failed"


def test_floor_of_free_disk(netwright_home):
    check_disk(0)
    with pytest.raises(DiskLow, match=r"MiB of disk are free, supervision\.disk_floor_mb wants 1e\+12"):
        check_disk(1e12)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_that_is_full_and_then_has_room_again(tmp_path):
    """Records on 16 MiB of tmpfs: SQLite's real error, then a wait in which somebody makes room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with Records(f"sqlite:///{disk}/records.db") as records:
            register(records)
            ballast = disk / "ballast"
            with pytest.raises(OSError, match="No space left"):
                ballast.write_bytes(bytes(64 * 2**20))
            one = supervisor(records, tmp_path)
            failures = []
            while len(failures) < 5:
                try:
                    for number in range(600):
                        records.spend("c", f"wall/{number}", wall_s=1)
                    break
                except Exception as error:
                    failures.append(one.wait(error, RunControl()))
                    ballast.unlink(missing_ok=True)
            assert failures == [True]
            assert records.get_campaign("c").wall_s == 600, "each piece is counted once, whatever failed between"
            assert happenings(tmp_path)[0].kind == "disk"
    finally:
        subprocess.run(["umount", disk], check=True)


def test_journal_passes_over_half_a_line(tmp_path):
    note(tmp_path, Happening(what="begun"))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"at": "2026-01')
    assert [one.what for one in happenings(tmp_path)] == ["begun"]


def test_interruptions_of_a_night():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [
        Happening(at=start, what="begun"),
        Happening(at=start + timedelta(seconds=10), what="waiting", kind="model", reason="away"),
        Happening(at=start + timedelta(seconds=70), what="recovered", kind="model", seconds=60, tries=4),
        Happening(at=start + timedelta(seconds=80), what="waiting", kind="disk", reason="full"),
        Happening(at=start + timedelta(seconds=90), what="killed", reason="the machine went down", seconds=5),
        Happening(at=start + timedelta(seconds=91), what="begun"),
        Happening(at=start + timedelta(seconds=99), what="ended", reason="budget: 1 cycles"),
    ]
    found = list(interruptions(lines))
    assert [(one.what, one.seconds) for one in found] == [("waited", 60), ("waited", 10), ("killed", 5)]
    assert found[0].tries == 4


def test_a_reason_to_stop_reaches_the_process_that_it_is_meant_for(tmp_path):
    ask(tmp_path, 123, "needs the machine")
    assert asked(tmp_path, 124) is None
    assert asked(tmp_path, 123) == "needs the machine"
    launched(tmp_path, os.getpid())
    assert starting(tmp_path).pid == os.getpid()
    beat(tmp_path)
    sign = heartbeat(tmp_path)
    assert sign.pid == os.getpid()
    assert not sign.elsewhere


def test_what_a_night_sets():
    night = for_the_night(Config())
    assert (night.budget.wall_s, night.budget.cycles) == (NIGHT_S, None)
    assert night.supervision.enabled
    assert night.retention.adapters == ADAPTERS
    named = for_the_night(load_config(overrides=["budget.cycles=3", "budget.wall_s=60", "retention.adapters=2"]))
    assert (named.budget.wall_s, named.budget.cycles, named.retention.adapters) == (60, 3, 2)
    stored = load_config(base=Config().model_dump(mode="json"))
    resumed = for_the_night(stored, spent_s=100, resumed=True)
    assert (resumed.budget.wall_s, resumed.budget.cycles) == (NIGHT_S + 100, 6)
    with pytest.raises(ConfigError, match="supervises"):
        for_the_night(load_config(overrides=["supervision.enabled=false"]))


def test_troubles_that_take_turns_end_patience_too(registered, tmp_path):
    one = supervisor(registered, tmp_path, SupervisionSettings(enabled=True, first_s=0.01, most_s=0.05, give_up_s=0.3))
    turns = itertools.cycle((MemoryError(), OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(CampaignGaveUp):
        all(one.wait(next(turns), RunControl()) for _ in range(200))
    assert {one.kind for one in happenings(tmp_path)} == {"memory", "disk"}
