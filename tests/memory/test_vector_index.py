"""The vector index: one contract for Chroma in a folder and Chroma's server by URL."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from netwright.memory.vector_index import BLOCKS, NETWORKS, Item, Near, VectorIndex, VectorUnavailable


class CountedWords:
    """Texts to vectors by their words: alike texts are near, and what was embedded is counted."""

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [self._one(text) for text in texts]

    @staticmethod
    def _one(text: str) -> list[float]:
        vector = [1e-3] * 64
        for word in text.split():
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1.0
        length = sum(value * value for value in vector) ** 0.5
        return [value / length for value in vector]


ITEMS = [
    Item("a", "channel attention squeeze", {"category": "attention", "stage": "forward"}),
    Item("b", "spatial attention map", {"category": "attention", "stage": "names"}),
    Item("c", "depthwise convolution stem", {"category": "convolution", "stage": "forward"}),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server on a free loopback port."""
    folder, port = tmp_path_factory.mktemp("chroma-server"), free_port()
    command = [Path(sys.executable).with_name("chroma"), "run", "--path", folder, "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*map(str, command), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{url}/api/v2/heartbeat", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


class VectorIndexContract:
    @pytest.fixture
    def place(self) -> Path | str:
        raise AssertionError("each place brings its own")

    @pytest.fixture
    def embedder(self, request: pytest.FixtureRequest) -> CountedWords:
        return CountedWords(request.node.name)  # a server keeps the collections of all tests

    @pytest.fixture
    def index(self, place: Path | str, embedder: CountedWords) -> Iterator[VectorIndex]:
        with VectorIndex(BLOCKS, embedder, place) as opened:
            yield opened

    def test_the_nearest_comes_first(self, index: VectorIndex) -> None:
        assert index.put(ITEMS) == 3
        found = index.query("squeeze channel attention", 3)
        assert [near.id for near in found][:2] == ["a", "b"]
        assert found[0].similarity == pytest.approx(1.0, abs=1e-4)
        assert found[0].similarity > found[1].similarity > found[2].similarity

    def test_filters_let_through_what_they_name(self, index: VectorIndex) -> None:
        index.put(ITEMS)
        assert [n.id for n in index.query("channel attention", 3, {"category": ["convolution"]})] == ["c"]
        both = {"category": ["attention"], "stage": ["forward"]}
        assert [n.id for n in index.query("depthwise convolution", 3, both)] == ["a"]

    def test_only_what_is_new_is_embedded(self, index: VectorIndex, embedder: CountedWords) -> None:
        index.put(ITEMS[:2])
        assert index.put(ITEMS) == 1
        assert embedder.texts == [item.text for item in ITEMS]
        assert index.put(ITEMS) == 0
        assert len(index) == 3

    def test_other_text_and_other_metadata_are_written_over(self, index: VectorIndex) -> None:
        index.put(ITEMS)
        changed = [ITEMS[0]._replace(text="pooling of features"), ITEMS[2]._replace(metadata={"category": "pooling"})]
        assert index.put(changed) == 2
        assert len(index) == 3
        assert index.query("pooling of features", 1)[0].id == "a"
        assert [n.id for n in index.query("stem", 3, {"category": ["pooling"]})] == ["c"]

    def test_remove_and_clear(self, index: VectorIndex) -> None:
        index.put(ITEMS)
        index.remove(["b", "unknown"])
        assert index.ids() == {"a", "c"}
        index.clear()
        assert len(index) == 0
        assert index.query("anything", 3) == []
        assert index.put(ITEMS) == 3

    def test_another_opening_finds_what_was_put(self, index: VectorIndex, place: Path | str) -> None:
        index.put(ITEMS)
        with VectorIndex(BLOCKS, index.embedder, place) as again:
            assert again.ids() == {"a", "b", "c"}
            assert again.query("spatial attention map", 1) == index.query("spatial attention map", 1)

    def test_collections_and_embedders_keep_apart(self, index: VectorIndex, place: Path | str) -> None:
        index.put(ITEMS)
        with VectorIndex(NETWORKS, index.embedder, place) as networks:
            assert len(networks) == 0
        with VectorIndex(BLOCKS, CountedWords(f"{index.embedder.name} other"), place) as other:
            assert len(other) == 0

    def test_no_limit_and_no_items_give_no_answer(self, index: VectorIndex) -> None:
        assert index.query("anything", 3) == []
        index.put(ITEMS)
        assert index.query("anything", 0) == []
        assert len(index.query("anything", 50)) == 3
        assert isinstance(index.query("anything", 1)[0], Near)


class TestEmbedded(VectorIndexContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "chroma"

    def test_the_data_directory_is_the_default(self, embedder: CountedWords) -> None:
        from netwright.memory.home import home

        with VectorIndex(BLOCKS, embedder) as index:
            index.put(ITEMS)
            assert (home() / "chroma" / "chroma.sqlite3").is_file()


class TestServer(VectorIndexContract):
    @pytest.fixture
    def place(self, server: str) -> str:
        return server


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(VectorUnavailable, match=r"Chroma server at http://127.0.0.1:\d+ cannot be opened.*chroma run"):
        VectorIndex(BLOCKS, CountedWords(), url)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://localhost", "http://"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(VectorUnavailable, match="no URL of a Chroma server"):
        VectorIndex(BLOCKS, CountedWords(), url)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(VectorUnavailable, match="cannot be opened"):
        VectorIndex(BLOCKS, CountedWords(), place)
