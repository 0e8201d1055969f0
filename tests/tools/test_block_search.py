"""Search over blocks: words, ranking, kinds, the index that follows the store, the command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from netwright.interfaces.cli import block_search
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck, Category
from netwright.memory.keyword_index import KeywordIndex
from netwright.memory.vector_index import VectorIndex
from netwright.tools.blocks.digest import class_source, embedded_text, purpose, uses, words_of
from netwright.tools.blocks.ranking import fused
from netwright.tools.blocks.search import BlockSearch
from netwright.tools.blocks.usage import used_blocks
from netwright.tools.blocks.words import name_words, parts, query_terms
from netwright.tools.embedding import EmbeddingUnavailable, SentenceEmbedder

HEAD = "import torch\nfrom torch import nn\n\n\n"


def block(
    qualified: str, category: Category, docstring: str, body: str, stage: str = "forward", package: str = "timm"
) -> Block:
    name = qualified.rpartition(".")[2]
    text = f'{HEAD}class {name}(nn.Module):\n    """{docstring}"""\n\n{body}'
    return Block(
        qualified=qualified,
        package=package,
        version="1",
        path="x.py",
        line=1,
        file_hash="0",
        category=category,
        docstring=docstring,
        signature="(channels: int, rd_ratio: float = 1. / 16)",
        text=text,
        check=BlockCheck(stage=stage),
    )


def layers(*calls: str) -> str:
    made = "".join(f"        self.part_{n} = nn.{call}(channels, channels)\n" for n, call in enumerate(calls))
    run = "".join(f"        x = self.part_{n}(x)\n" for n in range(len(calls)))
    begin = "    def __init__(self, channels):\n        super().__init__()\n"
    return f"{begin}{made}\n    def forward(self, x):\n{run}        return x\n"


SE = block(
    "timm.layers.squeeze_excite.SEModule",
    "attention",
    "Squeeze and excitation: reweights channels by their global average.",
    layers("AdaptiveAvgPool2d", "Linear", "ReLU", "Linear", "Sigmoid"),
)
ECA = block("timm.layers.eca.EcaModule", "attention", "Efficient channel attention.", layers("Conv1d", "Sigmoid"))
SEPARABLE = block(
    "timm.layers.separable_conv.SeparableConv2d",
    "convolution",
    "Depthwise then pointwise convolution.",
    layers("Conv2d", "Conv2d", "BatchNorm2d"),
)
CONVNEXT = block(
    "timm.models.convnext.ConvNeXtBlock", "convolution", "", layers("Conv2d", "LayerNorm", "GELU"), stage="names"
)
COPIES = [
    block(
        f"transformers.models.{model.lower()}.modeling_{model.lower()}.{model}SelfAttention",
        "attention",
        f"Self attention of {model}.",
        layers("Linear", "Linear", "Dropout", "Softmax")
        + f"\n    def sizes(self):\n        return {model}Sizes(self)\n",
        package="transformers",
    )
    for model in ("Bert", "Roberta", "Electra")
]
ALL = [SE, ECA, SEPARABLE, CONVNEXT, *COPIES]


class WordVectors:
    """Vectors by words: enough to follow what the index does with them."""

    name = "words"

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += len(texts)
        return [self._one(text) for text in texts]

    @staticmethod
    def _one(text: str) -> list[float]:
        vector = [1e-3] * 128
        for word in {part for token in text.split() for part in parts(token)}:
            vector[hashlib.sha256(word.encode()).digest()[0] % 128] += 1.0
        return vector


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlockStore]:
    with BlockStore(tmp_path / "library" / "blocks.db") as opened:
        opened.put_blocks(ALL)
        yield opened


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors()


@pytest.fixture
def search(store: BlockStore, vectors: WordVectors) -> Iterator[BlockSearch]:
    with BlockSearch.open(store, embedder=vectors) as opened:
        opened.update()
        yield opened


def names(found: Sequence[Any]) -> list[str]:
    return [hit.block.name for hit in found]


class TestWords:
    def test_identifiers_fall_into_parts(self) -> None:
        assert parts("SqueezeExcite_v2") == ["squeeze", "excite", "v", "2"]
        assert parts("SEModule") == ["se", "module"]
        assert "convnext" in name_words("ConvNeXtBlock")

    def query(self, text: str) -> dict[str, float]:
        known = {"squeeze": 9, "excitation": 9, "cross": 9, "attention": 9, "se": 4, "conv": 5, "convnext": 2}
        return query_terms(text, known.__contains__, lambda: known)

    def test_stop_words_fall_out_unless_there_is_nothing_else(self) -> None:
        assert self.query("a layer for cross attention") == {"cross": 1.0, "attention": 1.0}
        assert query_terms("the block", {"the", "block"}.__contains__, dict) == {"the": 1.0, "block": 1.0}

    def test_abbreviations_are_written_out_at_less_weight(self) -> None:
        assert self.query("SE") == {"se": 1.0, "squeeze": 0.5, "excitation": 0.5}

    def test_misspelt_and_joined_words_are_understood(self) -> None:
        assert self.query("sqeeze excitaton").keys() == {"squeeze", "excitation"}
        assert self.query("crossattention").keys() == {"cross", "attention"}

    @pytest.mark.parametrize("text", ["", "???", "'\" OR *", "日本語"])
    def test_any_text_is_a_query(self, text: str, search: BlockSearch) -> None:
        for mode in ("hybrid", "vector", "keyword"):
            assert isinstance(search.search(text, mode=mode), list)


class TestDigest:
    def test_the_class_alone_is_read(self) -> None:
        text = HEAD + "class A(nn.Module):\n    x = 1\n\n\n@wrapped\nclass Other:\n    pass\n"
        one = SE.model_copy(update={"qualified": "m.A", "text": text})
        assert class_source(one) == "class A(nn.Module):\n    x = 1\n"
        assert class_source(one.model_copy(update={"qualified": "m.Missing"})) == ""

    def test_what_a_class_calls_is_listed_once(self) -> None:
        found = uses(class_source(SE))
        assert found.count("Linear") == 1
        assert {"AdaptiveAvgPool2d", "Linear", "ReLU", "Sigmoid"} <= set(found)
        assert uses("class (") == []

    def test_a_docstring_ends_before_its_arguments(self) -> None:
        assert purpose("Pools `x`.\n\n    See https://a.b/c\n\n    Args:\n        x: input") == "Pools x . See"

    def test_words_and_text_name_what_the_block_is(self) -> None:
        words = words_of(SE)
        assert {"se", "module", "squeeze", "excitation"} <= set(words.name.split())
        assert (words.category, words.package, words.stage) == ("attention", "timm", "forward")
        assert {"adaptive", "linear"} <= set(words.uses.split())
        text = embedded_text(SE)
        assert text.startswith("SEModule: se module squeeze excitation")
        assert "reweights channels" in text
        assert "rd_ratio" in text


def test_fusing_takes_both_rankings_by_their_own_scale() -> None:
    vector, keyword = {"a": 0.9, "b": 0.8, "c": 0.1}, {"b": 40.0, "d": 10.0}
    assert list(fused(vector, keyword)) == ["b", "a", "c", "d"]
    assert list(fused(vector, {}, weight=0.0)) == ["a", "b", "c"]
    assert fused({}, {}) == {}


class TestSearch:
    def test_every_ranking_finds_by_purpose_and_by_name(self, search: BlockSearch) -> None:
        for mode in ("hybrid", "vector", "keyword"):
            assert names(search.search("efficient channel attention", mode=mode))[0] == "EcaModule"
            assert names(search.search("SeparableConv2d", mode=mode))[0] == "SeparableConv2d"
        assert names(search.search("convnext block", mode="keyword"))[0] == "ConvNeXtBlock"

    def test_scores_fall_and_lie_between_0_and_1(self, search: BlockSearch) -> None:
        scores = [hit.score for hit in search.search("channel attention", limit=10)]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= min(scores) <= max(scores) <= 1

    def test_copies_of_one_class_are_one_hit(self, search: BlockSearch) -> None:
        hits = search.search("self attention", limit=10, category="attention")
        found = [hit for hit in hits if "SelfAttention" in hit.block.name]
        assert len(found) == 1
        assert len(found[0].others) == 2

    def test_filters(self, search: BlockSearch) -> None:
        text = "convolution attention"
        assert set(names(search.search(text, category="convolution"))) == {"SeparableConv2d", "ConvNeXtBlock"}
        assert {hit.block.package for hit in search.search(text, package="transformers")} == {"transformers"}
        assert "ConvNeXtBlock" not in names(search.search(text, limit=10, at_least="forward"))
        assert len(search.search(text, limit=2)) == 2

    def test_the_index_follows_the_store(self, search: BlockSearch, store: BlockStore, vectors: WordVectors) -> None:
        before = vectors.embedded
        assert search.update() == {"blocks": len(ALL), "words": 0, "vectors": 0, "removed": 0}
        store.set_check(CONVNEXT.id, BlockCheck(stage="forward"))
        added = block("torchvision.ops.misc.Permute", "utility", "Permutes axes.", layers("Identity"))
        store.put_blocks([added])
        done = search.update()
        assert (done["words"], done["vectors"], done["removed"]) == (2, 2, 0)
        assert vectors.embedded == before + 2
        assert "ConvNeXtBlock" in names(search.search("convnext", at_least="forward"))
        store.remove("transformers", "1")
        assert search.update()["removed"] == 3
        assert not [name for name in names(search.search("self attention", limit=10)) if "Self" in name]

    def test_a_rebuilt_index_answers_the_same(self, search: BlockSearch) -> None:
        before = [(hit.block.id, hit.score) for hit in search.search("channel attention", limit=10)]
        assert search.rebuild()["vectors"] == len(ALL)
        assert [(hit.block.id, hit.score) for hit in search.search("channel attention", limit=10)] == before

    def test_a_keyword_search_needs_no_vectors(self, store: BlockStore, tmp_path: Path) -> None:
        def none() -> VectorIndex:
            raise AssertionError("no vectors were asked for")

        with BlockSearch(store, KeywordIndex(tmp_path / "words.db"), none) as opened:
            opened.update(vectors=False)
            assert names(opened.search("eca", mode="keyword"))[0] == "EcaModule"

    def test_vectors_come_after_words(self, store: BlockStore, vectors: WordVectors) -> None:
        with BlockSearch.open(store, embedder=vectors) as opened:
            opened.update(vectors=False)
            assert len(opened.vectors) == 0
            assert opened.update()["vectors"] == len(ALL)


class TestKeywords:
    def test_an_index_of_another_format_is_made_anew(self, tmp_path: Path) -> None:
        with KeywordIndex(tmp_path / "w.db") as index:
            index.put([words_of(SE)])
            index._connection.execute("PRAGMA user_version = 99")
        with KeywordIndex(tmp_path / "w.db") as index:
            assert len(index) == 0
            assert index.put([words_of(SE), words_of(ECA)]) == 2
            assert index.put([words_of(SE)]) == 0
            assert index.ids() == {SE.id, ECA.id}

    def test_changed_words_are_written_over(self, tmp_path: Path) -> None:
        with KeywordIndex(tmp_path / "w.db") as index:
            index.put([words_of(SE)])
            assert index.put([words_of(SE)._replace(docstring="gathers context")]) == 1
            assert index.query({"gather": 1.0}, 5)[0][0] == SE.id
            assert index.query({"reweights": 1.0}, 5) == []
            assert len(index) == 1


class TestEmbedder:
    def test_the_packaged_model_embeds_and_what_is_kept_is_the_same(self, tmp_path: Path) -> None:
        texts = ["channel attention", "squeeze and excitation", "cross entropy loss with label smoothing"]
        first = SentenceEmbedder(cache=tmp_path / "v.db")
        vectors = first.embed(texts)
        assert [len(vector) for vector in vectors] == [384] * 3
        assert sum(value * value for value in vectors[0]) == pytest.approx(1.0, abs=1e-5)
        near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
        assert near > far
        first.close()
        again = SentenceEmbedder(cache=tmp_path / "v.db")
        assert again.embed([texts[2], texts[0]]) == [vectors[2], vectors[0]]
        assert again._loaded is None, "nothing new was embedded, so no model is needed"
        again.close()

    def test_another_model_is_not_fetched_unasked(self, tmp_path: Path) -> None:
        embedder = SentenceEmbedder("someone/some-model", cache=tmp_path / "v.db")
        with pytest.raises(EmbeddingUnavailable, match="downloading was not allowed"):
            embedder.embed(["text"])
        embedder.close()

    def test_an_absent_package_says_what_to_install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("netwright.tools.embedding._PACKAGE", "a_package_that_is_not_there")
        embedder = SentenceEmbedder(cache=tmp_path / "v.db")
        with pytest.raises(EmbeddingUnavailable, match="pip install"):
            embedder.embed(["text"])
        embedder.close()


class TestUsage:
    NET = "\n\nclass Net(nn.Module):\n    def __init__(self):\n        self.a = {call}\n"

    def test_a_block_that_is_copied_and_built_is_used(self) -> None:
        source = SE.text + "\n" + ECA.text + self.NET.format(call="SEModule(8)")
        assert used_blocks(source, ALL) == (SE.id,)

    def test_layout_comments_docstrings_and_name_do_not_matter(self) -> None:
        text = SE.text.replace(SE.docstring, "Mine.").replace("class SEModule", "class Gate  ")
        text = text.replace("        return x\n", "        # done\n        return (x)\n")
        assert used_blocks(text + self.NET.format(call="nn.Sequential(Gate(8))"), ALL) == (SE.id,)

    def test_a_block_changed_a_little_is_used_and_another_of_its_name_is_not(self) -> None:
        changed = SE.text.replace("nn.Sigmoid", "nn.Hardsigmoid") + self.NET.format(call="SEModule(8)")
        assert used_blocks(changed, [SE]) == (SE.id,)
        other = HEAD + "class SEModule(nn.Module):\n    def forward(self, y):\n        return y.mean()\n"
        assert used_blocks(other + self.NET.format(call="SEModule()"), [SE]) == ()

    def test_what_is_imported_and_built_is_used(self) -> None:
        source = "from torchvision.ops import SEModule\n" + self.NET.format(call="SEModule(8)")
        assert used_blocks(source, [SE]) == (SE.id,)

    def test_what_is_only_named_is_not_used(self) -> None:
        assert used_blocks(HEAD + "def f(x: SEModule) -> SEModule:\n    return x\n", [SE]) == ()
        assert used_blocks("no python (", [SE]) == ()


class TestCommand:
    @pytest.fixture
    def run(self, store: BlockStore) -> Any:
        import typer
        from typer.testing import CliRunner

        app = typer.Typer()
        block_search.register(app)
        return lambda *words: CliRunner().invoke(app, [*words, "--library", str(store.path)])

    def test_search_as_json(self, run: Any) -> None:
        done = run("search", "efficient chanel attention", "--mode", "keyword", "--category", "attention", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.output)
        assert told["hits"][0]["name"] == "EcaModule"
        assert told["hits"][0]["stage"] == "forward"

    def test_search_as_text(self, run: Any) -> None:
        done = run("search", "separable", "--mode", "keyword", "-n", "1")
        assert done.exit_code == 0, done.output
        assert "convolution" in done.output
        assert "nothing fits" in run("search", "separable", "--mode", "keyword", "--package", "none").output

    def test_index_with_the_packaged_model(self, run: Any) -> None:
        assert json.loads(run("index", "--json").output)["vectors"] == len(ALL)
        assert json.loads(run("index", "--json").output)["vectors"] == 0
        assert json.loads(run("index", "--rebuild", "--json").output)["vectors"] == len(ALL)
        done = run("search", "reweight channels by a global average", "--json")
        assert json.loads(done.output)["hits"][0]["name"] == "SEModule"

    def test_an_empty_library_says_what_to_do(self, tmp_path: Path) -> None:
        import typer
        from typer.testing import CliRunner

        app = typer.Typer()
        block_search.register(app)
        done = CliRunner().invoke(app, ["search", "x", "--json"])
        assert done.exit_code == 2
        assert "netwright blocks mine" in json.loads(done.output)["error"]
        done = CliRunner().invoke(app, ["index", "--library", str(tmp_path / "none.db"), "--json"])
        assert "is no block store" in json.loads(done.output)["error"]
