"""Two campaigns and a chat on one data directory at the same time: no lock error, and nobody's records are mixed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from netwright.graphs.config import Config, load_config
from netwright.graphs.locking import CampaignBusy
from netwright.graphs.talking import open_conversation
from netwright.interfaces.campaign_process import campaign_states, pause_campaign, resume_campaign, start_campaign
from netwright.memory.records import Records
from netwright.tools.generators.corpus import build_corpus

OWN = {
    "answers": "select cycle, slot, seed, prompt, answer, candidate_id, valid_by, novel from generations "
    "where campaign_id = ? order by cycle, slot",
    "admissions": "select cycle, candidate_id, admitted, metric from admissions where campaign_id = ? "
    "order by cycle, candidate_id",
    "spent": "select candidates, tokens from campaigns where id = ?",
}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few tiny networks, so that the campaigns write the same ones and want the same trials."""
    programs = [p.source for p in build_corpus(987_654, 30) if p.header.in_shape == (1, 8, 8) and p.params < 30_000]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    path.write_text(yaml.safe_dump({"order": "seed", "answers": programs}))
    return path


def settings(script: Path, seed: int, *more: str) -> Config:
    fields = ["model.name=scripted", f"model.path={script}", f"campaign.seed={seed}", "sandbox.workers=1"]
    fields += ["campaign.threshold=0.1", "protocol.epochs=1", "protocol.train_limit=300", *more]
    return load_config(overrides=["campaign.stopping.enabled=false", *fields])


def wait_for(holds: Callable[[], bool], home: Path, seconds: float = 280) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        logs = "\n".join(path.read_text()[-800:] for path in home.glob("campaigns/*/process.log"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.2)


def states() -> dict[str, str]:
    with Records() as records:
        return {one.id: one.state for one in campaign_states(records)}


def chat(script: Path, said: str, thread: str) -> subprocess.Popen[str]:
    fields = ["model.name=scripted", f"model.path={script}", "campaign.candidates=2", "sandbox.workers=1"]
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "chat", "--thread", thread, "--say", said]
    command += ["--yes", "--json", *(part for field in fields for part in ("--set", field))]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def answer(process: subprocess.Popen[str]) -> dict:
    told, failed = process.communicate(timeout=280)
    assert process.returncode == 0, told + failed
    return json.loads(told)


def own(home: Path, run: str) -> dict[str, list]:
    with sqlite3.connect(home / "records.db") as connection:
        return {name: connection.execute(query, (run,)).fetchall() for name, query in OWN.items()}


def check_whole(home: Path, runs: tuple[str, ...]) -> None:
    """The database is sound, no log speaks of a lock, and no trial is left running."""
    with sqlite3.connect(home / "records.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        assert dict(connection.execute("select state, count(*) from trials group by state")).keys() <= {"complete"}
    for run in runs:
        folder = home / "campaigns" / run
        told = (folder / "process.log").read_text() + (folder / "campaign.log").read_text()
        assert "locked" not in told
        assert "Traceback" not in told


def test_two_campaigns_and_a_chat(netwright_home, script):
    for name, seed in (("a", 1), ("b", 2)):
        start_campaign(settings(script, seed, "campaign.candidates=3", "budget.cycles=1"), name)
    assert set(states().values()) <= {"starting", "running"}
    with pytest.raises(CampaignBusy):
        resume_campaign("a")
    # In this process, to save the suite the imports of another one.
    talk = load_config(overrides=["model.name=scripted", f"model.path={script}", "sandbox.workers=1"])
    with Records() as records, open_conversation(talk, records, "talk", approve="always") as conversation:
        assert conversation.say("two variants of a digits classifier").kind == "answer"
    wait_for(lambda: set(states().values()) == {"complete"}, netwright_home)
    check_whole(netwright_home, ("a", "b"))
    one, other = own(netwright_home, "a"), own(netwright_home, "b")
    assert [len(held["answers"]) for held in (one, other)] == [3, 3]
    assert {row[2] for row in one["answers"]}.isdisjoint({row[2] for row in other["answers"]}), "each has its own seeds"
    assert one["spent"][0][0] == other["spent"][0][0] == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_at_size_each_is_as_it_is_alone(tmp_path, monkeypatch, script):
    """Three cycles of twelve each, one of them paused and gone on with, a chat of three turns beside them."""
    together, alone = tmp_path / "together", tmp_path / "alone"
    size = ("campaign.candidates=12", "budget.cycles=3")
    monkeypatch.setenv("NETWRIGHT_HOME", str(together))
    for name, seed in (("a", 1), ("b", 2)):
        start_campaign(settings(script, seed, *size), name)
    for said in ("a digits classifier", "smaller", "another one"):
        assert answer(chat(script, said, "talk"))["kind"] == "answer"
    pause_campaign("b")
    wait_for(lambda: states()["b"] in ("paused", "complete"), together, 600)
    resume_campaign("b")
    wait_for(lambda: set(states().values()) == {"complete"}, together, 900)
    check_whole(together, ("a", "b"))
    monkeypatch.setenv("NETWRIGHT_HOME", str(alone))
    for name, seed in (("a", 1), ("b", 2)):
        start_campaign(settings(script, seed, *size), name)
        wait_for(lambda: set(states().values()) == {"complete"}, alone, 900)
        assert own(together, name) == own(alone, name)
