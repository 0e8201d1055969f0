"""Headers: one line there and back, buckets, and what is held out."""

from __future__ import annotations

import random

import pytest
from netwright.tools.generators.headers import (
    BUCKETS,
    INPUTS,
    STYLES,
    Header,
    bucket_bounds,
    bucket_of,
    buckets_under,
    is_held_out,
)
from netwright.tools.generators.wishes import (
    combinations,
    complete_header,
    feasible_buckets,
    held_out_headers,
    sample_header,
)


def test_the_line_is_exactly_this() -> None:
    header = Header((1, 8, 8), 10, "10k-30k", "residual")
    line = "# task=img-classification in=1x8x8 out=10 params=10k-30k style=residual"
    assert header.render() == line
    assert Header.parse(line + "\n") == header


@pytest.mark.parametrize("bucket", [*BUCKETS, "any"])
def test_every_header_survives_the_round_trip(bucket: str) -> None:
    for style in (*STYLES, "any"):
        for shape, classes in INPUTS:
            header = Header(shape, classes, bucket, style)
            assert Header.parse(header.render()) == header


@pytest.mark.parametrize(
    "line",
    [
        "",
        "import torch",
        "# task=img-classification in=1x8x8 out=10 params=10k-30k style=baroque",
        "# task=img-classification in=1x8x8 out=10 params=5k style=plain",
        "# task=img-classification in=1x8 out=10 params=any style=plain",
        "# task=img-classification in=1x8x8 out=0 params=any style=plain",
        "# task=img-classification in=1x8x8 out=10 params=any style=plain x",
    ],
)
def test_what_is_no_header_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"header|bucket|style|positive"):
        Header.parse(line)


def test_buckets_join_without_gap_or_overlap() -> None:
    assert [bucket_of(n) for n in (1, 2_999, 3_000, 9_999, 10_000, 999_999)] == [
        "<3k",
        "<3k",
        "3k-10k",
        "3k-10k",
        "10k-30k",
        "300k-1M",
    ]
    assert bucket_of(1_000_000) == "any"
    for bucket in BUCKETS:
        low, high = bucket_bounds(bucket)
        assert bucket_of(low) == bucket_of(high) == bucket
        assert bucket_of(high + 1) != bucket


def test_buckets_under_a_limit_never_exceed_it() -> None:
    assert buckets_under(30_000) == ("<3k", "3k-10k", "10k-30k")
    assert buckets_under(29_998) == ("<3k", "3k-10k")
    assert buckets_under(10**9) == BUCKETS
    assert buckets_under(100) == ("<3k",)


def test_about_an_eighth_of_the_combinations_is_held_out() -> None:
    everything = [Header(s, c, b, style) for s, c in INPUTS for b in BUCKETS for style in STYLES]
    share = sum(map(is_held_out, everything)) / len(everything)
    assert 0.08 < share < 0.16
    assert not any(is_held_out(Header(s, c)) for s, c in INPUTS)


def test_sampled_headers_avoid_the_held_out_and_leave_some_fields_open() -> None:
    rng = random.Random(0)
    drawn = [sample_header(rng) for _ in range(2000)]
    assert not any(is_held_out(header) for header in drawn)
    assert 0.25 < sum(h.style == "any" for h in drawn) / len(drawn) < 0.35
    assert 0.15 < sum(h.bucket == "any" for h in drawn) / len(drawn) < 0.25
    assert {h.style for h in drawn} == {*STYLES, "any"}


def test_held_out_headers_are_held_out_distinct_and_feasible() -> None:
    chosen = held_out_headers(random.Random(0), 30)
    assert len(set(chosen)) == 30
    assert all(is_held_out(h) for h in chosen)
    assert all(h.bucket in feasible_buckets(h.in_shape, h.classes, h.style) for h in chosen)


def test_every_style_and_known_input_is_left_with_combinations_to_learn_from() -> None:
    for shape, classes in INPUTS:
        assert {header.style for header in combinations(shape, classes)} == set(STYLES)


def test_completion_keeps_what_was_wished() -> None:
    rng = random.Random(1)
    full = complete_header(rng, Header((1, 8, 8), 10, "<3k", "any"))
    assert full.bucket == "<3k"
    assert full.style in STYLES
