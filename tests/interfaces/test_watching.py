"""``campaign watch``, ``campaign costs``, MLflow and the JSON log, on one real campaign."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from netwright.agents.models.factory import open_chat_model
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import Config, ConfigError, load_config
from netwright.graphs.locking import one_process
from netwright.graphs.runner import run_campaign
from netwright.graphs.tracking import Follower, traced
from netwright.interfaces.cli.main import app
from netwright.interfaces.cli.watch import sparkline
from netwright.interfaces.watching import Watcher, last_lines
from netwright.memory.records import Records
from netwright.tools.generators.headers import ANY, BUCKETS, Header
from netwright.tools.generators.programs import random_program
from netwright.tools.logs import close_log, open_log
from netwright.tools.report import campaign_report
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(autouse=True)
def netwright_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_HOME", str(home))
    return home


def settings(home: Path, *more: str) -> Config:
    import random

    rng = random.Random(5)
    programs = [random_program(rng, Header((1, 8, 8), 10, BUCKETS[0], ANY)).source for _ in range(12)]
    script = home / "script.yaml"
    answers = [f"```python\n{source}```" for source in programs] + ["I would rather not."]
    script.write_text(yaml.safe_dump({"order": "seed", "answers": answers}))
    overrides = [
        "model.name=scripted",
        f"model.path={script}",
        "campaign.candidates=4",
        "campaign.threshold=0.2",
        "campaign.repair_tries=1",
        "campaign.novelty=lexical",
        "campaign.tune=false",
        "budget.cycles=2",
        f"tracking.mlflow=sqlite:///{home}/mlflow/store.db",
        "accounting.prices={scripted: {prompt: 1.0, completion: 10.0}}",
    ]
    return load_config(overrides=[*overrides, *more])


@pytest.fixture(scope="module")
def campaign(home: Path) -> Path:
    """A campaign that stopped after its first cycle and went on, followed in MLflow, logged as JSON."""
    with pytest.MonkeyPatch.context() as patch, Records(f"sqlite:///{home}/records.db") as records:
        patch.setenv("NETWRIGHT_HOME", str(home))
        handler = open_log(str(home / "log.jsonl"), "debug")
        first = settings(home, "budget.cycles=1")
        register_campaign(first, "w", records)
        run_campaign("w", records, first)
        run_campaign("w", records, settings(home))
        close_log(handler)
    return home


@pytest.fixture
def records(campaign: Path):
    with Records() as opened:
        yield opened


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_the_view_tells_what_the_report_tells(records: Records) -> None:
    look, report = Watcher(records, "w").look(), campaign_report(records, "w")
    assert (look.state, look.stage, look.ended) == ("complete", "closed", True)
    assert [one.valid.value for one in look.cycles] == [one.valid.generation.rate for one in report.cycles]
    assert [one.mean.value for one in look.cycles] == [one.accuracy.mean for one in report.cycles]
    assert [one.share.value for one in look.cycles] == [one.above_threshold.share for one in report.cycles]
    assert report.costs is not None
    assert look.cost == report.costs.cost
    assert look.tokens == report.costs.tokens == report.spent.tokens
    spent = {one.name: (one.spent, one.limit) for one in look.budgets}
    assert spent["cycles"] == (2, 2)
    assert look.log


def test_costs_are_the_tokens_times_the_prices(records: Records) -> None:
    done = json.loads(run("campaign", "costs", "w", "--json").stdout)
    generations, repairs = records.generations("w"), records.repairs("w")
    assert done["tokens_in"] == sum(one.tokens_in for one in (*generations, *repairs))
    assert done["cost"] == pytest.approx((done["tokens_in"] + 10 * done["tokens_out"]) / 1e6)
    assert {line["agent"] for line in done["lines"]} <= {"designer", "repair"}
    dearer = run(
        "campaign", "costs", "w", "--json", "--set", "accounting.prices={scripted: {prompt: 2, completion: 20}}"
    )
    assert json.loads(dearer.stdout)["cost"] == pytest.approx(2 * done["cost"])
    assert "designer" in run("campaign", "costs", "w").stdout


def test_watch_ends_with_the_campaign(campaign: Path) -> None:
    told = run("campaign", "watch", "w", "--json")
    assert told.exit_code == 0
    (line,) = told.stdout.splitlines()
    assert json.loads(line)["state"] == "complete"
    assert "campaign w: complete" in run("campaign", "watch", "w", "--once").stdout


def test_watch_tells_the_living_from_the_dead(records: Records, home: Path) -> None:
    records.update_campaign("w", state="running", stop_reason=None)
    try:
        stale = Watcher(records, "w").look()
        with one_process(home / "campaigns" / "w", "w"):
            alive = Watcher(records, "w").look()
    finally:
        records.update_campaign("w", state="complete", stop_reason="budget: 2 cycles")
    assert (stale.state, stale.ended) == ("stale", True)
    assert (alive.state, alive.alive, alive.ended) == ("running", True, False)
    assert alive.changed(stale)
    assert not alive.changed(alive.model_copy(update={"heartbeat_age_s": 99.0}))


def test_stages_are_told_from_the_records(records: Records, home: Path) -> None:
    config = settings(home)
    register_campaign(config, "new", records)
    assert Watcher(records, "new").look().stage == "opening"
    from netwright.memory.rows import Cycle, Generation

    records.put_cycle(Cycle(campaign_id="new", n=1))
    watcher = Watcher(records, "new")
    assert (watcher.look().stage, watcher.look().total) == ("generate", 4)
    records.put_generations([Generation(campaign_id="new", cycle=1, slot=n, answer="x") for n in range(4)])
    look = watcher.look()
    assert (look.stage, look.done, look.total) == ("validate", 0, 4)


def test_each_event_of_the_graph_is_logged_once(campaign: Path) -> None:
    lines = [json.loads(line) for line in (campaign / "log.jsonl").read_text().splitlines()]
    closed = [line["cycle"] for line in lines if line.get("event") == "cycle"]
    assert closed == [1, 2]
    begun = [(line["cycle"], line["stage"]) for line in lines if line.get("event") == "begin"]
    assert (1, "generate") in begun
    assert begun.count((1, "novelty")) == 1
    trained = [line for line in lines if line.get("candidate")]
    assert trained
    assert all(line["campaign"] == "w" and line["stage"] == "train" for line in trained)


def test_one_mlflow_run_follows_the_campaign_over_a_resume(campaign: Path, records: Records) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{campaign}/mlflow/store.db")
    experiment = client.get_experiment_by_name("netwright")
    (found,) = client.search_runs([experiment.experiment_id])
    report = campaign_report(records, "w")
    assert found.info.status == "FINISHED"
    history = client.get_metric_history(found.info.run_id, "candidates")
    assert [(one.step, one.value) for one in history] == [(c.cycle, c.generated) for c in report.cycles]
    means = {one.step: one.value for one in client.get_metric_history(found.info.run_id, "metric_mean")}
    assert means == {c.cycle: c.accuracy.mean for c in report.cycles if c.accuracy.mean is not None}
    assert found.data.params["campaign.candidates"] == "4"
    held = {one.path for one in client.list_artifacts(found.info.run_id, "reports")}
    assert {"reports/report.json", "reports/report.html"} <= held
    assert client.list_artifacts(found.info.run_id, "best")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_each_answer_has_a_trace(campaign: Path, records: Records) -> None:
    with sqlite3.connect(campaign / "mlflow" / "store.db") as connection:
        traces = connection.execute("select count(*) from trace_info").fetchone()[0]
        tagged = connection.execute(
            "select count(*) from trace_tags where key = 'netwright.run' and value = 'w'"
        ).fetchone()[0]
    asked = len(records.generations("w")) + sum(one.by == "model" for one in records.repairs("w"))
    assert traces == tagged == asked


def test_a_store_that_is_away_stops_nothing(home: Path, records: Records, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(home, "tracking.mlflow=http://127.0.0.1:9/")
    follower = Follower("w", records, config)
    follower.cycle_closed()
    follower.finish()
    assert "campaign w is not followed in MLflow (http://127.0.0.1:9/)" in caplog.text
    handle = open_chat_model(config.model)
    with traced("w", config, handle):
        (answer,) = handle.ask(["a network for digits"], seed=1)
    assert answer.text
    assert "not traced in MLflow" in caplog.text


@pytest.mark.parametrize("uri", ["file:///tmp/runs", "postgresql://u@h/d", "http://me:secret@host/", "mlruns"])
def test_other_stores_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"tracking\.mlflow"):
        load_config(overrides=[f"tracking.mlflow={uri}"])


def test_a_log_that_cannot_be_written_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--log-json", str(tmp_path / "file" / "log"), "datasets")
    assert done.exit_code == 2
    assert run("--log-json", "-", "--log-level", "loud", "datasets").exit_code == 2


def test_lines_of_a_log_that_is_cut_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {n} {'x' * 100}\n" for n in range(500)))
    assert [line.split()[1] for line in last_lines(path, 3)] == ["497", "498", "499"]
    assert last_lines(tmp_path / "none") == ()


def test_sparkline() -> None:
    assert sparkline([0.0, 0.5, 1.0, None]) == "▁▅█ "
    assert sparkline([0.3, 0.3]) == "▄▄"
    assert sparkline([None]) == ""
