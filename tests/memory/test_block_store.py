"""The block store: idempotent, complete after a kill, usable by several threads and processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck

WRITER = """
import sys, time
from pathlib import Path
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block
def blocks():
    for number in range(100_000):
        yield Block(qualified=f"pkg.m.C{number:06}", package="pkg", version="1", path="m.py", line=1, file_hash="0",
                    category="utility", text=f"import torch  # {number}")
with BlockStore(Path(sys.argv[1])) as store:
    source = blocks()
    while True:
        ids = store.put_blocks([next(source) for _ in range(50)])
        print(ids[-1], flush=True)
"""


def block(
    qualified: str = "pkg.layers.Gate", version: str = "1.0", text: str = "import torch\n", **fields: object
) -> Block:
    plain = {"package": "pkg", "path": "pkg/layers.py", "line": 3, "file_hash": "ab", "category": "attention"}
    return Block.model_validate({"qualified": qualified, "version": version, "text": text, **plain, **fields})


@pytest.fixture
def store(tmp_path: Path) -> BlockStore:
    return BlockStore(tmp_path / "blocks.db")


def test_blocks_come_back_as_they_were(store: BlockStore) -> None:
    check = BlockCheck(stage="build", error_class="E", message="m", arguments={"dim": 64}, inputs=((2, 3),), params=7)
    full = block(
        docstring="Gates — channels.", signature="(dim: int)", licence="MIT", requires=("numpy", "torch"), check=check
    )
    assert store.put_blocks([full]) == [full.id]
    assert store.get(full.id) == full
    assert store.get("0" * 16) is None
    assert len(store) == 1


@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=60), path=st.text(max_size=20))
def test_any_text_is_kept(text: str, path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = block(text=text, path=path, docstring=text)
    with BlockStore(tmp_path_factory.mktemp("store") / "b.db") as store:
        assert store.put_blocks([made]) == [made.id]
        assert store.get_many([made.id]) == {made.id: made}


def test_putting_again_changes_nothing_but_what_is_new(store: BlockStore) -> None:
    made = block()
    check = BlockCheck(stage="forward", arguments={}, inputs=((2, 4),), outputs=((2, 4),), params=0)
    store.put_blocks([made, made])
    store.set_check(made.id, check)
    store.put_blocks([made.model_copy(update={"category": "pooling"})])
    found = store.get(made.id)
    assert found is not None
    assert (found.category, found.check, len(store)) == ("pooling", check, 1)
    worse = BlockCheck(stage="parse", error_class="SyntaxError", message="…")
    store.put_blocks([made.model_copy(update={"check": worse})])
    assert store.blocks()[0].check == worse


def test_a_check_of_an_unknown_block_is_refused(store: BlockStore) -> None:
    with pytest.raises(KeyError, match="no block 0000"):
        store.set_check("0000", BlockCheck(stage="parse"))


def test_finding_and_selecting(store: BlockStore) -> None:
    checked = [("names", "b.Two"), ("import", "a.One"), ("forward", "c.Two")]
    for stage, qualified in checked:
        made = block(qualified, category="loss" if stage == "names" else "attention")
        store.put_blocks([made])
        store.set_check(made.id, BlockCheck.model_validate({"stage": stage}))
    store.put_blocks([block("d.Three", package="other"), block("a.One", version="0.9")])

    def names(blocks: list[Block]) -> list[tuple[str, str]]:
        return [(each.qualified, each.version) for each in blocks]

    assert names(store.find("Two")) == [("b.Two", "1.0"), ("c.Two", "1.0")]
    assert names(store.find("c.Two")) == [("c.Two", "1.0")]
    assert store.find("Tw") == []
    assert [each[0] for each in names(store.blocks())] == ["a.One", "a.One", "b.Two", "c.Two", "d.Three"]
    assert names(store.blocks(package="pkg"))[:2] == [("a.One", "0.9"), ("a.One", "1.0")]
    assert names(store.blocks(at_least="names")) == [("b.Two", "1.0"), ("c.Two", "1.0")]
    assert names(store.blocks(category="attention", at_least="names")) == [("c.Two", "1.0")]
    assert store.remove("pkg", "1.0") == 3
    assert names(store.blocks()) == [("a.One", "0.9"), ("d.Three", "1.0")]


def test_many_ids_keep_their_order(store: BlockStore) -> None:
    ids = store.put_blocks(block(f"m.C{number}") for number in range(450))
    wanted = [*reversed(ids), "f" * 16, ids[0]]
    assert list(store.get_many(wanted)) == list(reversed(ids))


def test_streaming_and_ids(store: BlockStore) -> None:
    store.put_blocks(block(f"m.C{number:03}", version=str(number % 2)) for number in range(410))
    assert [each.qualified for each in store.stream()] == [each.qualified for each in store.blocks()]
    assert list(store.ids().values()) == [f"m.C{number:03}" for number in range(410)]
    assert list(store.ids("pkg", "1").values())[:2] == ["m.C001", "m.C003"]
    assert len(store.ids("pkg")) == 410
    assert store.ids("other") == {}
    store.discard([*store.ids("pkg", "1"), "unknown"])
    assert len(store) == 205


def test_discarded_blocks_are_gone_and_unknown_ids_are_no_error(store: BlockStore) -> None:
    kept, gone = store.put_blocks([block("pkg.a.A"), block("pkg.a.B")])
    store.discard([gone, gone, "0" * 16])
    assert store.ids() == {kept: "pkg.a.A"}
    assert store.get(gone) is None


def test_threads_and_a_second_opening_write_at_once(tmp_path: Path) -> None:
    first, second = BlockStore(tmp_path / "b.db"), BlockStore(tmp_path / "b.db")
    errors: list[BaseException] = []

    def write(store: BlockStore, number: int) -> None:
        try:
            for each in range(20):
                store.put_blocks([block(f"m{number}.C{each}")])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=((first, second)[n % 2], n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(first) == len(second) == 80


def test_what_was_reported_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reported = [process.stdout.readline().strip() for _ in range(6)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with BlockStore(path) as store:
        assert set(store.get_many(reported)) == set(reported)
        assert len(store) % 50 == 0
        assert len(store) >= 300


def test_a_failing_source_loses_its_batch_alone(store: BlockStore) -> None:
    def source() -> object:
        for number in range(250):
            yield block(f"m.C{number}")
        raise RuntimeError("the source ended early")

    with pytest.raises(RuntimeError, match="ended early"):
        store.put_blocks(source())  # type: ignore[arg-type]
    assert len(store) == 200


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="format 99"):
        BlockStore(path)


def test_the_default_place_is_in_the_data_directory(netwright_home: Path) -> None:
    with BlockStore() as store:
        store.put_blocks([block()])
        assert store.path == netwright_home / "blocks" / "blocks.db"
    with BlockStore() as store:
        assert [each.name for each in store.blocks()] == ["Gate"]
