"""One configuration tree, from YAML and overrides."""

from __future__ import annotations

import re

import pytest
from netwright.graphs.config import Config, ConfigError, load_config


def test_overrides_win_over_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("campaign: {seed: 3, candidates: 5}\nbudget: {cycles: 2}\n")
    config = load_config(path, ["campaign.candidates=7", "campaign.tune=false", "budget.wall_s=null"])
    assert (config.campaign.seed, config.campaign.candidates, config.campaign.tune) == (3, 7, False)
    assert config.budget.cycles == 2
    assert config.budget.wall_s is None


def test_a_stored_tree_loads_to_the_same_configuration():
    config = load_config(overrides=["campaign.dataset=svhn", "model.temperature=0.5", "protocol.epochs=2"])
    assert load_config(base=config.model_dump(mode="json")) == config
    assert load_config() == Config()


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("campaign.tuen=false", "campaign.tuen"),
        ("campaign.candidates=0", "greater than or equal to 1"),
        ("campaign", "takes path"),
        ("budget.cycles=[", "not YAML"),
        ("sandbox.backend=none", "sandbox.backend"),
        ("campaign={threshold_share: 0.1, dynamic: {from_cycle: 1}}", "dynamic.from_cycle begin later"),
    ],
)
def test_mistakes_are_named(override, why):
    with pytest.raises(ConfigError, match=re.escape(why)):
        load_config(overrides=[override])


def test_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="expected a mapping"):
        load_config(tmp_path / "list.yaml")
