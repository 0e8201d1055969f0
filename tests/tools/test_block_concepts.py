"""The descriptions of techniques: a file that people write, so its form is checked."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from netwright.tools.blocks.concepts import MOST, concepts, described
from netwright.tools.blocks.words import name_words

DATA = Path(__file__).resolve().parents[2] / "benchmarks" / "data"


def test_every_technique_has_a_joined_name_and_a_description() -> None:
    assert len(concepts()) > 100
    for name, text in concepts().items():
        assert name == name.lower()
        assert name.isalnum()
        assert len(text) > 15


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SEModule", "squeeze and excitation"),
        ("DeformConv2d", "learned offsets"),
        ("ConvNeXtBlock", "depthwise 7x7"),
        ("SwinTransformerBlock", "windows"),
    ],
)
def test_a_name_brings_its_description(name: str, says: str) -> None:
    assert says in " ".join(described(name_words(name)))


def test_no_more_than_a_few_and_none_for_plain_names() -> None:
    assert len(described(concepts())) == MOST
    assert described(name_words("Identity")) == []


@pytest.mark.parametrize(("file", "count"), [("retrieval_queries.json", 60), ("retrieval_queries_later.json", 40)])
def test_queries_of_the_benchmark_are_well_formed(file: str, count: int) -> None:
    queries = json.loads((DATA / file).read_text(encoding="utf-8"))["queries"]
    assert len({one["query"] for one in queries}) == len(queries) == count
    for one in queries:
        assert one["expected"]
        assert not any(fnmatchcase("AnyOtherThing", pattern) for pattern in one["expected"])
