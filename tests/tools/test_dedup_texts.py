"""Deduplication by text over many files, decisions with graphs, splits, the command."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.interfaces.cli.main import app
from netwright.memory.records import Records
from netwright.memory.shingles import jaccard, shingles
from netwright.memory.types import Candidate
from netwright.tools.dedup import pairs
from netwright.tools.dedup.decisions import Lexical, compare_texts, decide
from netwright.tools.dedup.graphs import Graph
from netwright.tools.dedup.items import Item, items_in, prefix_of
from netwright.tools.dedup.pairs import Near, Retrieved
from netwright.tools.dedup.run import deduplicate, record_items, split_items
from netwright.tools.dedup.splits import splits
from typer.testing import CliRunner

from .frames import SOURCES


def text(rng: random.Random, lines: int = 60) -> list[str]:
    return [f"self.l{rng.randrange(10**6)} = nn.Conv2d({rng.randrange(64)}, 8, padding={n % 3})" for n in range(lines)]


def planted(count: int, seed: int = 0) -> list[Item]:
    """Texts, a third of which are others with some lines changed: similarities on both sides of 0.90."""
    rng = random.Random(seed)
    made: list[list[str]] = []
    for _ in range(count):
        if made and rng.random() < 0.34:
            lines = list(rng.choice(made))
            for place in rng.sample(range(len(lines)), rng.randrange(6)):
                lines[place] = text(rng, 1)[0]
            made.append(lines)
        else:
            made.append(text(rng))
    return [Item(key=f"{at:05}", text="\n".join(lines)) for at, lines in enumerate(made)]


def test_every_near_pair_is_found_and_no_other() -> None:
    items = planted(400)
    sets = [shingles(item.source()) for item in items]
    true = {
        (one, other)
        for one in range(len(items))
        for other in range(one + 1, len(items))
        if jaccard(sets[one], sets[other]) >= 0.9
    }
    lexical = compare_texts(items)
    same = {(min(lexical.first[at], at), at) for at in range(len(items)) if lexical.first[at] != at}
    found = {(near.one, near.other) for near in lexical.near}
    assert len(true) > 60
    assert found | same <= true
    firsts = set(lexical.firsts)
    wanted = {pair for pair in true if set(pair) <= firsts}
    assert len(wanted & found) >= 0.99 * len(wanted)
    assert all(jaccard(sets[near.one], sets[near.other]) == near.jaccard for near in lexical.below)
    assert lexical.below


def test_workers_and_stored_sketches_change_nothing(tmp_path: Path) -> None:
    items = planted(250, seed=1)
    alone = deduplicate(items, workers=1)
    first = deduplicate(items, tmp_path, workers=2)
    again = deduplicate(items, tmp_path, workers=2)
    assert alone.found == first.found == again.found
    assert (alone.computed, first.computed) == (250, 250)
    assert again.computed == 0
    changed = [*items[:-1], Item(key=items[-1].key, text="x = 1")]
    assert deduplicate(changed, tmp_path, workers=1).computed == 1


def test_a_killed_run_keeps_what_it_had(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from netwright.tools.dedup.items import Item; from netwright.tools.dedup.sketches import sketch_all\n"
        "items = [Item(key=str(n), text=f'{n} ' + 'a b c ' * 3000) for n in range(3000)]\n"
        "sketch_all(items, Path(sys.argv[1]), None, lambda count: print(count, flush=True))"
    )
    path = tmp_path / "sketches.db"
    process = subprocess.Popen([sys.executable, "-c", code, str(path), "."], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    items = [Item(key=str(n), text=f"{n} " + "a b c " * 3000) for n in range(100)]
    result = deduplicate(items, tmp_path, workers=1)
    assert result.computed == 0
    assert len(result.found) == 100


def test_large_buckets_cost_little() -> None:
    """So many texts that nearly are one would be a million pairs."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.integers(0, 2**32, size=(1, 256), dtype=np.uint32), 1_500, axis=0)
    values[rng.random(values.shape) < 0.02] = 7
    started = time.process_time()
    found = pairs.retrieve(values, 0.9)
    assert time.process_time() - started < 30
    assert len(found.pairs) <= 2 * pairs.MOST_PAIRS * 1_500
    assert (found.nearest >= 0).all()


def made(count: int, near: list[Near], first: list[int] | None = None) -> Lexical:
    first = first or list(range(count))
    firsts = sorted(set(first))
    nothing = Retrieved(np.empty((0, 2), np.int64), np.full(len(firsts), -1), np.zeros(len(firsts)))
    return Lexical(first, near, [], nothing, firsts, 0)


def test_graphs_decide_where_there_are_graphs() -> None:
    items = [Item(key=key, text="") for key in "abcdefg"]
    near = [Near(0, 1, 0.95), Near(2, 3, 0.93), Near(3, 4, 0.91)]
    graphs = {
        0: Graph(fingerprint="0" * 32, labels=("a", "b")),
        1: Graph(fingerprint="1" * 32, labels=("a", "c")),
        2: Graph(fingerprint="2" * 32),
        3: Graph(reason="CpuLimit: too long"),
        4: Graph(fingerprint="3" * 32),
        5: Graph(fingerprint="0" * 32, labels=("a", "b")),
    }
    found = {one.key: one for one in decide(items, made(7, near, [0, 1, 2, 3, 4, 5, 5]), graphs)}
    assert [key for key in found if found[key].kept] == ["a", "b", "c", "e"]
    assert found["b"].stage == "structural"
    assert "another computation graph" in found["b"].reason
    assert found["b"].graph_similarity == pytest.approx(1 / 3)
    assert (found["d"].duplicate_of, found["d"].stage) == ("c", "lexical")
    assert "CpuLimit" in found["d"].reason
    assert "no computation graph of d" in found["e"].reason
    assert (found["f"].duplicate_of, found["f"].stage, found["f"].nearest) == ("a", "structural", "a")
    assert (found["g"].duplicate_of, found["g"].stage, found["g"].nearest) == ("a", "exact", "f")
    assert len({found[key].cluster for key in "abfg"}) == 1
    assert found["c"].cluster == found["d"].cluster == found["e"].cluster != found["a"].cluster
    linked = {0: Graph(reason="x"), 1: Graph(fingerprint="0" * 32), 2: Graph(fingerprint="0" * 32)}
    chain = decide(items[:3], made(3, [Near(0, 2, 0.95)]), linked)
    assert [(one.duplicate_of, one.stage, one.nearest) for one in chain[1:]] == [
        ("a", "structural", "c"),
        ("a", "lexical", "a"),
    ]
    lax = {one.key: one for one in decide(items, made(7, near), graphs, same_graph=0.3)}
    assert lax["b"].duplicate_of == "a"
    texts = {one.key: one for one in decide(items, made(7, near))}
    assert [key for key in texts if not texts[key].kept] == ["b", "d", "e"]


def test_every_network_has_its_nearest() -> None:
    items = [Item(key=name, text=source) for name, source in sorted(SOURCES.items())]
    found = deduplicate(items, workers=1).found
    assert all(one.kept and one.nearest not in (None, one.key) for one in found)
    assert all(0 < one.similarity < 0.9 for one in found)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 60)), max_size=120), st.integers(0, 5))
def test_splits_leak_nothing(networks: list[tuple[int, int, int]], seed: int) -> None:
    clusters = {f"n{at}": f"n{cluster}" for at, (cluster, _, _) in enumerate(networks)}
    strata = {f"n{at}": str(stratum) for at, (_, stratum, _) in enumerate(networks)}
    parents = {f"n{at}": [f"n{parent}"] for at, (_, _, parent) in enumerate(networks) if parent < 20}
    found = splits(clusters, strata, parents, seed)
    assert list(found) == sorted(clusters)
    for name, cluster in clusters.items():
        assert all(found[name] == found[other] for other in clusters if clusters[other] == cluster)
        assert all(found[name] == found[parent] for parent in parents.get(name, ()) if parent in found)
    shuffled = dict(reversed(list(clusters.items())))
    assert splits(shuffled, strata, parents, seed) == found


def test_splits_keep_their_shares_in_every_stratum() -> None:
    names = [f"{prefix}{at:03}" for prefix in ("rag-", "ga-", "llm-") for at in range(200)]
    found = splits({name: name for name in names}, {name: prefix_of(name) for name in names}, seed=3)
    for prefix in ("rag-", "ga-", "llm-"):
        counts = [sum(found[n] == split for n in names if n.startswith(prefix)) for split in ("train", "test")]
        assert counts == [160, 20]
    assert splits({name: name for name in names}, seed=4) != splits({name: name for name in names}, seed=3)
    with pytest.raises(ValueError, match="add up to 1"):
        splits({"a": "a"}, shares=(0.8, 0.1, 0.2))


def test_prefixes_are_lemurs() -> None:
    names = ["rag-0123.py", "alt-nn1-aa.py", "mlp_mixer.py", "ResNet.py", "ga-evo-1"]
    assert [prefix_of(name) for name in names] == ["rag-", "alt-nn1-", "", "", "ga-"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "networks"
    (place / "deep").mkdir(parents=True)
    (place / ".git").mkdir()
    for name in ("lenet", "mlp", "vit"):
        (place / f"rag-{name}.py").write_text(SOURCES[name])
    (place / "deep" / "rag-copy.py").write_text(SOURCES["mlp"].replace("\n", "\n\n"))
    renamed = SOURCES["lenet"].replace("self.conv", "self.stage").replace("(self, x)", "(self, images)")
    body, _, rest = renamed.partition("def forward(self, images):")
    (place / "zz-renamed.py").write_text(f"{body}def forward(self, images):\n        x = images{rest}")
    (place / ".git" / "x.py").write_text("x")
    (place / "broken.py").write_bytes(b"def f(:\n\xff\x00")
    (place / "link.py").symlink_to(place / "rag-mlp.py")
    return place


def test_folders_are_read_by_name(folder: Path, tmp_path: Path) -> None:
    keys = [item.key for item in items_in(folder)]
    assert keys == ["broken.py", "deep/rag-copy.py", "rag-lenet.py", "rag-mlp.py", "rag-vit.py", "zz-renamed.py"]
    with pytest.raises(ValueError, match="is no folder"):
        items_in(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no Python file"):
        items_in(tmp_path / "empty")


def test_the_command_finds_copies_and_renamed_code(folder: Path, tmp_path: Path) -> None:
    out, split = tmp_path / "found.csv", tmp_path / "splits.json"
    command = ["dedup", str(folder), "--json", "--workers", "1", "--dataset", "fashion-mnist"]
    result = CliRunner().invoke(app, [*command, "--out", str(out), "--splits", str(split)])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["duplicates"] == {"exact": 1, "lexical": 0, "structural": 1}
    lines = {line["key"]: line for line in told["results"]}
    assert lines["rag-mlp.py"]["duplicate_of"] == "deep/rag-copy.py"
    assert lines["zz-renamed.py"]["duplicate_of"] == "rag-lenet.py"
    assert lines["zz-renamed.py"]["similarity"] < 0.9
    assert "no computation graph of broken.py" in lines["broken.py"]["reason"]
    with out.open(newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert rows["rag-mlp.py"]["split"] == rows["deep/rag-copy.py"]["split"]
    lists = json.loads(split.read_text())
    assert sorted(lists["train"] + lists["validation"] + lists["test"]) == sorted(lines)
    texts = CliRunner().invoke(app, [*command, "--no-structural"])
    assert json.loads(texts.output)["duplicates"] == {"exact": 1, "lexical": 0, "structural": 0}
    assert json.loads(texts.output)["sketched"] == 0


def test_the_command_reads_records() -> None:
    missing = CliRunner().invoke(app, ["dedup", "--records", "--no-structural"])
    assert missing.exit_code == 2
    parent = Candidate(source=SOURCES["mlp"], origin="hand-")
    child = Candidate(source=SOURCES["vit"], origin="ga-", parents=(parent.id,))
    with Records() as records:
        records.add_candidates([parent, child])
        items = record_items(records)
    assert [item.key for item in items] == sorted([parent.id, child.id])
    found = deduplicate(items, workers=1).found
    assert len(set(split_items(items, found).values())) == 1
    result = CliRunner().invoke(app, ["dedup", "--records", "--no-structural", "--workers", "1"])
    assert result.exit_code == 0
    assert "2 networks, 2 kept" in result.output
    assert CliRunner().invoke(app, ["dedup"]).exit_code == 2
