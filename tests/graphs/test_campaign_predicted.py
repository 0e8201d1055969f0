"""A campaign that trains only what will probably do well: predictions first, the rest passed over, and said so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from netwright.graphs.agents import predictor
from netwright.graphs.asked import campaign_request, chosen_protocol, register_campaign
from netwright.graphs.config import Config, load_config
from netwright.graphs.runner import run_campaign
from netwright.graphs.services import Services
from netwright.memory.records import Records
from netwright.memory.types import Candidate, Trial
from netwright.tools.generators.corpus import build_corpus

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        yield opened


def settings(script: Path, *overrides: str) -> Config:
    base = ["model.name=scripted", f"model.path={script}", "campaign.candidates=5", "campaign.threshold=0.3"]
    base += ["campaign.repair_tries=0", "campaign.tune=false", "budget.cycles=2"]
    base += ["prediction.enabled=true", "prediction.least=46", "prediction.keep=0.5"]
    return load_config(overrides=[*base, *overrides])


def fill(records: Records, config: Config) -> None:
    """Forty-five trials of before, good for those with normalisation."""
    task, protocol = campaign_request(config).task, chosen_protocol(config, config.campaign.dataset)
    records.add_task(task)
    records.add_protocol(protocol)
    sources = dict.fromkeys(p.source for p in build_corpus(31_337, 200) if p.header.in_shape == (1, 8, 8))
    assert len(sources) >= 45
    for source in list(sources)[:45]:
        key = records.add_candidate(Candidate(source=source))
        place = {"candidate_id": key, "task_id": task.id, "protocol_hash": protocol.hash}
        records.start_trial(**place)
        metric = 0.9 if "BatchNorm" in source else 0.2
        records.finish_trial(Trial.model_validate({**place, "state": "complete", "metric": metric}))


def test_with_enough_on_record_half_is_trained_and_the_rest_passed_over(script: Path, records: Records) -> None:
    """Cycle 1 finds one trial too few on record and is trained whole; with it cycle 2 is predicted."""
    config = settings(script)
    fill(records, config)
    register_campaign(config, "half", records)
    result = run_campaign("half", records, config)
    assert result.campaign.state == "complete"

    told = records.predictions("half")
    before, novel = ({g.candidate_id for g in records.generations("half", n) if g.novel} for n in (1, 2))
    new = novel - before  # one that was trained in cycle 1 and not admitted is novel again, and not ranked
    assert len(new) >= 2
    assert {one.cycle for one in told} == {2}
    assert {one.candidate_id for one in told} == new
    kept = {one.candidate_id for one in told if one.kept}
    assert len(kept) == -(-len(new) // 2)
    trials = records.get_trials(new, result.campaign.task_id, result.campaign.protocol_hash)
    assert {key for key, trial in trials.items() if trial.state == "waiting"} == new - kept
    assert all(trials[key].state in ("complete", "failed") for key in kept)
    reasons = {a.candidate_id: a for a in records.admissions("half", 2)}
    assert all(reasons[key].reasons[0].startswith("not trained: predicted 0.") for key in new - kept)

    first, second = json.loads(result.report_json.read_text())["cycles"]
    assert first["foreseen"] is None
    assert first["trained"] + first["failed_trials"] == first["novel"]
    assert second["foreseen"]["pruned"] == len(new - kept)
    assert second["seconds"]["predict"] > 0
    assert "Predictions before training" in result.report_html.read_text()


def test_a_predictor_is_opened_only_where_the_configuration_asks(script: Path, records: Records) -> None:
    config = settings(script, "campaign.seed=7")
    request, protocol = campaign_request(config), chosen_protocol(config, config.campaign.dataset)
    agent = predictor(config, records, request, protocol)
    assert agent is not None
    assert (agent.seed, agent.keep, agent.least) == (7, 0.5, 46)
    assert predictor(load_config(), records, request, protocol) is None, "off by default"


def test_a_cycle_that_sets_the_threshold_is_trained_whole() -> None:
    services = MagicMock()
    services.evaluator.threshold_of.return_value = None
    Services.predict(services, "share", 1)
    services.predictor.decide.assert_not_called()
    services.evaluator.threshold_of.return_value = 0.5
    services.evaluator.novel.return_value = [MagicMock(candidate_id="a"), MagicMock(candidate_id=None)]
    Services.predict(services, "share", 2)
    services.predictor.decide.assert_called_once_with("share", 2, ["a"])
