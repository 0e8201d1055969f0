"""The dry run: what a campaign would do, take and lack."""

from __future__ import annotations

from pathlib import Path

import pytest
from netwright.graphs.config import CONFIGS, ConfigError, load_config
from netwright.graphs.opening import _devices
from netwright.graphs.plan import plan_campaign
from netwright.interfaces.cli.planning import print_plan
from netwright.tools.devices import Device


def test_the_papers_configuration_is_planned_without_its_weights() -> None:
    plan = plan_campaign(load_config(Path("paper-7b")), asked=" -c paper-7b")
    assert plan.footprint is not None
    assert plan.footprint.parameters > 6e9
    assert plan.cycles == 22
    assert plan.answer_tokens == 100 * 2048
    assert any("model.allow_download=true" in reason for reason in plan.missing)
    assert plan.commands[0] == "pip install 'netwright[gpu]'"
    assert plan.commands[1] == "netwright serve-model --prepare"
    assert "-c paper-7b" in plan.commands[2]
    assert "--set model.allow_download=true" in plan.commands[2]


def test_the_commands_run_what_was_planned() -> None:
    plan = plan_campaign(load_config(overrides=["campaign.seed=3"]), asked=" --set campaign.seed=3")
    assert plan.commands[0] == "netwright campaign run --set campaign.seed=3 --id planned --download"


def test_what_grpo_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.tools.grpo.find_spec", lambda name: None)
    plan = plan_campaign(load_config(Path("paper-7b"), ["campaign.improve=[grpo]", "grpo.train_limit=64"]))
    assert any("grpo.training.four_bit=false" in reason for reason in plan.missing)


def test_the_embedded_model_lacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_campaign(load_config(overrides=["campaign.threshold_share=0.05"]))
    assert plan.missing == ()
    assert plan.threshold == "what at most 5% of cycle 1 reaches"
    assert plan.footprint is not None
    assert plan.footprint.tuning < 1
    print_plan(plan)
    assert "memory to tune" in capsys.readouterr().out


SERVED = "model.base_url=http://127.0.0.1:1/v1"


@pytest.mark.parametrize("overrides", [["campaign.tune=false"], ["model.name=coder", SERVED]])
def test_a_model_that_stays_as_it_is_takes_no_memory_to_tune(overrides: list[str]) -> None:
    plan = plan_campaign(load_config(overrides=overrides))
    assert plan.tuning is None
    assert plan.footprint is None


def test_a_served_model_whose_weights_are_here_is_tuned() -> None:
    plan = plan_campaign(load_config(overrides=[SERVED]))
    assert plan.tuning is not None
    assert plan.missing == ()


def test_what_is_to_be_served_lacks_the_environment(netwright_home: Path) -> None:
    plan = plan_campaign(load_config(overrides=["model.serve=vllm"]))
    assert any("serve-model --prepare" in reason for reason in plan.missing)


def test_an_unknown_name_tells_the_known_ones() -> None:
    names = [path.stem for path in CONFIGS.glob("*.yaml")]
    assert "paper-7b" in names
    with pytest.raises(ConfigError, match="paper-7b"):
        load_config(Path("paper-8b"))


def test_networks_train_beside_the_server_that_the_campaign_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NVIDIA's program is a script here, of one GPU with 24 GB."""
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\nprintf "0, 24000, 24500\\n"\n')
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert _devices(load_config(Path("paper-7b"))) == [Device("cuda:0", 1)]
    assert _devices(load_config(Path("paper-7b"), ["model.serve=null"])) == [Device("cuda:0", 11)]
