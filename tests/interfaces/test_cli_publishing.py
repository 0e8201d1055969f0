"""``netwright export`` and ``netwright stats`` on records of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from netwright.interfaces.cli.main import app
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Generation
from netwright.memory.types import Candidate, Protocol, Trial
from netwright.tools.tasks import task
from typer.testing import CliRunner

NETWORKS = sorted((Path(__file__).parents[1] / "data" / "networks").glob("*.py"))
PROTOCOL = Protocol(name="two-epochs", epochs=2)
LEMUR = [
    "task",
    "dataset",
    "metric",
    "metric_code",
    "nn",
    "nn_code",
    "epoch",
    "accuracy",
    "duration",
    "prm",
    "transform_code",
]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def told(*words: str) -> Any:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def filled(netwright_home: Path) -> list[str]:
    """Every test network on two data sets, the later ones children of the first; half of them a campaign's."""
    with Records() as records:
        records.add_protocol(PROTOCOL)
        for dataset in ("digits", "mnist"):
            records.add_task(task(dataset))
        ids: list[str] = []
        for number, path in enumerate(NETWORKS):
            origin = ("alt-nn3-", "rag-", "ga-")[number % 3]
            parents = (ids[0],) if number > 12 else ()
            ids.append(records.add_candidate(Candidate(source=path.read_text(), origin=origin, parents=parents)))
            for shift, dataset in enumerate(("digits", "mnist")):
                _train(records, ids[-1], task(dataset).id, (number + 1) / 40 + shift / 4)
        records.create_campaign(Campaign(id="night", task_id=task("digits").id, protocol_hash=PROTOCOL.hash))
        for slot, key in enumerate(ids[:10]):
            records.put_generation(
                Generation(
                    campaign_id="night",
                    cycle=1,
                    slot=slot,
                    candidate_id=key,
                    valid_by="generation",
                    exemplars=tuple(ids[10 : 10 + slot % 3]),
                )
            )
    return ids


def _train(records: Records, key: str, task_id: str, accuracy: float) -> None:
    place = {"candidate_id": key, "task_id": task_id, "protocol_hash": PROTOCOL.hash}
    records.start_trial(**place)
    epochs = tuple({"epoch": e, "accuracy": accuracy - (0.01 if e == 1 else 0), "seconds": 2.0 * e} for e in (1, 2))
    records.finish_trial(Trial(**place, state="complete", metric=accuracy, epochs=epochs))


@pytest.mark.parametrize("words", [("stats",), ("export",), ("stats", "--out", "figures")])
def test_empty_records_say_what_to_do(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*words, "--json")
    assert result.exit_code == 2
    assert "there is no result on record yet" in json.loads(result.stdout)["error"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "netwright-home"] == []


def test_parquet_is_lemurs_view(filled, tmp_path):
    out = tmp_path / "records.parquet"
    assert told("export", "--out", str(out))["rows"] == 4 * len(filled)
    read = pq.read_table(out).to_pylist()
    assert list(read[0]) == LEMUR
    assert {row["nn"].rpartition("-")[2] for row in read} == {key[:12] for key in filled}
    assert {row["nn_code"] for row in read} == {path.read_text() for path in NETWORKS}
    best = max(row["accuracy"] for row in read if row["dataset"] == "mnist")
    assert best == pytest.approx(len(NETWORKS) / 40 + 0.25)
    first = out.read_bytes()
    assert call("export", "--out", str(out)).exit_code == 2
    assert call("export", "--out", str(out), "--force").exit_code == 0
    assert out.read_bytes() == first


def test_chat_pairs_put_tasks_as_the_designer_does(filled, tmp_path):
    out = tmp_path / "pairs.jsonl"
    summary = told("export", "--to", "jsonl", "--out", str(out), "--campaign", "night", "--describe", "CIFAR-100")
    pairs = [json.loads(line) for line in out.read_text().splitlines()]
    assert (summary["rows"], summary["networks"], len(pairs)) == (10, 10, 10)
    system, user, assistant = pairs[0]["messages"]
    assert "expert PyTorch architecture designer" in system["content"]
    assert "out_shape = (100,)" in user["content"]
    assert "class Net" in assistant["content"]
    assert {pair["split"] for pair in pairs} <= {"train", "validation", "test"}
    assert sum(summary["splits"].values()) == 10


def test_a_folder_for_the_hub(filled, tmp_path):
    summary = told("export", "--to", "hf", "--out", str(tmp_path / "hub"), "--dedup", "--title", "Twenty networks")
    assert summary["configs"]["chat"]["train"] == 2 * summary["splits"]["train"]
    assert summary["configs"]["networks"]["train"] == 2 * summary["splits"]["train"]
    assert sum(summary["splits"].values()) == summary["networks"]
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "# Twenty networks" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("export", "--to", "csv"), "unknown format 'csv': --to takes parquet, jsonl, hf"),
        (("export", "--dataset", "svhn"), "no result on record fits dataset svhn"),
        (("stats", "--nn-prefix", "moe-", "--epoch", "2"), "no result on record fits epoch 2, networks moe-*"),
        (("stats", "--campaign", "day"), "no campaign 'day'"),
        (("export", "--to", "jsonl", "--describe", "imagenet22k"), "unknown data set 'imagenet22k'"),
    ],
)
def test_what_cannot_be_says_why(filled, tmp_path, monkeypatch, words, why):
    monkeypatch.chdir(tmp_path)
    result = call(*words, "--json")
    assert result.exit_code == 2
    assert why in json.loads(result.stdout)["error"]


def test_statistics_of_the_records(filled, tmp_path):
    found = told("stats", "--out", str(tmp_path / "figures"))
    assert (found["rows"], found["networks"]) == (4 * len(filled), len(filled))
    assert {row["group"] for row in found["groups"]} == {"alt-nn3", "rag", "ga"}
    assert found["balanced"][0]["balanced"] == pytest.approx(found["balanced"][0]["naive"])
    counts = {(row["measure"]["dataset"], row["exemplars"]): row["spread"]["n"] for row in found["exemplars"]}
    # Of the ten that the campaign wrote, those named alt-nn3 had three exemplars by their name.
    by_name = [n for n in range(len(filled)) if n % 3 == 0]
    by_campaign = [n % 3 for n in range(10) if n not in by_name]
    assert counts["digits", 3] == len(by_name)
    assert counts["digits", 1] == by_campaign.count(1)
    assert counts["digits", 2] == by_campaign.count(2)
    assert found["lineage"]["families"] == 1
    assert found["lineage"]["largest"][0]["size"] == 1 + len(filled) - 13
    assert found["durations"][0]["median_seconds"] == pytest.approx(2.0 + 4.0)
    assert all(Path(path).is_file() for path in [found["files"]["html"], *found["files"]["figures"]])


def test_statistics_as_tables(filled):
    result = call("stats", "--dataset", "mnist", "--nn-prefix", "rag-", "--nn-prefix", "ga-", "--epoch", "1")
    assert result.exit_code == 0
    assert "best networks per data set" in result.stdout
    assert "alt-nn3" not in result.stdout.partition("lineage")[0]
