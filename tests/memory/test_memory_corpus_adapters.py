"""The corpus out of the records, and adapters on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.adapters import AdapterStore
from netwright.memory.corpus import Corpus
from netwright.memory.records import Records, RecordsError
from netwright.memory.rows import Admission, Campaign, Generation
from netwright.memory.types import Candidate, Protocol, Task

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        opened.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        yield opened


def admit(records: Records, cycle: int, slot: int, text: str, *, admitted: bool = True) -> str:
    key = records.add_candidate(Candidate(source=text))
    records.put_generation(
        Generation(campaign_id="c", cycle=cycle, slot=slot, prompt=f"write {slot}", candidate_id=key)
    )
    records.put_admission(
        Admission(campaign_id="c", cycle=cycle, candidate_id=key, admitted=admitted, metric=0.5 + slot / 10)
    )
    return key


def test_pairs_are_the_initial_corpus_and_what_was_admitted(records: Records) -> None:
    corpus = Corpus(records, [("first", "a = 1")])
    later = admit(records, 2, 0, "d = 1")
    one = admit(records, 1, 1, "c = 1")
    zero = admit(records, 1, 0, "b = 1")
    admit(records, 1, 2, "refused = 1", admitted=False)
    admit(records, 3, 0, "e = 1")
    pairs = corpus.pairs("c", up_to_cycle=2)
    assert [pair.candidate_id for pair in pairs[1:]] == [zero, one, later]
    assert [pair.cycle for pair in pairs] == [0, 1, 1, 2]
    assert pairs[0].prompt == "first"
    assert pairs[0].metric is None
    assert (pairs[2].prompt, pairs[2].code, pairs[2].metric) == ("write 1", "c = 1", 0.6)
    assert len(corpus.pairs("c")) == 5


def test_index_of_the_corpus_knows_what_was_admitted(records: Records, tmp_path: Path) -> None:
    corpus = Corpus(records, [("first", "a = 1")])
    key = admit(records, 1, 0, "b = 1")
    cache = tmp_path / "signatures.npz"
    assert key not in corpus.index("c", 0, cache)
    index = corpus.index("c", 1, cache)
    assert key in index
    assert len(index) == 2
    assert cache.is_file()


def _write(store: AdapterStore, cycle: int, text: str = "weights") -> Path:
    folder = store.begin(cycle)
    (folder / "adapter.safetensors").write_text(text)
    return Path(store.commit(cycle, parent=cycle - 1 or None, metrics={"loss": 0.5}).path)


def test_adapter_is_there_only_after_commit(records: Records, tmp_path: Path) -> None:
    store = AdapterStore(records, "c", tmp_path)
    assert store.latest() is None
    (store.begin(1) / "half").write_text("x")
    assert store.path(1) is None
    assert not (tmp_path / "campaigns/c/adapters/cycle-001").exists()
    path = _write(store, 1)
    assert path == tmp_path / "campaigns/c/adapters/cycle-001"
    assert [p.name for p in path.iterdir()] == ["adapter.safetensors"]
    assert store.path(1) == path
    assert store.commit(1).metrics == {"loss": 0.5}
    with pytest.raises(RecordsError, match="roll back"):
        store.begin(1)


def test_intermediate_results_are_written_once_and_cleared_by_the_commit(records: Records, tmp_path: Path) -> None:
    store, written = AdapterStore(records, "c", tmp_path), []

    def write(folder: Path) -> None:
        written.append(folder)
        (folder / "weights").write_text(str(len(written)))

    def killed(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.staged(1, "sft-from-000", killed)
    folder = store.staged(1, "sft-from-000", write)
    assert store.staged(1, "sft-from-000", write) == folder
    assert [p.name for p in folder.iterdir()] == ["weights"]
    assert (folder / "weights").read_text() == "1"
    assert store.staged(1, "sft-from-001", write) != folder
    assert store.latest() is None
    _write(store, 1)
    assert not folder.exists()
    assert [p.name for p in folder.parent.iterdir()] == ["cycle-001"]


def test_what_a_training_goes_on_from_is_cleared_by_the_commit_of_its_cycle_or_a_later_one(
    records: Records, tmp_path: Path
) -> None:
    store = AdapterStore(records, "c", tmp_path)
    for cycle in (1, 2, 3):
        store.at_work(cycle, "sft").mkdir(parents=True)
    _write(store, 2)
    assert [store.at_work(cycle, "sft").exists() for cycle in (1, 2, 3)] == [False, False, True]
    store.at_work(2, "sft").mkdir()
    store.commit(2)  # a process was killed between the record and the clearing
    assert not store.at_work(2, "sft").exists()


def test_commit_of_nothing_is_refused(records: Records, tmp_path: Path) -> None:
    store = AdapterStore(records, "c", tmp_path)
    store.begin(1)
    with pytest.raises(RecordsError, match="no adapter"):
        store.commit(1)


def test_killed_between_rename_and_record(records: Records, tmp_path: Path) -> None:
    store = AdapterStore(records, "c", tmp_path)
    (tmp_path / "campaigns/c/adapters/cycle-001").mkdir(parents=True)
    assert store.latest() is None
    assert _write(store, 1).name == "cycle-001-v2"


def test_rollback_keeps_the_old_and_makes_room(records: Records, tmp_path: Path) -> None:
    store = AdapterStore(records, "c", tmp_path)
    paths = [_write(store, cycle) for cycle in (1, 2, 3)]
    latest = store.rollback(1)
    assert latest is not None
    assert latest.path == str(paths[0])
    assert all(path.is_dir() for path in paths)
    again = _write(store, 2, "other")
    assert again.name == "cycle-002-v2"
    assert store.latest() == store.find(2)
    assert store.rollback(0) is None


def test_lost_folder_is_said(records: Records, tmp_path: Path) -> None:
    store = AdapterStore(records, "c", tmp_path)
    path = _write(store, 1)
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(RecordsError, match="which is gone"):
        store.latest()
