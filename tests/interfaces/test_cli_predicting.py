"""``netwright predict``, ``campaign report --paper`` and ``campaign compare`` on records of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from netwright.interfaces.cli.main import app
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle, Generation, Prediction
from netwright.memory.types import Candidate, Trial
from netwright.tools.generators.corpus import build_corpus
from netwright.tools.protocols import default_protocol
from netwright.tools.tasks import task
from typer.testing import CliRunner

NETWORKS = Path(__file__).parents[1] / "data" / "networks"
TASK, PROTOCOL = task("digits"), default_protocol("digits")
pytestmark = pytest.mark.usefixtures("few_trees")


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def told(*words: str) -> Any:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two campaigns of 30 networks each in two cycles, trained, and a prediction for each cycle."""
    home = tmp_path_factory.mktemp("filled")
    sources = [p.source for p in build_corpus(5, 220) if p.header.in_shape == (1, 8, 8)]
    assert len(sources) >= 60
    with Records(f"sqlite:///{home / 'records.db'}") as records:
        records.add_task(TASK)
        records.add_protocol(PROTOCOL)
        for number, name in enumerate(("one", "two")):
            config = {"campaign": {"seed": number, "dataset": "digits"}, "model": {"name": "nano"}}
            place = {"task_id": TASK.id, "protocol_hash": PROTOCOL.hash, "initial_corpus": 10}
            records.create_campaign(Campaign(id=name, seed=number, config=config, **place))
            for slot, source in enumerate(sources[30 * number : 30 * number + 30]):
                _slot(records, name, 1 + slot // 15, slot % 15, source)
    return home


@pytest.fixture
def filled(filled_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(filled_home))


def _slot(records: Records, name: str, cycle: int, slot: int, source: str) -> None:
    records.put_cycle(Cycle(campaign_id=name, n=cycle, threshold=0.5))
    key = records.add_candidate(Candidate(source=source))
    fields = {"raw_candidate_id": key, "candidate_id": key, "valid_by": "generation", "novel": True, "answer": "x"}
    records.put_generation(Generation.model_validate({"campaign_id": name, "cycle": cycle, "slot": slot, **fields}))
    place = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": PROTOCOL.hash}
    metric = (0.8 if "BatchNorm" in source else 0.3) + slot / 1_000
    records.start_trial(**place)
    records.finish_trial(Trial.model_validate({**place, "state": "complete", "metric": metric}))
    decision = {"campaign_id": name, "cycle": cycle, "candidate_id": key}
    records.put_admission(Admission(**decision, admitted=metric >= 0.5, metric=metric))
    if slot == 0:
        rest = {"predictor": "p", "learned_from": 40, "low": 0.1, "high": 0.9, "place": 1, "among": 1, "kept": True}
        records.put_predictions([Prediction.model_validate({**decision, "metric": 0.5, **rest})])


def test_nothing_on_record_is_said(netwright_home: Path) -> None:
    result = call("predict", "train")
    assert result.exit_code == 2
    assert "0 trained networks are on record" in result.stderr
    assert "no predictor yet" in call("predict", "show").stdout


@pytest.mark.usefixtures("filled")
def test_a_predictor_is_trained_shown_and_asked(tmp_path: Path) -> None:
    trained = told("predict", "train", "--campaign", "one")
    assert trained["learned_from"] == 60
    assert trained["held_out"]["spearman"]["value"] > 0.3
    assert Path(trained["files"]["html"]).is_file()
    assert [one["predictor"] for one in told("predict", "show")] == [trained["predictor"]]
    assert "Spearman" in call("predict", "show").stdout

    both = call("predict", "train", "--campaign", "one", "--protocol", "lemur-quick")
    assert both.exit_code == 2
    assert "a campaign has its own protocol" in both.stderr

    broken = tmp_path / "broken.py"
    broken.write_text("class Net: pass\n")
    asked = call("predict", str(NETWORKS / "lenet.py"), str(broken), "--json")
    assert asked.exit_code == 1, "one of the files is no network"
    first, second = json.loads(asked.stdout)
    assert first["file"].endswith("lenet.py")
    assert 0 <= first["low"] <= first["metric"] <= first["high"] <= 1
    assert (second["ok"], second["metric"]) == (False, None)
    with Records() as records:
        assert len(records.complete_trials(TASK.id, PROTOCOL.hash)) == 60, "nothing was trained for it"


@pytest.mark.usefixtures("filled")
def test_predictions_of_a_campaign_are_shown() -> None:
    rows = told("predict", "show", "--campaign", "two")
    assert [(row["cycle"], row["metric"]) for row in rows] == [(1, 0.5), (2, 0.5)]
    assert all(row["reached"] is not None for row in rows)
    assert call("predict", "show", "--campaign", "none").exit_code == 2


@pytest.mark.usefixtures("filled")
def test_paper_report_and_comparison(tmp_path: Path) -> None:
    one = told("campaign", "report", "one", "--paper", "--to", str(tmp_path / "paper"))
    assert {table["name"] for table in one["tables"]} >= {"table-2", "table-3", "table-5", "table-7"}
    assert {path.name for path in (tmp_path / "paper").iterdir()} == {
        "paper.json",
        "paper.md",
        "paper.html",
        "figure-2.png",
        "figure-3.png",
        "diversity.png",
    }
    both = told("campaign", "compare", "one", "two", "--threshold", "0.9")
    (group,) = both["groups"]
    assert (group["seeds"], group["thresholds"]) == ([0, 1], [0.9, 0.9])
    assert Path(both["files"]["html"]).parent.name == "one+two"
    shown = call("campaign", "compare", "one", "two")
    assert shown.exit_code == 0
    assert "Side by side" in shown.stdout


@pytest.mark.usefixtures("filled")
def test_a_plain_report_is_of_one_campaign() -> None:
    several = call("campaign", "report", "one", "two")
    assert several.exit_code == 2
    assert "campaign compare" in several.stderr
    assert call("campaign", "report", "one", "--threshold", "0.5").exit_code == 2
    assert call("campaign", "compare", "one", "nowhere").exit_code == 2
