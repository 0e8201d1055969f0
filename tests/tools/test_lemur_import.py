"""``netwright import lemur`` on a tree in LEMUR's layout, and what ``netwright.data`` then answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import netwright
import pandas as pd
import pytest
from netwright.interfaces.cli.main import app
from netwright.memory.records import Records
from netwright.memory.types import Candidate, candidate_id
from netwright.tools.corpus.lemur_checkout import NoCheckout
from netwright.tools.corpus.lemur_import import import_lemur, origin_of
from netwright.tools.corpus.lemur_records import split_name
from typer.testing import CliRunner

from .lemur_tree import ACC, GOOD, NORM, networks, reasons, write_tree

COLUMNS = [
    *("task", "dataset", "metric", "metric_code", "nn", "nn_code", "epoch"),
    *("accuracy", "duration", "prm", "transform_code"),
]
CODES = {"norm_64": NORM, "echo_32_flip": NORM + "# flips\n"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "nn-dataset")


def expected() -> pd.DataFrame:
    """The frame of :data:`GOOD`, made here from the files' own words."""
    rows: list[dict[str, Any]] = []
    later = {"img-classification_cifar-10_acc_ResNet/6.json": [json.loads(json.dumps(_last()))]}
    for path, records in {**GOOD, **later}.items():
        folder, file = path.split("/")
        task, rest = folder.split("_", 1)
        dataset = next(name for name in ("cifar-10", "celeba-gender", "coco", "utk_face") if rest.startswith(name))
        metric, nn = rest.removeprefix(dataset + "_").split("_", 1)
        for one in records:
            prm = {k: v for k, v in one.items() if k not in ("accuracy", "duration", "uid", "train_stat")}
            known = {"task": task, "dataset": dataset, "metric": metric, "nn": nn, "prm": prm}
            texts = {"metric_code": ACC if metric == "acc" else None, "nn_code": networks()[nn]}
            texts["transform_code"] = CODES.get(one["transform"])
            numbers = {"epoch": int(file.split(".")[0]), "accuracy": one["accuracy"], "duration": one["duration"]}
            rows.append(known | texts | numbers)
    rows.sort(key=lambda r: (r["task"], r["dataset"], r["metric"], r["nn"], r["epoch"], -r["accuracy"]))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("metric_code", "nn_code", "transform_code"):  # plain objects, so that many rows share one text
        frame[name] = pd.Series([row[name] for row in rows], dtype=object)
    return frame


def _last() -> dict[str, Any]:
    from .lemur_tree import BROKEN

    good: dict[str, Any] = BROKEN["img-classification_cifar-10_acc_ResNet/6.json"][-1]
    return good


def test_tree_becomes_the_right_frame(tree: Path) -> None:
    with Records() as records:
        done = import_lemur(tree, records)
    assert (done.networks, done.transforms, done.metrics) == (len(networks()), 2, 1)
    assert done.records == done.new_records == len(expected()) == 9
    frame = netwright.data()
    assert list(frame.columns) == COLUMNS
    pd.testing.assert_frame_equal(frame, expected())


def test_what_is_broken_is_listed_with_its_reason(tree: Path) -> None:
    with Records() as records:
        done = import_lemur(tree, records)
    told = {problem.path: problem.reason for problem in done.problems}
    assert set(told) == set(reasons())
    assert {path: reason for path, reason in reasons().items() if reason not in told[path]} == {}


def test_import_twice_is_import_once(tree: Path) -> None:
    with Records() as records:
        import_lemur(tree, records)
        first = netwright.data(records=records)
        again = import_lemur(tree, records)
        assert (again.records, again.new_records, again.changed) == (9, 0, [])
        pd.testing.assert_frame_equal(netwright.data(records=records), first)


def test_older_layout_without_train(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, stat="stat")
    with Records() as records:
        assert import_lemur(folder / "ab" / "nn", records).records == 9
        assert len(netwright.data(records=records)) == 9


def test_dry_run_writes_nothing(tree: Path) -> None:
    with Records() as records:
        done = import_lemur(tree, records, dry_run=True)
        assert (done.records, done.new_records) == (9, None)
        assert netwright.data(records=records).empty
        assert records.get_candidate(candidate_id(networks()["ResNet"])) is None


def test_interrupted_import_goes_on(tree: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "folders of records":
            raise KeyboardInterrupt

    with Records() as records:
        with pytest.raises(KeyboardInterrupt):
            import_lemur(tree, records, tell=stop)
        import_lemur(tree, records)
        pd.testing.assert_frame_equal(netwright.data(records=records), expected())


def test_a_name_stands_for_its_newest_program(tree: Path) -> None:
    path = tree / "ab" / "nn" / "nn" / "ResNet.py"
    with Records() as records:
        import_lemur(tree, records)
        path.write_text("# another\nx = 1\n")
        assert import_lemur(tree, records).changed == ["ResNet"]
        assert set(netwright.data(nn="ResNet", records=records)["nn_code"]) == {"# another\nx = 1\n"}
        assert records.get_candidate(candidate_id(networks()["ResNet"])) is not None


def test_names_of_own_networks_are_not_taken(tree: Path) -> None:
    with Records() as records:
        key = records.add_candidate(Candidate(source="y = 2"))
        records.name_own_network("AlexNet", key)
        done = import_lemur(tree, records)
        assert "nn/AlexNet.py" in {problem.path for problem in done.problems}
        assert len(netwright.data(nn="AlexNet", records=records)) == 0


def test_statistics_come_with_the_networks(tree: Path) -> None:
    with Records() as records:
        assert import_lemur(tree, records).statistics == 1
        frame = netwright.data(nn="ResNet", epoch=2, include_nn_stats=True, records=records)
    row = frame.iloc[0]
    assert list(frame.columns[:11]) == COLUMNS
    assert (row["nn_total_params"], row["nn_flops"], row["nn_code_length"]) == (1234, 99, 7)
    assert (bool(row["nn_has_residual"]), bool(row["nn_is_vgg_like"])) == (True, False)
    assert row["nn_max_depth"] is None


def test_no_checkout_says_so(tmp_path: Path) -> None:
    with Records() as records, pytest.raises(NoCheckout, match="no folder ab/nn/nn"):
        import_lemur(tmp_path, records)


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("img-classification_celeba-gender_acc_AlexNet", ("img-classification", "celeba-gender", "acc", "AlexNet")),
        ("img-captioning_coco_bleu_C8C", ("img-captioning", "coco", "bleu", "C8C")),
        ("img-classification_tiny_image_net_acc_C8C", ("img-classification", "tiny_image_net", "acc", "C8C")),
        ("my_task_some_data_acc_My_Net", ("my", "task_some_data", "acc", "My_Net")),
        ("img-segmentation_coco_my_iou_AlexNet", ("img-segmentation", "coco", "my_iou", "AlexNet")),
    ],
)
def test_underscores_in_names_of_folders(folder: str, parts: tuple[str, ...]) -> None:
    found = split_name(folder, {"AlexNet", "C8C", "My_Net"}, {"my_iou"})
    assert (found.task, found.dataset, found.metric, found.nn) == parts


def test_origins() -> None:
    names = ("alt-nn3-1", "alt-nn1-1", "ga-115", "FractalFusion-1b", "ResNet", "rag-x")
    assert [origin_of(name) for name in names] == ["alt-nn3-", "llm-", "ga-", "frac-", "hand-", "rag-"]


def test_command_line(tree: Path, tmp_path: Path) -> None:
    run = CliRunner()
    dry = run.invoke(app, ["import", "lemur", str(tree), "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "would be imported" in dry.stdout
    lines = tmp_path / "problems.tsv"
    result = run.invoke(app, ["import", "lemur", str(tree), "--json", "--problems", str(lines)])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["records"], told["new_records"], len(told["problems"])) == (9, 9, len(reasons()))
    assert len(lines.read_text().splitlines()) == len(reasons())
    failed = run.invoke(app, ["import", "lemur", str(tmp_path / "nowhere"), "--json"])
    assert failed.exit_code == 2
    assert "no checkout" in json.loads(failed.stdout)["error"]
