"""Shingles, signatures and novelty decisions."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.memory.novelty import (
    NEAR_DUPLICATE,
    CycleArchive,
    NoveltyIndex,
    novelty_against,
)
from netwright.memory.shingles import MAX_CHARS, SHINGLE, shingles, tokens
from netwright.memory.signatures import SignatureCache, sketch


def program(layers: range) -> str:
    """A program of one line per layer; two of them share the shingles of their common layers."""
    lines = [f"        self.layer{n} = nn.Conv2d({n}, {n + 1}, {n % 7}, padding={n % 3})" for n in layers]
    return "\n".join(["class Net(nn.Module):", "    def __init__(self):", *lines])


BASE = program(range(60))
NEAR = program(range(1, 60))
FAR = program(range(500, 560))


def test_layout_and_comments_are_no_tokens() -> None:
    assert tokens("def f(x):\n    # why\n\n    return x  # so\n") == [
        "def",
        "f",
        "(",
        "x",
        ")",
        ":",
        "return",
        "x",
    ]


def test_shingles_are_ten_grams() -> None:
    words = "\n".join(f"a{n}" for n in range(25))
    assert len(shingles(words)) == 25 - SHINGLE + 1
    assert len(shingles("a b")) == len(shingles("")) == 1


def test_estimate_is_near_the_true_similarity() -> None:
    one, other = set(shingles(BASE).tolist()), set(shingles(program(range(10, 70))).tolist())
    true = len(one & other) / len(one | other)
    index = NoveltyIndex()
    index.add("other", program(range(10, 70)))
    found = index.nearest(BASE)
    assert found is not None
    assert found.jaccard == pytest.approx(true, abs=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 500,
        "\ud800 = 1",
        "'\\" * 100_000,
        "'''" + "\n" * 300_000,
        "(" * 300_000,
        "if x:\n      y\n   z\n",
        "\\\n" * 100_000,
        "a" * 2_000_000,
        "\n".join(["'\\" * 990] * 100),
    ],
    ids=["empty", "nul", "surrogate", "quotes", "triple", "parens", "dedent", "continued", "long", "lines"],
)
def test_hostile_text_is_bounded(text: str) -> None:
    started = time.process_time()
    made = sketch(text)
    assert made.values.shape == (256,)
    assert len(tokens(text)) <= MAX_CHARS
    assert time.process_time() - started < 5


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_sketch(text: str) -> None:
    assert np.array_equal(sketch(text).values, sketch(text).values)


def test_sketch_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from netwright.memory.signatures import sketch;"
        "print(sketch(sys.stdin.read()).values.tobytes().hex())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=BASE,
        text=True,
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "1"},
    )
    assert answer.stdout.strip() == sketch(BASE).values.tobytes().hex()


def test_nearest_finds_near_and_far() -> None:
    index = NoveltyIndex()
    assert index.nearest(BASE) is None
    assert index.is_novel(BASE)
    index.add_many([("far", FAR), ("base", BASE), ("base", FAR)])
    assert len(index) == 2
    assert "base" in index
    near = index.nearest(NEAR)
    assert near is not None
    assert near.key == "base"
    assert not near.exact
    assert near.jaccard >= NEAR_DUPLICATE
    assert not index.is_novel(NEAR)
    same = index.nearest(BASE.replace("\n", "\n\n").replace("=", " ="))
    assert same is not None
    assert same.jaccard == 1.0
    assert index.is_novel(program(range(900, 960)))


def test_decision_names_where_the_nearest_is() -> None:
    corpus, cycle = NoveltyIndex(), NoveltyIndex()
    first = novelty_against(corpus, cycle, BASE)
    assert (first.novel, first.nearest, first.kind) == (True, None, None)
    corpus.add("old", BASE)
    cycle.add("new", FAR)
    copy = novelty_against(corpus, cycle, BASE + "\n\n")
    assert (copy.novel, copy.jaccard, copy.nearest, copy.kind) == (False, 1.0, "old", "exact")
    near = novelty_against(corpus, cycle, NEAR)
    assert (near.novel, near.nearest, near.kind) == (False, "old", "corpus")
    within = novelty_against(corpus, cycle, program(range(501, 560)))
    assert (within.novel, within.nearest, within.kind) == (False, "new", "cycle")
    far = novelty_against(corpus, cycle, program(range(30, 90)))
    assert far.novel
    assert far.nearest == "old"
    assert 0 < far.jaccard < NEAR_DUPLICATE


def test_archive_of_a_cycle_resumes_to_the_same_decisions() -> None:
    corpus = NoveltyIndex()
    corpus.add("old", FAR)
    programs = [("0", BASE), ("1", NEAR), ("2", program(range(30, 90))), ("3", FAR)]
    whole = CycleArchive(corpus)
    decisions = [whole.decide(key, source) for key, source in programs]
    assert [one.novel for one in decisions] == [True, False, True, False]
    resumed = CycleArchive(corpus)
    resumed.restore(*programs[0])
    assert [resumed.decide(key, source) for key, source in programs[1:]] == decisions[1:]
    assert len(whole) == len(resumed) == 2


def test_cache_comes_back_and_damage_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "signatures.npz"
    cache = SignatureCache(path)
    made = cache.sketch(BASE)
    cache.save()
    cache.save()
    again = SignatureCache(path)
    assert len(again) == 1
    known = again.sketch(BASE)
    assert known.exact == made.exact
    assert np.array_equal(known.values, made.values)
    assert [p.name for p in path.parent.iterdir()] == ["signatures.npz"]
    path.write_bytes(path.read_bytes()[:100])
    assert len(SignatureCache(path)) == 0
    path.write_bytes(b"junk")
    assert len(SignatureCache(path)) == 0


def test_signatures_load_quickly(tmp_path: Path) -> None:
    cache = SignatureCache(tmp_path / "s.npz")
    texts = [f"layer{n} = {n}" for n in range(2_000)]
    NoveltyIndex(cache).add_many((text, text) for text in texts)
    cache.save()
    started = time.process_time()
    index = NoveltyIndex(SignatureCache(tmp_path / "s.npz"))
    index.add_many((text, text) for text in texts)
    assert time.process_time() - started < 5
    assert len(index) == 2_000
