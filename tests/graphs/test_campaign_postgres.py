"""A short campaign whose records are on PostgreSQL, and its results in the data set."""

from __future__ import annotations

from pathlib import Path

import netwright
import pytest
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import load_config
from netwright.graphs.runner import run_campaign
from netwright.memory.records import Records

from ..memory.backends import new_database


@pytest.mark.postgres
def test_campaign_runs_on_postgresql(script: Path, tmp_path: Path) -> None:
    settings = ["model.name=scripted", f"model.path={script}", "campaign.candidates=6", "campaign.threshold=0.3"]
    config = load_config(overrides=[*settings, "campaign.repair_tries=1", "budget.cycles=1"])
    with new_database("postgresql", tmp_path) as url, Records(url) as records:
        register_campaign(config, "server", records)
        result = run_campaign("server", records, config)
        assert result.campaign.state == "complete"
        generations = records.generations("server")
        assert len(generations) == 6
        frame = netwright.data(records=records)
        own = {f"llm-{g.candidate_id[:12]}" for g in generations if g.candidate_id and g.valid_by != "none"}
        assert len(frame) > 0
        assert set(frame["nn"]) <= own
        assert set(frame["dataset"]) == {"digits"}
