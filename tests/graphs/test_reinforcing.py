"""Reinforcement in a campaign: which cycle does what, under which protocol, and one whole cycle of both."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from langgraph.runtime import RunControl
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import ConfigError, GrpoSettings, load_config
from netwright.graphs.reinforcing import improvement, reward_protocol
from netwright.graphs.runner import run_campaign
from netwright.memory.records import Records
from netwright.tools.protocols import protocol

SMALL = (
    "campaign.improve=[sft, grpo]",
    "campaign.candidates=8",
    "campaign.threshold=0.0",
    "campaign.repair_tries=0",
    "budget.cycles=1",
    "tuning.steps=2",
    "grpo.skeletons=8",
    "grpo.train_limit=64",
    "grpo.training.steps=2",
    "grpo.training.skeletons=2",
    "grpo.training.generations=2",
    "grpo.training.micro_batch=4",
    "grpo.training.max_new_tokens=224",
)


def test_both_in_each_cycle_or_in_turn() -> None:
    assert improvement(("sft", "grpo"), "together")(3) == ("sft", "grpo")
    turns = improvement(("sft", "grpo"), "alternate")
    assert [turns(cycle) for cycle in (1, 2, 3)] == [("sft",), ("grpo",), ("sft",)]


def test_the_setting_is_checked() -> None:
    assert load_config().campaign.improve == ("sft",)
    for wrong in ("[]", "[sft, sft]", "[dpo]"):
        with pytest.raises(ConfigError, match="improve"):
            load_config(overrides=[f"campaign.improve={wrong}"])


def test_a_mini_epoch_is_a_protocol_of_its_own() -> None:
    own = protocol("digits-1ep")
    assert reward_protocol(own, GrpoSettings()) is own
    mini = reward_protocol(own, GrpoSettings(train_limit=320, time_limit_s=5))
    assert (mini.name, mini.train_limit, mini.time_limit_s) == ("digits-1ep-reward", 320, 5)
    assert mini.hash != own.hash
    halving = protocol("lemur-rungs")
    assert reward_protocol(halving, GrpoSettings()).rungs == ()


@pytest.mark.slow
def test_a_cycle_of_both_stopped_and_resumed(netwright_home: Path) -> None:
    config = load_config(overrides=SMALL)
    with Records() as records:
        register_campaign(config, "both", records)
        control = RunControl()
        adapters = netwright_home / "campaigns" / "both" / "adapters"

        def stop_within_grpo() -> None:
            while not list(adapters.glob(".staged-cycle-001-sft-from-000")) and not over.wait(0.05):
                pass
            control.request_drain("test")

        over = threading.Event()
        watcher = threading.Thread(target=stop_within_grpo)
        watcher.start()
        result = run_campaign("both", records, config, control=control)
        over.set()
        watcher.join()
        assert result.campaign.state == "stopped"
        assert not records.adapters("both")
        result = run_campaign("both", records, config)
        assert result.campaign.state == "complete"
        (adapter,) = records.adapters("both")
        assert adapter.metrics["steps"] == 2
        assert adapter.metrics["grpo"]["networks"] == 8
        written = sum(g.tokens_out for g in records.generations("both"))
        assert records.get_campaign("both").tokens > written + adapter.metrics["grpo"]["tokens"]
        assert sorted(p.name for p in adapters.iterdir()) == ["cycle-001"]
        assert (Path(adapter.path) / "grpo.json").is_file()
        origins = [c.origin for c in records.get_candidates(records.candidate_tasks()).values()]
        assert "rl-" in origins
