"""Campaigns as detached processes: they outlive a call, stop with a reason, and a dead one is seen to be dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from netwright.graphs.config import Config, load_config
from netwright.graphs.journal import happenings
from netwright.graphs.locking import CampaignBusy, Identity, holder, is_held, one_process
from netwright.interfaces.campaign_process import (
    CampaignState,
    campaign_state,
    campaign_states,
    pause_campaign,
    resume_campaign,
    start_campaign,
    stop_campaign,
)
from netwright.memory.records import Records, RecordsError
from netwright.tools.generators.corpus import build_corpus


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("process-home")


@pytest.fixture(autouse=True)
def netwright_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One data directory for this module: the signatures of the initial corpus are computed once."""
    monkeypatch.setenv("NETWRIGHT_HOME", str(shared_home))
    return shared_home


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Three tiny networks in turn, for far more cycles than a test lasts."""
    programs = [p.source for p in build_corpus(987_654, 20) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    path.write_text(yaml.safe_dump({"order": "seed", "answers": programs[:3]}))
    fields = ["model.name=scripted", f"model.path={path}", "campaign.candidates=2", "budget.cycles=500"]
    return load_config(overrides=[*fields, "sandbox.workers=1", "campaign.stopping.enabled=false"])


def state_of(name: str) -> CampaignState:
    with Records() as records:
        return campaign_state(records, records.get_campaign(name))


def wait_for(name: str, holds: Callable[[CampaignState], bool], seconds: float = 90) -> CampaignState:
    deadline = time.monotonic() + seconds
    while not holds(found := state_of(name)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def lived(shared_home: Path, settings: Config) -> Iterator[list[CampaignState]]:
    """A campaign's states: started, at work, killed, given up, ended by a budget after it was resumed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(shared_home))
        start_campaign(settings, "night")
        seen = [state_of("night"), wait_for("night", lambda s: s.cycles >= 1)]
        with pytest.raises(CampaignBusy):
            resume_campaign("night")
        pid = seen[-1].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        seen.append(wait_for("night", lambda s: not s.alive))
        assert not stop_campaign("night", "given up")
        seen.append(state_of("night"))
        resume_campaign("night", {"cycles": 1})
        seen.append(wait_for("night", lambda s: s.state == "complete"))
        yield seen


@pytest.mark.slow
def test_states_of_a_life(lived):
    begun, working, killed, stopped, ended = lived
    assert begun.state in ("starting", "running")
    assert begun.alive
    assert working.state == "running"
    assert working.pid == begun.pid
    assert working.heartbeat_age_s is not None
    assert (killed.state, killed.alive) == ("stale", False)
    assert (stopped.state, stopped.reason) == ("stopped", "given up")
    assert ended.reason == "budget: 1 cycles"


@pytest.mark.slow
def test_all_campaigns_are_listed(lived):
    with Records() as records:
        assert [one.id for one in campaign_states(records)] == ["night"]


@pytest.mark.slow
def test_output_is_kept(lived, shared_home):
    assert "budget: 1 cycles" in (shared_home / "campaigns" / "night" / "process.log").read_text()


@pytest.mark.slow
def test_a_killed_process_is_told_of_and_its_trials_are_taken_back(lived, shared_home):
    told = [one.what for one in happenings(shared_home / "campaigns" / "night")]
    assert told == ["begun", "killed", "begun", "ended"]
    with Records() as records:
        assert records.running_trials() == []


@pytest.mark.slow
def test_an_id_is_taken_once(lived, settings):
    with pytest.raises(RecordsError, match="exists"):
        start_campaign(settings, "night")
    for call in (stop_campaign, pause_campaign, resume_campaign):
        with pytest.raises(RecordsError, match="no campaign"):
            call("nobody")


@pytest.mark.slow
def test_a_wrong_budget_is_refused_before_anything_starts(lived):
    with pytest.raises(ValueError, match="cycels"):
        resume_campaign("night", {"cycels": 2})
    assert state_of("night").state == "complete"


def test_looking_does_not_disturb_a_lock(tmp_path):
    assert not is_held(tmp_path)
    with one_process(tmp_path, "x"):
        assert is_held(tmp_path)
        assert holder(tmp_path) == Identity.of(os.getpid())
        with pytest.raises(CampaignBusy), one_process(tmp_path, "x"):
            pass
        assert holder(tmp_path) == Identity.of(os.getpid()), "who was refused leaves the lock's text alone"
    assert not is_held(tmp_path)
    assert holder(tmp_path) is None


def test_a_process_is_not_one_of_another_boot_or_birth():
    here = Identity.of(os.getpid())
    assert here.alive
    assert Identity.read(here.text()) == here
    assert not Identity(here.pid, "another boot", here.started).alive
    assert not Identity(here.pid, here.boot, here.started - 60).alive
    assert Identity.read("") is None
