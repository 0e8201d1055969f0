"""``netwright.data`` on records made here: filters, best rows, order, figures; the same on each backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import netwright
import pandas as pd
import pytest
from alembic import command
from netwright.memory import migrations, score_query
from netwright.memory.dataset_view import COLUMNS, STATISTICS
from netwright.memory.records import Records, RecordsError
from netwright.memory.results import results, sources
from netwright.memory.scores import Score
from netwright.memory.types import Candidate, Protocol, Task, Trial, Verdict
from sqlalchemy import create_engine, text

from .backends import BACKENDS, new_database

DIGITS = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="two", epochs=2, train_limit=500, prm={"dropout": 0.5})
NAMES = ("B-net", "a-net", "alt-nn1-x", "alt-nn3-y", "alt_nn3")
PRM = {"batch": 64, "lr": 0.1, "transform": "norm_64"}


@pytest.fixture(params=BACKENDS)
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    with new_database(request.param, tmp_path) as url, Records(url) as opened:
        yield opened


def score(network: str, epoch: int, accuracy: float, **changes: Any) -> Score:
    base: dict[str, Any] = {"task": "img-classification", "dataset": "cifar-10", "metric": "acc", "prm": PRM}
    return Score(network, epoch=epoch, accuracy=accuracy, **(base | {"duration": 10**9 * epoch} | changes))


@pytest.fixture
def filled(records: Records) -> Records:
    ids = records.add_candidates(Candidate(source=f"# {name}", origin="hand-") for name in NAMES)
    records.put_networks(dict(zip(NAMES, ids, strict=True)))
    records.put_codes("metric", {"acc": "# acc"})
    records.put_codes("transform", {"norm_64": "# norm"})
    scores = [score(name, e, 0.1 * (n + e)) for n, name in enumerate(NAMES) for e in (2, 1)]
    scores += [score("a-net", 1, 0.9, prm={**PRM, "lr": 1.0}), score("a-net", 1, 0.9, prm={**PRM, "lr": 0.5})]
    scores += [score("a-net", 1, 0.3, dataset="coco", metric="bleu,meteor", task="img-captioning", duration=None)]
    records.put_scores(scores)
    return records


def own_trial(records: Records, source: str = "z = 1", **changes: Any) -> Trial:
    """A complete trial of two epochs."""
    records.add_task(DIGITS)
    records.add_protocol(PROTOCOL)
    key = records.add_candidate(Candidate(source=source, origin="rag-"))
    epochs = ({"epoch": 1, "accuracy": 0.4, "seconds": 1.5}, {"epoch": 2, "accuracy": 0.6, "seconds": 2.0})
    base = {"candidate_id": key, "task_id": DIGITS.id, "protocol_hash": PROTOCOL.hash}
    trial = Trial.model_validate(base | {"state": "complete", "metric": 0.6, "epochs": epochs} | changes)
    records.start_trial(key, DIGITS.id, PROTOCOL.hash)
    return records.finish_trial(trial)


class TestDataContract:
    def test_rows_are_ordered_and_complete(self, filled: Records) -> None:
        frame = netwright.data(records=filled)
        assert tuple(frame.columns) == COLUMNS
        keys = list(zip(frame["task"], frame["dataset"], frame["nn"], frame["epoch"], -frame["accuracy"], strict=True))
        assert keys == sorted(keys)
        assert len(frame) == 13
        first = frame.iloc[0]
        assert (first["dataset"], first["metric_code"], first["nn_code"]) == ("coco", None, "# a-net")
        assert first["transform_code"] == "# norm"
        assert pd.isna(first["duration"])
        assert frame["prm"][0] == PRM

    def test_names_are_ordered_by_code_point_everywhere(self, filled: Records) -> None:
        frame = netwright.data(dataset="cifar-10", epoch=2, records=filled)
        assert list(frame["nn"]) == sorted(NAMES)
        limited = netwright.data(dataset="cifar-10", epoch=2, max_rows=3, records=filled)
        assert list(limited["nn"]) == sorted(NAMES)[:3]

    def test_every_number_of_rows_is_a_beginning_of_all(self, filled: Records) -> None:
        whole = netwright.data(records=filled)
        for rows in range(1, 15):
            part = netwright.data(max_rows=rows, records=filled)
            assert list(part["accuracy"]) == list(whole["accuracy"][:rows])
        with pytest.raises(ValueError, match="at least 1"):
            netwright.data(max_rows=0, records=filled)

    @pytest.mark.parametrize(
        ("filters", "rows"),
        [
            ({"dataset": "CIFAR_10"}, 12),
            ({"metric": "accuracy"}, 12),
            ({"metric": "bleu,meteor"}, 1),
            ({"task": ("img-captioning", "none")}, 1),
            ({"nn": "a-net"}, 5),
            ({"nn": ("a-net", "B-net", "none")}, 7),
            ({"nn": "A-NET"}, 0),
            ({"epoch": 2}, 5),
            ({"epoch": (1, 2), "nn": "B-net"}, 2),
            ({"nn_prefixes": ("alt-",)}, 4),
            ({"nn_prefixes": "alt_"}, 2),
            ({"nn_prefixes": ("alt-nn1", "B")}, 4),
            ({"nn_prefixes": ()}, 0),
            ({"nn_prefixes": "%"}, 0),
            ({"nn": "'; DROP TABLE scores; --"}, 0),
        ],
    )
    def test_filters(self, filled: Records, filters: dict[str, Any], rows: int) -> None:
        assert len(netwright.data(**filters, records=filled)) == rows

    def test_best_of_each_epoch(self, filled: Records) -> None:
        frame = netwright.data(only_best_accuracy=True, nn="a-net", records=filled)
        assert [(r.dataset, r.epoch, r.accuracy) for r in frame.itertuples()] == [
            ("coco", 1, 0.3),
            ("cifar-10", 1, 0.9),
            ("cifar-10", 2, pytest.approx(0.3)),
        ]
        assert len(netwright.data(only_best_accuracy=True, max_rows=2, records=filled)) == 2

    def test_best_of_each_network(self, filled: Records) -> None:
        frame = netwright.data(unique_nn=True, records=filled)
        assert sorted(frame["nn"]) == sorted(NAMES)
        assert frame.set_index("nn")["accuracy"]["a-net"] == 0.9
        assert list(netwright.data(unique_nn=True, dataset="coco", records=filled)["accuracy"]) == [0.3]
        assert len(netwright.data(unique_nn=True, max_rows=3, records=filled)) == 3

    def test_own_trials_stand_beside_imported_records(self, filled: Records) -> None:
        trial = own_trial(filled)
        own_trial(filled)
        frame = netwright.data(dataset="digits", records=filled)
        name = f"rag-{trial.candidate_id[:12]}"
        assert list(frame["nn"]) == [name, name]
        assert list(frame["accuracy"]) == [0.4, 0.6]
        assert list(frame["duration"]) == [1_500_000_000, 3_500_000_000]
        assert set(frame["metric"]) == {"accuracy"}
        assert frame["prm"][0] == {
            "dropout": 0.5, "train_limit": 500, "lr": 0.01, "momentum": 0.9, "batch": 64, "epoch": 2,
            "transform": "normalise",
        }  # fmt: skip
        assert len(netwright.data(metric="acc", records=filled)) == 14

    def test_only_complete_trials_are_results(self, records: Records) -> None:
        own_trial(records, state="failed", metric=None)
        assert netwright.data(records=records).empty

    def test_own_name_is_kept(self, records: Records) -> None:
        key = records.add_candidate(Candidate(source="z = 1"))
        assert records.name_own_network("night-1", key) == "night-1"
        assert records.name_own_network("night-2", key) == "night-1"
        other = records.add_candidate(Candidate(source="z = 2"))
        with pytest.raises(RecordsError, match="another network's"):
            records.name_own_network("night-1", other)
        own_trial(records)
        assert set(netwright.data(records=records)["nn"]) == {"night-1"}

    def test_figures_of_a_verdict(self, records: Records) -> None:
        trial = own_trial(records)
        figures = {"max_depth": 3, "has_attention": False, "stats_meta": {"layer_types": {"Conv2d": 2}}}
        verdict = Verdict(ok=True, stage="backward", params=77, flops=99, figures=figures)
        records.put_verdict(trial.candidate_id, DIGITS.id, verdict)
        frame = netwright.data(include_nn_stats=True, records=records)
        assert tuple(frame.columns) == (*COLUMNS, *(f"nn_{name}" for name in STATISTICS))
        row = frame.iloc[0]
        assert (row["nn_total_params"], row["nn_flops"], row["nn_max_depth"]) == (77, 99, 3)
        assert row["nn_stats_meta"] == {"layer_types": {"Conv2d": 2}}
        assert row["nn_code_length"] is None

    def test_nothing_fits(self, records: Records) -> None:
        frame = netwright.data(include_nn_stats=True, records=records)
        assert frame.empty
        assert tuple(frame.columns)[:11] == COLUMNS
        assert str(frame["accuracy"].dtype) == "float64"

    def test_scores_are_there_once(self, filled: Records) -> None:
        before = filled.count_scores()
        filled.put_scores([score("a-net", 1, 0.9, prm={**PRM, "lr": 1.0}), score("a-net", 1, 0.9, duration=None)])
        filled.put_scores([score("a-net", 1, 0.9, duration=None)])
        assert filled.count_scores() == before + 1

    def test_score_of_a_network_without_name_is_refused(self, filled: Records) -> None:
        with pytest.raises(RecordsError, match="do not know"):
            filled.put_scores([score("nobody", 1, 0.5)])
        with pytest.raises(RecordsError, match="no name for the records"):
            filled.put_networks({"x" * 201: "0" * 64})

    def test_rows_share_nothing_that_can_be_changed(self, filled: Records) -> None:
        frame = netwright.data(dataset="cifar-10", epoch=2, records=filled)
        frame["prm"][0]["lr"] = 7
        assert frame["prm"][1]["lr"] == 0.1

    @pytest.mark.parametrize(("many", "part"), [(2, 1), (2, 1000), (1000, 4)])
    def test_every_way_to_read_gives_the_same(
        self, filled: Records, monkeypatch: pytest.MonkeyPatch, many: int, part: int
    ) -> None:
        """Of many keys, a whole table or an array is read instead of a row for each."""
        wanted: dict[str, Any] = {"dataset": "cifar-10", "include_nn_stats": True, "records": filled}
        expected = netwright.data(**wanted)
        monkeypatch.setattr(score_query, "_MANY", many)
        monkeypatch.setattr(score_query, "_PART", part)
        pd.testing.assert_frame_equal(netwright.data(**wanted), expected)

    def test_results_and_sources(self, filled: Records) -> None:
        frame = results(filled, nn_prefixes=("alt-",))
        assert list(frame.columns) == [c for c in COLUMNS if not c.endswith("_code")]
        assert sources(filled, ["a-net", "none"]) == {"a-net": "# a-net"}


def test_url_and_default_records(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with Records(url) as opened:
        own_trial(opened)
    assert len(netwright.data(records=url)) == 2
    assert netwright.data().empty


def test_upgrade_shows_older_trials(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with Records(url) as opened:
        own_trial(opened)
        expected = netwright.data(records=opened)
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("scores", "networks", "score_tasks", "prms", "codes", "predictions"):
            connection.execute(text(f"DROP TABLE {table}"))
        later = [("generations", "parent"), ("repair_attempts", "by"), ("repair_attempts", "parent")]
        later += [("spending", name) for name in ("agent", "model", "tokens_in", "tokens_out")]
        for table, column in later:
            connection.execute(text(f'ALTER TABLE {table} DROP COLUMN "{column}"'))
        command.stamp(migrations.configuration(connection), "0003", purge=True)
    engine.dispose()
    pd.testing.assert_frame_equal(netwright.data(records=url), expected)
