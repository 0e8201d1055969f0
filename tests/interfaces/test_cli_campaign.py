"""Campaigns from the command line: how they end, what to do next, and that a failure says so in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from netwright.interfaces.cli.main import app
from netwright.memory.records import Records
from netwright.tools.generators.corpus import build_corpus
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli-home")


@pytest.fixture(autouse=True)
def netwright_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One data directory for this module: the signatures of the initial corpus are computed once."""
    monkeypatch.setenv("NETWRIGHT_HOME", str(shared_home))
    return shared_home


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Scripts: one that never ends, and one that is used up within the first batch."""
    programs = [p.source for p in build_corpus(987_654, 20) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    folder, scripts = tmp_path_factory.mktemp("scripts"), {}
    for name, order, held in (("endless", "seed", programs), ("short", "sequence", programs[:1])):
        scripts[name] = folder / f"{name}.yaml"
        scripts[name].write_text(yaml.safe_dump({"order": order, "answers": held}))
    return scripts


def call(*arguments: str):
    return CliRunner().invoke(app, ["campaign", *arguments])


def chosen(script: Path, *more: str) -> list[str]:
    fields = ["model.name=scripted", f"model.path={script}", "campaign.candidates=2", "budget.cycles=1"]
    fields += ["sandbox.workers=1", *more]
    return [part for field in fields for part in ("--set", field)]


@pytest.fixture(scope="module")
def spent(shared_home: Path, answers: dict[str, Path]) -> dict:
    """A campaign that ended because its cycles were spent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(shared_home))
        result = call("run", "--id", "spent", *chosen(answers["endless"]), "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_spent_budget_says_how_to_go_on(spent):
    assert spent["state"] == "complete"
    assert spent["stop_reason"] == "budget: 1 cycles"
    assert spent["next"] == "netwright campaign resume spent --set budget.cycles=2"
    assert Path(spent["report"]["html"]).is_file()


def test_running_the_same_command_with_resume_starts_from_the_stored_settings(spent, answers):
    same = chosen(answers["endless"], "budget.cycles=2")
    refused = call("run", "--id", "spent", *same)
    assert refused.exit_code == 2
    assert "go on with: netwright campaign resume spent" in refused.stderr

    gone_on = call("run", "--id", "spent", "--resume", *same, "--quiet")
    assert gone_on.exit_code == 0, gone_on.output
    assert "more: netwright campaign resume spent --set budget.cycles=4" in gone_on.stdout
    with Records() as records:
        assert len(records.cycles("spent")) == 2

    bare = call("run", "--id", "spent", "--resume", "--json")
    assert json.loads(bare.stdout)["candidates"] == 4, "the model and the batch are those of the record"


@pytest.mark.parametrize("command", [("run", "--resume", "--id", "spent"), ("resume", "spent")])
def test_only_the_budget_of_a_campaign_can_change(spent, command, tmp_path):
    changed = call(*command, "--set", "campaign.tune=false", "--set", "campaign.seed=9", "--json")
    assert changed.exit_code == 2
    assert "can change, not campaign.seed, campaign.tune" in json.loads(changed.stdout)["error"]
    misspelt = call(*command, "--set", "budget.cycels=9", "--json")
    assert misspelt.exit_code == 2
    assert "budget.cycels" in json.loads(misspelt.stdout)["error"]


def test_resuming_with_another_configuration_file_is_refused(spent, tmp_path):
    (tmp_path / "other.yaml").write_text("campaign: {max_params: 5000}\n")
    result = call("run", "--resume", "--id", "spent", "-c", str(tmp_path / "other.yaml"), "--json")
    assert result.exit_code == 2
    assert "campaign.max_params" in json.loads(result.stdout)["error"]


def test_campaign_that_fails_on_its_way_says_why_and_how_to_go_on(answers):
    result = call("run", "--id", "short", *chosen(answers["short"]), "--quiet")
    assert result.exit_code == 2
    error, following = result.stderr.splitlines()
    assert "the script's 1 answers are used up" in error
    assert following == "go on with: netwright campaign resume short"
    assert "Traceback" not in result.output
    with Records() as records:
        assert records.get_campaign("short").state == "failed"


def test_model_that_cannot_be_used_ends_in_one_json_document(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = call("run", "--id", "keyless", "--set", "model.name=openai:gpt-4.1", "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert "OPENAI_API_KEY" in answer["error"]
    assert answer["next"] == "netwright campaign resume keyless"


def test_server_that_does_not_answer_is_no_traceback():
    served = ("--set", "model.name=any", "--set", "model.base_url=http://127.0.0.1:9/v1")
    result = call("run", "--id", "served", *served, "--set", "campaign.candidates=1", "--json")
    assert result.exit_code == 2
    assert "the language model did not answer" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("name", ["../up", "a/b", "", "-", "x" * 65])
def test_an_id_that_is_no_name_is_refused(name):
    result = call("run", f"--id={name}", "--json")
    assert result.exit_code == 2
    assert "cannot be the id" in json.loads(result.stdout)["error"]


def test_resume_flag_needs_an_id():
    result = call("run", "--resume", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["next"] == "netwright campaign resume"


def test_unknown_campaign_lists_the_known_ones(spent):
    for command in ("resume", "status", "report"):
        result = call(command, "nobody", "--json")
        assert result.exit_code == 2
        assert "spent" in json.loads(result.stdout)["error"]


def test_status_shows_reasons_as_they_are(spent):
    with Records() as records:
        records.update_campaign("spent", stop_reason="[red]:x:")
        shown = call("status").stdout
        records.update_campaign("spent", stop_reason="budget: 2 cycles")
    assert "[red]:x:" in shown


def test_report_to_a_place_that_cannot_be_written(spent, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("report", "spent", "--to", str(tmp_path / "file"), "--json")
    assert result.exit_code == 2
    assert str(tmp_path / "file") in json.loads(result.stdout)["error"]
