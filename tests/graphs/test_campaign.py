"""The campaign graph with a scripted model, the real sandbox, real trials and real records."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest
from langgraph.runtime import RunControl
from netwright.graphs.asked import register_campaign
from netwright.graphs.campaign import campaign_graph
from netwright.graphs.config import Config, load_config
from netwright.graphs.runner import CampaignBusy, CampaignResult, run_campaign
from netwright.graphs.services import Event
from netwright.memory.records import Records
from netwright.tools.rungs import rungs_of


@pytest.fixture
def records():
    with Records() as opened:
        yield opened


def settings(script: Path, *overrides: str) -> Config:
    base = [
        "model.name=scripted",
        f"model.path={script}",
        "campaign.candidates=10",
        "campaign.threshold=0.3",
        "campaign.repair_tries=1",
        "budget.cycles=2",
    ]
    return load_config(overrides=[*base, *overrides])


def run(run_id: str, config: Config, records: Records, **options) -> CampaignResult:
    register_campaign(config, run_id, records)
    return run_campaign(run_id, records, config, **options)


@pytest.fixture(scope="module")
def finished(script, graph_home):
    """A campaign of two cycles, run to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(graph_home))
        with Records() as records:
            events: list[Event] = []
            result = run("finished", settings(script), records, notify=events.append)
    return result, events


def test_campaign_runs_to_its_end(finished, records):
    result, events = finished
    assert result.campaign.state == "complete"
    assert result.campaign.stop_reason == "budget: 2 cycles"
    assert result.campaign.candidates == 20
    assert {e.stage for e in events} >= {"generate", "validate", "novelty", "train", "tune"}
    assert [c.n for c in records.cycles("finished") if c.ended] == [1, 2]


def test_report_tells_what_the_records_hold(finished, records):
    result, _ = finished
    report = json.loads(result.report_json.read_text())
    generations = records.generations("finished")
    assert sum(c["generated"] for c in report["cycles"]) == len(generations) == 20
    by_generation = sum(g.valid_by == "generation" for g in generations)
    assert sum(c["valid"]["generation"]["count"] for c in report["cycles"]) == by_generation
    assert sum(c["admitted"] for c in report["cycles"]) == sum(a.admitted for a in records.admissions("finished"))
    page = result.report_html.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_admitted_networks_are_novel_valid_and_above_threshold(finished, records):
    admitted = [a for a in records.admissions("finished") if a.admitted]
    assert admitted, "the script holds networks that learn"
    novel = {g.candidate_id: g for g in records.generations("finished") if g.novel}
    for admission in admitted:
        generation = novel[admission.candidate_id]
        assert generation.valid_by != "none"
        assert (generation.jaccard or 0.0) < 0.9
        assert admission.metric is not None
        assert admission.metric >= 0.3


def test_each_step_of_validity_is_told_apart(finished, records):
    seen = {g.valid_by for g in records.generations("finished")}
    assert {"generation", "cleanup"} <= seen
    for generation in records.generations("finished"):
        assert generation.raw_candidate_id is not None
        if generation.valid_by == "generation":
            assert generation.candidate_id == generation.raw_candidate_id


def test_a_copy_costs_no_training(finished, records):
    generations = records.generations("finished")
    copies = [g for g in generations if g.novel is False]
    trained = {g.candidate_id for g in generations if g.novel}
    assert copies, "twenty draws from this script repeat themselves"
    assert all(g.nearest for g in copies)
    task, protocol = records.get_campaign("finished").task_id, records.get_campaign("finished").protocol_hash
    assert set(records.get_trials(trained, task, protocol)) == trained
    assert all(records.trial_attempts(key, task, protocol) == 1 for key in trained)


def test_stopped_and_resumed_equals_undisturbed(finished, script, records):
    """Stops asked for at many points of the way; the stored answers and decisions stay the same."""
    config = settings(script)
    register_campaign(config, "stopped", records)
    for stops in range(20):
        control = RunControl()
        left = [stops % 4 + 1]

        def ask_to_stop(event: Event, control: RunControl = control, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                control.request_drain("test")

        result = run_campaign("stopped", records, config, control=control, notify=ask_to_stop)
        if result.finished:
            break
        assert result.campaign.state == "stopped"
    else:
        result = run_campaign("stopped", records, config)
    assert result.campaign.state == "complete"

    def facts(campaign: str) -> list[tuple]:
        return [
            (g.cycle, g.slot, g.answer, g.candidate_id, g.valid_by, g.novel, g.nearest)
            for g in records.generations(campaign)
        ]

    assert facts("stopped") == facts("finished")
    assert json.loads(result.report_json.read_text())["candidates"]


def test_budget_of_candidates_ends_within_a_batch(script, records):
    result = run("few", settings(script, "budget.candidates=13", "budget.cycles=5", "campaign.repair_tries=0"), records)
    assert len(records.generations("few")) == 13
    assert result.campaign.stop_reason == "budget: 13 candidates"


def test_budget_of_wall_time_survives_a_resume(script, records):
    endless = ("budget.cycles=1000", "campaign.stopping.enabled=false")
    config = settings(script, "budget.wall_s=0.5", "campaign.candidates=4", *endless)
    first = run("short", config, records)
    assert first.campaign.stop_reason == "budget: 0.5 seconds of wall time"
    spent = first.campaign.wall_s
    again = run_campaign("short", records, config)
    assert again.campaign.wall_s >= spent
    assert again.campaign.state == "complete"
    assert "wall time" in (again.campaign.stop_reason or "")


def test_dynamic_sampling_goes_on_until_enough_are_found(script, records):
    dynamic = ("campaign.dynamic.from_cycle=1", "campaign.dynamic.at_least=4", "campaign.dynamic.max_batches=3")
    config = settings(script, *dynamic, "campaign.candidates=4", "budget.cycles=1", "campaign.repair_tries=0")
    run("dynamic", config, records)
    admitted = sum(a.admitted for a in records.admissions("dynamic"))
    batches = len(records.generations("dynamic")) // 4
    assert batches > 1
    assert admitted >= 4 or batches == 3


def test_cycle_one_sets_the_threshold_which_all_may_pass(script, records):
    share = ("campaign.threshold=null", "campaign.threshold_share=0.3", "campaign.admit=all")
    config = settings(script, *share, "campaign.candidates=8", "campaign.repair_tries=0", "campaign.tune=false")
    run("share", config, records)
    first, second = records.cycles("share")
    metrics = [a.metric for a in records.admissions("share", 1) if a.metric is not None]
    assert first.threshold == second.threshold
    assert first.threshold is not None
    assert sum(m >= first.threshold for m in metrics) <= 0.3 * len(metrics)
    assert all(a.admitted for a in records.admissions("share") if a.metric is not None)
    assert any("is below the threshold" in a.reasons[-1] for a in records.admissions("share") if a.admitted)


def test_a_finished_campaign_stays_finished(finished, script, records):
    before = records.generations("finished")
    again = run_campaign("finished", records, settings(script))
    assert again.campaign.state == "complete"
    assert again.campaign.stop_reason == "budget: 2 cycles"
    assert records.generations("finished") == before


def test_a_larger_budget_goes_on_and_is_recorded(script, records):
    quick = ("campaign.candidates=3", "campaign.repair_tries=0", "campaign.stopping.enabled=false")
    first = run("longer", settings(script, "budget.cycles=1", *quick), records)
    assert first.campaign.stop_reason == "budget: 1 cycles"
    config = load_config(base=first.campaign.config, overrides=["budget.cycles=2"])
    register_campaign(config, "longer", records)  # another budget does not make it another campaign
    second = run_campaign("longer", records, config)
    assert second.campaign.stop_reason == "budget: 2 cycles"
    assert second.campaign.config["budget"]["cycles"] == 2
    assert len(records.generations("longer")) == 6


def test_the_stopping_rule_holds_on_resume(script, records):
    rule = ("campaign.stopping.delta=1", "campaign.stopping.cycles=2", "budget.cycles=50")
    config = settings(script, "campaign.candidates=2", "campaign.repair_tries=0", *rule)
    first = run("ruled", config, records)
    assert (first.campaign.stop_reason or "").startswith("stopping rule")
    cycles = len(records.cycles("ruled"))
    assert run_campaign("ruled", records, config).campaign.stop_reason == first.campaign.stop_reason
    assert len(records.cycles("ruled")) == cycles


def test_a_campaign_that_cannot_open_is_failed(script, records):
    config = settings(script)
    register_campaign(config, "unopened", records)
    script_gone = config.model_copy(update={"model": config.model.model_copy(update={"path": Path("/nowhere.yaml")})})
    with pytest.raises(RuntimeError):
        run_campaign("unopened", records, script_gone)
    assert records.get_campaign("unopened").state == "failed"


def test_one_process_per_campaign(script, records):
    config = settings(script, "campaign.candidates=3", "budget.cycles=1")
    register_campaign(config, "busy", records)
    refused: list[Exception] = []

    def second(event: Event) -> None:
        if not refused:
            try:
                run_campaign("busy", records, config)
            except CampaignBusy as error:
                refused.append(error)

    run_campaign("busy", records, config, notify=second)
    assert "another process" in str(refused[0])
    assert threading.active_count() < 50


def test_graph_can_be_drawn():
    drawn = campaign_graph().get_graph().draw_mermaid()
    assert all(node in drawn for node in ("generate", "validate", "repair", "novelty", "train", "admit", "tune"))


def test_on_rungs_only_the_best_are_trained_whole(script, records):
    config = settings(script, "protocol.rungs=[64, 256]", "budget.cycles=1", "campaign.tune=false")
    run("halved", config, records)
    campaign = records.get_campaign("halved")
    novel = [g.candidate_id for g in records.generations("halved") if g.novel]
    low, high, whole = rungs_of(records.get_protocol(campaign.protocol_hash))
    trained = [records.get_trials(novel, campaign.task_id, rung.hash) for rung in (low, high, whole)]
    assert set(trained[0]) == set(trained[2]) == set(novel)
    complete = [{key for key, trial in found.items() if trial.state == "complete"} for found in trained]
    assert len(complete[0]) > len(complete[1]) == math.ceil(len(complete[0]) / 3) > 0
    assert len(complete[2]) == math.ceil(len(complete[1]) / 3)
    worst_kept = min(trained[0][key].metric for key in trained[1])
    dropped = complete[0] - set(trained[1])
    assert all(trained[0][key].metric <= worst_kept for key in dropped)
    for key in dropped:
        assert (trained[2][key].state, trained[2][key].metric) == ("pruned", None)
    admitted = {a.candidate_id for a in records.admissions("halved") if a.admitted}
    assert admitted <= complete[2]
    before = records.best_trials(campaign.task_id, whole.hash, 50)
    assert {trial.candidate_id for trial in before} == complete[2]
