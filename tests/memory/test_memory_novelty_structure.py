"""Novelty by structure, and the three modes of the filter."""

from __future__ import annotations

import pytest
from netwright.memory.novelty import CycleArchive, NoveltyIndex, NoveltyMode
from netwright.memory.shingles import jaccard, shingles


def program(layers: range) -> str:
    return "\n".join(f"self.layer{n} = nn.Conv2d({n}, {n + 1}, {n % 7}, padding={n % 3})" for n in layers)


OLD, HALF, OTHER = program(range(60)), program(range(20, 80)), program(range(500, 560))


def test_a_known_structure_is_no_news() -> None:
    corpus = NoveltyIndex()
    corpus.add("old", OLD, "s1")
    archive = CycleArchive(corpus)
    copy = archive.decide("copy", OTHER, "s1")
    assert (copy.novel, copy.kind, copy.nearest) == (False, "graph", "old")
    assert copy.jaccard == jaccard(shingles(OLD), shingles(OTHER))
    assert archive.decide("new", OTHER, "s2").novel
    again = archive.decide("again", HALF, "s2")
    assert (again.novel, again.kind, again.nearest) == (False, "graph", "new")
    assert archive.decide("unknown", HALF).novel


def test_text_decides_before_structure() -> None:
    corpus = NoveltyIndex()
    corpus.add("old", OLD, "s1")
    near = CycleArchive(corpus).decide("near", program(range(1, 60)), "s2")
    assert (near.novel, near.kind, near.nearest) == (False, "corpus", "old")
    exact = CycleArchive(corpus).decide("exact", OLD.replace("\n", "\n\n"), "s3")
    assert (exact.novel, exact.kind) == (False, "exact")


@pytest.mark.parametrize(("mode", "novel"), [("structural", "c"), ("lexical", "bc"), ("none", "abc")])
def test_modes(mode: NoveltyMode, novel: str) -> None:
    corpus = NoveltyIndex()
    corpus.add("old", OLD, "s1")
    archive = CycleArchive(corpus, mode)
    programs = {"a": (OLD, "s1"), "b": (HALF, "s1"), "c": (OTHER, "s2")}
    decided = {key: archive.decide(key, *program) for key, program in programs.items()}
    assert "".join(key for key in decided if decided[key].novel) == novel
    assert decided["a"].nearest == decided["b"].nearest == "old"
    assert (decided["a"].jaccard, decided["a"].kind) == (1.0, "exact")


def test_structures_of_near_programs_are_asked_for_once() -> None:
    corpus = NoveltyIndex()
    corpus.add_many([("far", OTHER), ("half", program(range(15, 75))), ("old", program(range(5, 65)))])
    asked: list[str] = []

    def structure_of(key: str, source: str) -> str | None:
        asked.append(key)
        assert source
        return "s1" if key == "half" else None

    archive = CycleArchive(corpus, structure_of=structure_of)
    found = archive.decide("new", OLD, "s1")
    assert (found.novel, found.kind, found.nearest) == (False, "graph", "half")
    assert sorted(asked) == ["half", "old"]
    assert archive.decide("other", OLD, "s2").novel
    assert sorted(asked) == ["half", "old"]


def test_a_resumed_cycle_knows_structures() -> None:
    corpus = NoveltyIndex()
    resumed = CycleArchive(corpus)
    resumed.restore("first", OTHER, "s1")
    assert not resumed.decide("second", HALF, "s1").novel
    assert resumed.decide("third", HALF, "s2").novel


def test_a_structure_that_comes_later_counts() -> None:
    corpus = NoveltyIndex()
    corpus.add("old", OLD)
    corpus.add("old", OLD, "s1")
    assert len(corpus) == 1
    assert not CycleArchive(corpus).decide("new", OTHER, "s1").novel
