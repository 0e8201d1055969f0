"""Exports of a view whose rows are known: what leaves, what does not, and that it is the same each time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from netwright.memory.home import home
from netwright.tools.corpus.export_chat import Description, chat_pairs, jsonl
from netwright.tools.corpus.export_checks import code_fault, record_fault
from netwright.tools.corpus.export_clusters import clusters
from netwright.tools.corpus.export_folder import ExportError, new_file, new_folder
from netwright.tools.corpus.export_hub import MARKER, Card, write_hub_folder
from netwright.tools.corpus.export_networks import Chosen, Clustered, Texts, choose, fixed_order
from netwright.tools.corpus.export_parquet import LEMUR, RECORDS, write_frame

DATA = Path(__file__).parents[1] / "data"
ALEX = (DATA / "networks" / "alexnet.py").read_text()
GRU = (DATA / "networks" / "gru.py").read_text()
DESCRIBED = [Description("mnist", "You design.", "28 × 28 grey"), Description("cifar10", "You design.", "32 × 32 RGB")]
CARD = Card(title="Some networks", licences=("mit",), selection={}, blocks={}, dedup=False, seed=0)


def view(*results: tuple[str, str, str, float], **more: object) -> tuple[pd.DataFrame, Texts]:
    """``(nn, code, dataset, accuracy)`` as LEMUR's view, the code apart."""
    frame = pd.DataFrame(
        [(nn, dataset, accuracy) for nn, _, dataset, accuracy in results], columns=["nn", "dataset", "accuracy"]
    )
    base = {"task": "img-classification", "metric": "acc", "epoch": 1, "duration": 5}
    frame = frame.assign(**base, prm=[{"momentum": 0.9, "lr": 0.1} for _ in results])
    texts = Texts({nn: code for nn, code, _, _ in results}, {"acc": "metric"}, {"norm": "transform"})
    return frame.assign(**more)[RECORDS.names], texts


def split_all(**places: str):
    """A stand-in for the clusters where only the splits matter."""
    return lambda codes, datasets: Clustered(frozenset(codes), {name: places[name] for name in codes})


CONTRACT = """
import torch.nn as nn
def supported_hyperparameters():
    return {'lr'}
class Base(nn.Module):
    def forward(self, x, mask=None): return x
class Net(Base):
    def __init__(self, in_shape, out_shape, prm, device=None): super().__init__()
    def train_setup(self, prm): pass
    def learn(self, train_data): pass
"""


@pytest.mark.parametrize("path", sorted((DATA / "networks").glob("*.py")), ids=lambda path: path.stem)
def test_whole_networks_are_targets(path):
    assert code_fault(path.read_text()) is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", None),
        ("(self, in_shape, out_shape, prm, device=None)", "(self, *args)", None),
        ("(self, in_shape, out_shape, prm, device=None)", "(self)", "a constructor that does not take"),
        ("(self, in_shape, out_shape, prm, device=None)", "(self, a, b, c, d, e)", "a constructor that does not take"),
        ("(self, in_shape, out_shape, prm, device=None)", "(self, a, b, c, *, d)", "a constructor that does not take"),
        ("def __init__", "def init", "no __init__"),
        ("def forward", "def forwards", "no forward"),
        ("(self, x, mask=None)", "(self)", "a forward that does not take one input"),
        ("(self, x, mask=None)", "(self, x, mask)", "a forward that does not take one input"),
        ("def train_setup", "def setup", "no train_setup"),
        ("def learn", "def fit", "no learn"),
        ("def supported_hyperparameters", "def names", "no supported_hyperparameters"),
        ("class Net(Base)", "class Network(Base)", "no class Net"),
        ("class Net(Base)", "class Net(other.Base)", "a class Net that is no nn.Module of this file"),
        ("class Net(Base)", "class Net(Base", "code that does not parse"),
    ],
)
def test_interface_components_are_looked_for(old, new, fault):
    assert old in CONTRACT
    found = code_fault(CONTRACT.replace(old, new, 1))
    assert found is None if fault is None else (found or "").startswith(fault)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (" \n", "no code"),
        ("(" * 5000, "code that does not parse"),
        ("-" * 200_000 + "1", "code that does not parse"),
        ("a" + ".b" * 50_000, "code that does not parse"),
        ("\0", "code that does not parse"),
        ("#" * 300_000, "code longer than 262,144 characters"),
        ("class Net(Net): pass", "a class Net that is no nn.Module of this file"),
    ],
)
def test_hostile_code_has_a_fault(code, fault):
    assert code_fault(code) == fault


@pytest.mark.parametrize(
    ("accuracy", "prm", "fault"),
    [
        (0.5, {"lr": 0.1, "transform": "x"}, None),
        (1.5, {"lr": 0.1}, "an accuracy that is no share"),
        (math.nan, {"lr": 0.1}, "an accuracy that is no share"),
        (True, {"lr": 0.1}, "an accuracy that is no share"),
        (0.5, {}, "no hyperparameters"),
        (0.5, "lr=0.1", "no hyperparameters"),
        (0.5, {"lr": math.inf}, "a hyperparameter that is not finite"),
    ],
)
def test_malformed_records_have_a_fault(accuracy, prm, fault):
    assert record_fault(accuracy, prm) == fault


def test_each_program_is_told_twice_with_the_same_code():
    rows = view(("Alex", ALEX, "mnist", 0.5), ("Alex", ALEX, "cifar10", 0.7), ("Bad", "class Net: pass", "mnist", 0.9))
    pairs = chat_pairs(choose(*rows, split_all(Alex="test", Bad="train")), DESCRIBED)
    assert pairs.dropped == {"a class Net that is no nn.Module of this file": 1}
    assert [row["described_as"] for row in pairs.rows] == ["mnist", "cifar10"]
    first, second = (row["messages"] for row in pairs.rows)
    assert [one["role"] for one in first] == ["system", "user", "assistant"]
    assert first[1]["content"] != second[1]["content"]
    assert first[2] == second[2]
    assert first[2]["content"].startswith("```python\n")
    assert ALEX.strip("\n") in first[2]["content"]
    told = {key: value for key, value in pairs.rows[0].items() if key not in {"messages", "described_as"}}
    assert told == {"nn": "Alex", "dataset": "cifar10", "metric": "acc", "accuracy": 0.7, "split": "test"}
    assert [json.loads(line) for line in jsonl(pairs)] == list(pairs.rows)


def test_other_tasks_are_no_chat_pairs():
    rows = view(("Alex", ALEX, "coco", 0.5), task="img-segmentation")
    assert chat_pairs(choose(*rows), DESCRIBED).dropped == {"a task that is no image classification": 1}


def test_paths_of_this_machine_and_keys_stay_here():
    key = "sk-" + "a1B2" * 8
    rows, texts = view(
        ("A", ALEX, "mnist", 0.5),
        ("B", f"{ALEX}\n# {home()}/records.db", "mnist", 0.5),
        ("C", f"{ALEX}\nTOKEN = '{key}'", "mnist", 0.5),
        ("D", GRU, "mnist", 0.5),
        ("E", GRU + "\n", "mnist", 0.5),
    )
    rows.at[3, "prm"] = {"lr": 0.1, "data": f"{home()}/data"}
    rows.at[4, "prm"] = {"lr": 0.1, "transform": "mine"}
    chosen = choose(rows, texts._replace(transform={"mine": f"open('{home()}/x')"}))
    assert chosen.networks == ["A"]
    assert chosen.left_out == {"a path of this machine": 3, "what looks like a key": 1}


def test_near_duplicates_are_one_and_stay_in_one_split():
    """Twenty networks, the first with a near copy, the second with a child of another text."""
    sources = sorted((DATA / "networks").glob("*.py"))
    rows = [(path.stem, path.read_text(), "mnist", 0.5) for path in sources]
    rows += [("zz-copy", ALEX.replace("\n\n", "\n\n\n") + "\nEND = 1\n", "mnist", 0.9)]
    frame, texts = view(*rows)
    datasets = dict.fromkeys(texts.nn, "mnist")
    found = clusters(texts.nn, datasets, {"gru": ("vit", "gone")}, seed=3)
    assert set(found.split) == set(texts.nn)
    assert found.split["zz-copy"] == found.split["alexnet"]
    assert found.split["gru"] == found.split["vit"]
    assert set(found.split.values()) == {"train", "validation", "test"}
    assert clusters(dict(reversed(texts.nn.items())), datasets, {"gru": ("vit", "gone")}, seed=3) == found
    chosen = choose(frame, texts, lambda codes, datasets: clusters(codes, datasets, {}), dedup=True)
    assert chosen.networks == sorted(path.stem for path in sources)
    assert chosen.left_out == {"a near duplicate of another": 1}


def test_parquet_has_lemurs_columns_and_the_same_bytes(tmp_path):
    rows, texts = view(
        ("B", ALEX, "mnist", 0.5), ("A", "bad \ud800 code", "mnist", math.nan), ("C", GRU, "cifar10", 0.25)
    )
    rows.at[1, "prm"] = {"lr": math.nan, "transform": "norm"}
    rows["duration"] = [5, None, 7]
    write_frame(fixed_order(rows), texts, tmp_path / "one.parquet")
    write_frame(fixed_order(rows.iloc[::-1]), texts, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    read = pq.read_table(tmp_path / "one.parquet")
    assert read.schema.equals(LEMUR)
    assert read.column("nn").to_pylist() == ["C", "A", "B"]
    assert read.column("nn_code").to_pylist() == [GRU, "bad ? code", ALEX]
    plain = '{"lr": 0.1, "momentum": 0.9}'
    assert read.column("prm").to_pylist() == [plain, '{"lr": null, "transform": "norm"}', plain]
    assert read.column("transform_code").to_pylist() == [None, "transform", None]
    assert read.column("metric_code").to_pylist() == ["metric"] * 3
    assert read.column("duration").to_pylist() == [7, None, 5]


def test_repeated_code_is_stored_once(tmp_path):
    codes = [f"# {i}\n" + os.urandom(4096).hex() for i in range(20)]
    rows, texts = view(*((f"N{i % 20:02d}", codes[i % 20], "mnist", 0.5) for i in range(4000)))
    write_frame(fixed_order(rows), texts, tmp_path / "many.parquet")
    assert (tmp_path / "many.parquet").stat().st_size < 2 * sum(map(len, codes))


@pytest.fixture
def hub(tmp_path):
    names = {"Alex": "train", "ga-1": "test", "llm-2": "train"}
    rows, texts = view(
        ("Alex", ALEX, "mnist", 0.5), ("Alex", ALEX, "mnist", 0.6), ("Alex", ALEX, "cifar10", 0.7),
        ("ga-1", GRU, "mnist", 0.4), ("llm-2", "class Net: pass", "mnist", 0.3),
    )  # fmt: skip
    chosen = choose(fixed_order(rows), texts, split_all(**names))
    card = CARD._replace(licences=("mit", "apache-2.0"), blocks={"timm 1.0": 1}, selection={"dataset": "mnist"})

    def write(folder: Path, *, replace: bool = False) -> Path:
        write_hub_folder(folder, chosen, chat_pairs(chosen, DESCRIBED), DESCRIBED, card, replace=replace)
        return folder

    return write


def test_the_card_says_what_is_in_the_folder(hub, tmp_path):
    folder = hub(tmp_path / "out")
    text = (folder / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    values = yaml.safe_load(header)
    assert values["license"] == ["mit", "apache-2.0"]
    assert values["size_categories"] == ["n<1K"]
    assert [one["config_name"] for one in values["configs"]] == ["networks", "records", "chat"]
    assert all(list(folder.glob(f["path"])) for one in values["configs"] for f in one["data_files"])
    assert "| `networks` | one row per network and data set: its best result, with the code | 3 | 0 | 1 |" in body
    assert "| 1 | only from `chat`: a class Net that is no nn.Module of this file |" in body
    assert "timm 1.0" in body
    assert str(tmp_path) not in text
    assert json.loads((folder / MARKER).read_text())["configs"]["chat"] == {"train": 2, "test": 2}


def test_the_folder_is_the_same_each_time(hub, tmp_path):
    one, two = hub(tmp_path / "one"), hub(tmp_path / "two")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 8
    assert [(one / name).read_bytes() for name in files] == [(two / name).read_bytes() for name in files]


def test_datasets_loads_the_folder_offline(hub, tmp_path):
    """In a process of its own: datasets reads its settings when it is imported."""
    folder = hub(tmp_path / "out")
    code = """
import json, sys, datasets
told = {}
for name in (None, "records", "chat"):
    found = datasets.load_dataset(sys.argv[1], name, cache_dir=sys.argv[2])
    told[name or "default"] = {split: part.num_rows for split, part in found.items()}
print(json.dumps([told, found["train"][0]["messages"][0]["role"]]))
"""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "cache")],
        capture_output=True, text=True, check=True, env={**os.environ, **offline}, timeout=240,
    )  # fmt: skip
    told, role = json.loads(run.stdout.splitlines()[-1])
    assert told == {
        "default": {"train": 3, "test": 1},
        "records": {"train": 4, "test": 1},
        "chat": {"train": 2, "test": 2},
    }
    assert role == "system"


def test_nothing_is_overwritten_by_chance(hub, tmp_path):
    folder = hub(tmp_path / "out")
    with pytest.raises(ExportError, match="--force replaces it"):
        hub(folder)
    (folder / "extra").write_text("")
    hub(folder, replace=True)
    assert not (folder / "extra").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="holds something else"):
        hub(tmp_path / "mine", replace=True)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(ExportError, match="is no folder"):
        hub(tmp_path / "link", replace=True)
    hub(tmp_path / "empty")


def test_what_breaks_off_leaves_nothing_behind(tmp_path):
    def break_off(place: Path) -> None:
        (place / "half" if place.is_dir() else place).write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out", marker=MARKER, replace=False) as folder:
        break_off(folder)
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "out.jsonl", replace=False) as file:
        break_off(file)
    left = tmp_path / ".out.999999999.unfinished"  # of a process that is no more
    left.mkdir()
    with new_folder(tmp_path / "out", marker=MARKER, replace=False) as folder:
        (folder / MARKER).write_text("{}")
    assert [path.name for path in tmp_path.iterdir() if path.name != "netwright-home"] == ["out"]


def test_files_are_replaced_only_on_demand(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("old")
    with pytest.raises(ExportError, match="--force replaces it"), new_file(path, replace=False):
        pass
    with new_file(path, replace=True) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"
    with pytest.raises(ExportError, match="is a folder"), new_file(tmp_path, replace=True):
        pass


def test_nothing_chosen_has_no_networks():
    rows = view(("B", f"{ALEX}\n# {home()}/records.db", "mnist", 0.5))
    chosen = choose(*rows, split_all(), dedup=True)
    assert isinstance(chosen, Chosen)
    assert (chosen.networks, chosen.left_out) == ([], {"a path of this machine": 1})
