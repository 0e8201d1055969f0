"""A campaign that trains only what will probably do well: predictions first, the rest pruned, the report says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.agents.predictor import PRUNED
from netwright.graphs.asked import campaign_request, chosen_protocol, register_campaign
from netwright.graphs.config import Config, load_config
from netwright.graphs.runner import run_campaign
from netwright.memory.records import Records
from netwright.memory.types import Candidate, Trial
from netwright.tools.generators.corpus import build_corpus


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        yield opened


def settings(script: Path, *overrides: str) -> Config:
    base = ["model.name=scripted", f"model.path={script}", "campaign.candidates=8", "campaign.threshold=0.3"]
    base += ["campaign.repair_tries=0", "budget.cycles=1", "prediction.enabled=true", "prediction.least=40"]
    return load_config(overrides=[*base, *overrides])


def fill(records: Records, config: Config) -> None:
    """Forty-five trials of before, good for those with normalisation."""
    task, protocol = campaign_request(config).task, chosen_protocol(config, config.campaign.dataset)
    records.add_task(task)
    records.add_protocol(protocol)
    sources = dict.fromkeys(p.source for p in build_corpus(31_337, 500) if p.header.in_shape == (1, 8, 8))
    for source in list(sources)[:45]:
        key = records.add_candidate(Candidate(source=source))
        place = {"candidate_id": key, "task_id": task.id, "protocol_hash": protocol.hash}
        records.start_trial(**place)
        metric = 0.9 if "BatchNorm" in source else 0.2
        records.finish_trial(Trial.model_validate({**place, "state": "complete", "metric": metric}))


def test_half_is_trained_and_the_rest_is_pruned(script: Path, records: Records) -> None:
    config = settings(script, "prediction.keep=0.5")
    fill(records, config)
    register_campaign(config, "half", records)
    result = run_campaign("half", records, config)
    assert result.campaign.state == "complete"

    told = records.predictions("half")
    new = {g.candidate_id for g in records.generations("half") if g.novel}
    assert {one.candidate_id for one in told} == new
    kept = {one.candidate_id for one in told if one.kept}
    assert len(kept) == -(-len(new) // 2)
    trials = records.get_trials(new, result.campaign.task_id, result.campaign.protocol_hash)
    assert {key for key, trial in trials.items() if trial.error_class == PRUNED} == new - kept
    assert all(trials[key].state in ("complete", "failed") for key in kept)
    reasons = {a.candidate_id: a for a in records.admissions("half")}
    assert all(reasons[key].reasons[0].startswith("training pruned: PredictedLow") for key in new - kept)

    (cycle,) = json.loads(result.report_json.read_text())["cycles"]
    assert cycle["foreseen"]["pruned"] == len(new - kept)
    assert cycle["seconds"]["predict"] > 0
    assert "Predictions before training" in result.report_html.read_text()


def test_too_little_on_record_and_the_default_train_everything(script: Path, records: Records) -> None:
    for name, config in (("few", settings(script)), ("off", settings(script, "prediction.enabled=false"))):
        register_campaign(config, name, records)
        run_campaign(name, records, config)
        assert records.predictions(name) == []
    assert load_config().prediction.enabled is False


def test_a_cycle_that_sets_the_threshold_is_trained_whole(script: Path, records: Records) -> None:
    config = settings(script, "campaign.threshold=null", "campaign.threshold_share=0.2")
    fill(records, config)
    register_campaign(config, "share", records)
    run_campaign("share", records, config)
    assert records.predictions("share") == []
