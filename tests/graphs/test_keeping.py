"""What a campaign keeps on disk stays small, and what dead processes left is found: adapters, checkpoints, trials."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import Config, load_config
from netwright.graphs.journal import Happening, happenings, note
from netwright.graphs.locking import one_process
from netwright.graphs.logs import campaign_log
from netwright.graphs.recovery import recover_trials
from netwright.graphs.retention import open_checkpoints, prune_adapters, prune_checkpoints
from netwright.graphs.runner import _note_beginning
from netwright.graphs.service_settings import RetentionSettings
from netwright.graphs.services import SPENT, Services
from netwright.graphs.sizes import campaign_sizes, mark_beginning
from netwright.graphs.standing import HEARTBEAT, beat
from netwright.memory.adapters import AdapterStore
from netwright.memory.home import home_folder
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Cycle, Generation
from netwright.memory.types import Candidate


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "home"))
    with Records() as held:
        register_campaign(Config(), "c", held)
        yield held


def tuned(records: Records, cycles: int) -> AdapterStore:
    """A campaign with an adapter of each cycle; the network of cycle 2 is its best."""
    store = AdapterStore(records, "c")
    before = None
    for cycle in range(1, cycles + 1):
        records.put_cycle(Cycle(campaign_id="c", n=cycle, adapter=before))
        key = records.add_candidate(Candidate(source=f"x = {cycle}", origin="llm-"))
        metric = 0.9 if cycle == 3 else 0.5
        records.put_admission(Admission(campaign_id="c", cycle=cycle, candidate_id=key, admitted=True, metric=metric))
        (store.begin(cycle) / "adapter_model.safetensors").write_bytes(bytes(1000))
        before = store.commit(cycle).path
        records.update_cycle("c", cycle, state="complete", ended=records.cycles("c")[0].started)
    return store


def test_old_adapters_go_and_those_that_are_needed_stay(records):
    store, folder = tuned(records, 9), home_folder("campaigns", "c")
    prune_adapters("c", records, folder, RetentionSettings())
    assert len(list((folder / "adapters").iterdir())) == 9, "by default nothing goes"
    settings = RetentionSettings(adapters=3)
    prune_adapters("c", records, folder, settings)
    kept = sorted(path.name for path in (folder / "adapters").iterdir())
    assert kept == ["cycle-002", "cycle-007", "cycle-008", "cycle-009"], "cycle 2's adapter wrote cycle 3's best"
    assert [one.what for one in happenings(folder)] == ["pruned"]
    prune_adapters("c", records, folder, settings)
    assert len(happenings(folder)) == 1, "again changes nothing"
    assert store.rollback(8).cycle == 8
    assert store.rollback(7).cycle == 7
    states = {one.cycle: one.state for one in records.adapters("c")}
    assert (states[1], states[2], states[7], states[9]) == ("pruned", "active", "active", "rolled_back")


def test_a_kill_between_record_and_file_is_made_good(records, monkeypatch):
    store = tuned(records, 4)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.prune(2)
    assert (home_folder("campaigns", "c") / "adapters" / "cycle-001").is_dir()
    assert store.prune(2) == []
    assert not (home_folder("campaigns", "c") / "adapters" / "cycle-001").exists()


def test_checkpoints_stay_as_small_as_one(tmp_path):
    sizes = []
    connection = open_checkpoints(tmp_path)
    saver = SqliteSaver(connection)
    for cycle in range(12):
        for _ in range(40):
            thread = {"configurable": {"thread_id": "c", "checkpoint_ns": ""}}
            held = empty_checkpoint() | {"channel_values": {"text": "x" * 5000}}
            saver.put(thread, held, {"source": "loop", "step": cycle, "parents": {}}, {})
        prune_checkpoints(connection, "c")
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    connection.close()
    assert max(sizes) < 150_000, sizes
    with sqlite3.connect(tmp_path / "checkpoints.db") as other:
        assert other.execute("select count(*) from checkpoints").fetchone() == (1,)


def test_after_a_loss_of_power_the_records_alone_are_trusted(records):
    """Another boot's heartbeat and a journal without an end: the checkpoint may be newer than the records."""
    folder = home_folder("campaigns", "c")
    open_checkpoints(folder).close()
    note(folder, Happening(what="begun"))
    beat(folder)
    _note_beginning("c", folder)
    assert (folder / "checkpoints.db").exists(), "a kill on a machine that stayed up takes no transaction"
    sign = json.loads((folder / HEARTBEAT).read_text())
    (folder / HEARTBEAT).write_text(json.dumps(sign | {"boot": "another"}))
    _note_beginning("c", folder)
    assert not (folder / "checkpoints.db").exists()
    told = [(one.what, one.reason) for one in happenings(folder) if one.what == "killed"]
    assert told[-1] == ("killed", "the machine went down")


def test_a_file_of_an_earlier_version_takes_the_mode_too(tmp_path):
    with sqlite3.connect(tmp_path / "checkpoints.db") as old:
        old.execute("create table t (x)")
    connection = open_checkpoints(tmp_path)
    assert connection.execute("pragma auto_vacuum").fetchone() == (2,)
    connection.close()


HOLDER = """
import sys, time
from pathlib import Path
from netwright.graphs.locking import one_process
with one_process(Path(sys.argv[1]), "other"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_trials_of_the_dead_wait_again_and_those_of_the_living_do_not(records):
    """Two other campaigns claimed a trial each; one of their processes lives, the other one was killed."""
    stored = records.get_campaign("c")
    keys = {}
    processes = {}
    for run in ("dead", "alive"):
        register_campaign(Config(), run, records)
        records.put_cycle(Cycle(campaign_id=run, n=1))
        keys[run] = records.add_candidate(Candidate(source=f"{run} = 1", origin="llm-"))
        records.put_generations([Generation(campaign_id=run, cycle=1, slot=0, candidate_id=keys[run])])
        command = [sys.executable, "-c", HOLDER, str(home_folder("campaigns", run))]
        processes[run] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert processes[run].stdout.readline() == "held\n"
        records.start_trial(keys[run], stored.task_id, stored.protocol_hash)
    alone = records.add_candidate(Candidate(source="alone = 1", origin="hand-"))
    records.start_trial(alone, stored.task_id, stored.protocol_hash)
    try:
        processes["dead"].kill()
        processes["dead"].wait()
        assert recover_trials(records, "c") == 1
        states = {k: t.state for k, t in records.get_trials([*keys.values(), alone], *_place(stored)).items()}
        assert states == {keys["dead"]: "waiting", keys["alive"]: "running", alone: "running"}
    finally:
        processes["alive"].kill()
        processes["alive"].wait()
    with one_process(home_folder("campaigns", "alive"), "alive"):
        assert recover_trials(records, "alive") == 1, "what is its own is what an earlier life of it left"


def _place(stored) -> tuple[str, str]:
    return stored.task_id, stored.protocol_hash


def test_disk_is_a_budget(records):
    folder = home_folder("campaigns", "c")
    mark_beginning(records, folder)
    before = campaign_sizes(records, folder).used
    (folder / "adapters").mkdir()
    (folder / "adapters" / "x").write_bytes(bytes(3 * 2**20))
    sizes = campaign_sizes(records, folder)
    assert sizes.adapters == 3
    assert sizes.used == pytest.approx(before + 3, abs=0.2)
    config = load_config(overrides=["budget.disk_mb=2"])
    services = Services.__new__(Services)
    services.config, services.records = config, records
    assert services.budget_spent("c", 1) == f"{SPENT}2 MiB of disk"


def test_the_log_is_rotated(tmp_path):
    with campaign_log(tmp_path, RetentionSettings(log_mb=0.01, logs=2)):
        for number in range(2000):
            logging.getLogger("netwright.graphs.runner").info("line %d of a long night", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["campaign.log", "campaign.log.1", "campaign.log.2"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 35_000
    assert "line 1999" in (tmp_path / "campaign.log").read_text()
    assert logging.getLogger("netwright").handlers == []


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def checked_command(words: list[str]) -> None:
    """A command line of an example, taken apart by the real parser: every option exists and every setting is valid."""
    import typer
    from netwright.interfaces.cli.main import app

    group = typer.main.get_command(app)
    for word in words[:2]:
        group = group.commands[word]
    parsed = group.make_context("x", words[2:]).params
    load_config(overrides=parsed["overrides"])
    assert parsed["overnight"]
    assert parsed["resume"]


def test_unit_of_systemd(tmp_path):
    text = (EXAMPLES / "systemd" / "netwright-campaign.service").read_text()
    command = next(line for line in text.splitlines() if line.startswith("ExecStart=")).partition("=")[2]
    checked_command(shlex.split(command)[1:])
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / "netwright-campaign.service"
    unit.write_text(text.replace("/usr/local/bin/netwright", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "netwright-campaign" not in done.stderr, done.stderr


def test_compose_file():
    import yaml

    held = yaml.safe_load((EXAMPLES / "docker-compose.yml").read_text())
    service = held["services"]["campaign"]
    checked_command(service["command"])
    built = service["build"]
    assert (EXAMPLES / built["context"] / built["dockerfile"]).is_file()
    assert set(held["volumes"]) == {one.partition(":")[0] for one in service["volumes"]}
    if shutil.which("docker") is None:
        return
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if found.returncode == 0:
        command = ["docker", "compose", "-f", str(EXAMPLES / "docker-compose.yml"), "config", "--format", "json"]
        assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["services"]


def test_after_a_proper_end_a_loss_of_power_is_one_too(records):
    """The checkpoint was closed and flushed, the newest transactions of the records perhaps not."""
    folder = home_folder("campaigns", "c")
    open_checkpoints(folder).close()
    beat(folder)
    note(folder, Happening(what="stopped"))
    sign = json.loads((folder / HEARTBEAT).read_text())
    (folder / HEARTBEAT).write_text(json.dumps(sign | {"boot": "another"}))
    killed = [one.what for one in happenings(folder)].count("killed")
    _note_beginning("c", folder)
    assert not (folder / "checkpoints.db").exists()
    assert [one.what for one in happenings(folder)].count("killed") == killed, "it ended properly"
