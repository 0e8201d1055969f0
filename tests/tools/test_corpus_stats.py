"""Statistics of results whose answers are known."""

from __future__ import annotations

import io
import json
import re

import pandas as pd
import pytest
from netwright.tools.corpus.export_folder import ExportError
from netwright.tools.corpus.stats_build import MAX_POINTS, spread, statistics
from netwright.tools.corpus.stats_frame import exemplars_of, group_of
from netwright.tools.corpus.stats_lineage import MAX_MEMBERS, Descent, lineage
from netwright.tools.corpus.stats_page import write_statistics
from netwright.tools.corpus.stats_tables import statistics_tables
from rich.console import Console
from scipy.stats import t as student

NONE = lineage([], {})


def rows(*results: tuple[str, str, int, float], duration: float | None = None, **more: str) -> pd.DataFrame:
    """``(nn, dataset, epoch, accuracy)`` as a view without code."""
    frame = pd.DataFrame(results, columns=["nn", "dataset", "epoch", "accuracy"])
    return frame.assign(task="img-classification", metric="accuracy", duration=duration, **more)


@pytest.mark.parametrize(
    ("name", "group", "exemplars"),
    [
        ("alt-nn3-0a1b2c", "alt-nn3", 3),
        ("alt-0a1b2c", "alt", None),
        ("ga-115", "ga", None),
        ("ast-dimension-AlexNet-0568a068", "ast", None),
        ("rag-0123456789ab", "rag", None),
        ("C5C-RESNETLSTM-8f7ac9", "C5C-RESNETLSTM", None),
        ("FractalNet-12", "FractalNet", None),
        ("AlexNet", "hand", None),
        ("MoE-hetero4-Alex", "hand", None),
        ("hand-0123", "hand", None),
    ],
)
def test_names_tell_group_and_exemplars(name, group, exemplars):
    assert (group_of(name), exemplars_of(name)) == (group, exemplars)


def test_the_best_are_ranked_by_best_result_and_earliest_epoch():
    results = [(f"N{i:02d}", "mnist", 1, i / 100) for i in range(15)]
    found = statistics(rows(*results, ("N00", "mnist", 3, 0.5), ("N00", "mnist", 2, 0.5)), NONE)
    (top,) = found.top
    assert top.networks == 15
    assert [(one.nn, one.accuracy, one.epoch) for one in top.best[:2]] == [("N00", 0.5, 2), ("N14", 0.14, 1)]
    assert len(top.best) == 10


def test_groups_have_the_median_of_their_networks_best_results():
    found = statistics(
        rows(
            ("ga-1", "mnist", 1, 0.1), ("ga-1", "mnist", 2, 0.4), ("ga-2", "mnist", 1, 0.6), ("Alex", "mnist", 1, 0.9)
        ),
        NONE,
    )
    assert [(one.group, one.spread.n, one.spread.median) for one in found.groups] == [("hand", 1, 0.9), ("ga", 2, 0.5)]


def test_balanced_means_count_every_data_set_the_same():
    """Three networks on an easy data set, one on a hard one: the naive mean is inflated."""
    easy = [(f"ga-{i}", "mnist", 1, 0.9) for i in range(3)]
    found = statistics(rows(*easy, ("ga-9", "cifar10", 1, 0.1)), NONE)
    everything, group = found.balanced
    assert (everything.group, group.group) == ("all", "ga")
    assert group.means == pytest.approx({"mnist": 0.9, "cifar10": 0.1})
    assert (group.balanced, group.naive, group.inflation) == pytest.approx((0.5, 0.7, 0.2))


def test_exemplars_come_from_names_and_from_campaigns():
    results = [
        ("alt-nn1-a", 0.2),
        ("alt-nn1-b", 0.4),
        ("alt-nn3-a", 0.5),
        ("alt-nn3-b", 0.9),
        ("llm-x", 0.7),
        ("Z", 0.1),
    ]
    found = statistics(rows(*((nn, "svhn", 1, a) for nn, a in results)), NONE, {"llm-x": 3, "alt-nn1-a": 9})
    told = [(one.exemplars, one.spread.n, one.gain) for one in found.exemplars]
    assert told == [(1, 2, None), (3, 3, pytest.approx(0.4))]
    assert found.exemplars[0].p is None
    # Welch: the variances of the two means are 0.02 / 2 and 0.04 / 3.
    one, three = 0.02 / 2, 0.04 / 3
    freedom = (one + three) ** 2 / (one**2 / 1 + three**2 / 2)
    assert found.exemplars[1].p == pytest.approx(2 * student.sf(0.4 / (one + three) ** 0.5, freedom))


def test_epochs_count_a_networks_best_of_equal_epochs():
    found = statistics(
        rows(("A", "mnist", 1, 0.2), ("A", "mnist", 1, 0.6), ("B", "mnist", 1, 0.8), ("B", "mnist", 5, 0.9)), NONE
    )
    (curve,) = found.epochs
    assert [(p.epoch, p.n, p.median, p.best) for p in curve.points] == [
        (1, 2, pytest.approx(0.7), 0.8),
        (5, 1, 0.9, 0.9),
    ]


def test_time_is_told_where_it_is_known():
    many = rows(*((f"N{i}", "mnist", 1, i / 4000) for i in range(4000)))
    many["duration"] = [None, *range(1, 4000)]
    (cloud,) = statistics(many, NONE).durations
    assert (cloud.networks, cloud.median_seconds, cloud.rank_correlation) == (3999, 2000, pytest.approx(1.0))
    assert len(cloud.points) == MAX_POINTS
    assert (cloud.points[0].seconds, cloud.points[-1].seconds) == (1, 3999)
    assert statistics(rows(("A", "mnist", 1, 0.5)), NONE).durations == ()


def test_spellings_are_one_and_what_is_no_result_is_left_out():
    frame = rows(
        ("A", "CIFAR-10", 1, 0.5), ("B", "cifar10", 1, 0.7), ("C", "mnist", 1, float("nan")), ("D", "own", 2, 0.1)
    )
    frame.loc[0, "metric"] = "acc"
    found = statistics(frame, NONE)
    assert [(one.dataset, one.metric) for one in found.measures] == [("cifar10", "accuracy"), ("own", "accuracy")]
    assert (found.rows, found.networks) == (3, 3)


def test_spread_ends_its_whiskers_within_one_and_a_half_quartile_distances():
    one = spread([0.0, 0.5, 0.5, 0.6, 0.6, 0.62])
    assert (one.low, one.q1, one.median, one.high, one.best) == pytest.approx((0.5, 0.5, 0.55, 0.62, 0.62))


FAMILY = [
    Descent("r", "root", ()),
    Descent("a", "a", ("r",)),
    Descent("b", "b", ("gone", "a", "r")),
    Descent("c", "c", ("gone",)),
    Descent("x", "x", ("y",)),
    Descent("y", "y", ("x",)),
]


def test_lineage_goes_along_the_first_parent_on_record():
    found = lineage(FAMILY, {"root": 0.2, "b": 0.7})
    assert (found.networks, found.families, found.alone, found.deepest) == (6, 1, 1, 2)
    assert found.by_depth == {0: 1, 1: 1, 2: 1}
    (family,) = found.largest
    assert (family.root, family.size, family.depth) == ("root", 3, 2)
    assert (family.root_accuracy, family.best, family.best_accuracy) == (0.2, "b", 0.7)
    assert [(one.name, one.parent, one.depth) for one in family.members] == [
        ("root", None, 0),
        ("a", 0, 1),
        ("b", 1, 2),
    ]


def test_a_line_of_thousands_is_walked_and_shown_in_part():
    line = [Descent(str(i), f"n{i:05d}", (str(i - 1),) if i else ()) for i in range(5000)]
    found = lineage(line, {})
    assert (found.deepest, found.largest[0].size, len(found.largest[0].members)) == (4999, 5000, MAX_MEMBERS)


HOSTILE = "ga-$x^2$<script>alert(1)</script>\"'\u202e"


@pytest.fixture(scope="module")
def told():
    """Every kind of figure once, and names that are hostile to pages, formulas and terminals."""
    results = [
        (f"alt-nn{n}-{i}", 'set"><b>', e, (n + i) / 20 + e / 50) for n in (1, 3) for i in range(4) for e in (1, 2)
    ]
    frame = rows(*results, (HOSTILE, 'set"><b>', 1, 0.5))
    frame["duration"] = [1.0 + i for i in range(len(frame))]
    names = sorted(frame["nn"].unique())
    descent = [Descent(name, name, (names[i // 2],) if i else ()) for i, name in enumerate(names)]
    return statistics(frame, lineage(descent, dict.fromkeys(names[::2], 0.5)), {}, {"epoch": 1})


@pytest.fixture(scope="module")
def drawn(told, tmp_path_factory):
    return write_statistics(told, tmp_path_factory.mktemp("drawn") / "out")


def test_files_are_whole_and_the_same_each_time(told, drawn):
    before = {path: path.read_bytes() for path in (drawn.json, drawn.html, *drawn.figures)}
    (drawn.html.parent / "old.png").write_bytes(b"")
    assert write_statistics(told, drawn.html.parent) == drawn
    assert {path: path.read_bytes() for path in drawn.html.parent.iterdir()} == before
    kinds = [re.match("[a-z0-9]+", path.name)[0] for path in drawn.figures]
    assert kinds == ["top10", "groups", "exemplars", "means", "epochs", "duration", "family"]
    assert all(before[path].startswith(b"\x89PNG") for path in drawn.figures)
    assert json.loads(before[drawn.json]) == told.model_dump(mode="json")


def test_the_page_loads_nothing_and_escapes_names(drawn):
    page = drawn.html.read_text()
    assert not re.search(r"https?://|<script|\bsrc=|<link|@import|url\((?!#)", page)
    assert "<b>" not in page
    assert "ga-$x^2$&lt;script&gt;" in page
    assert "\u202e" not in page


def test_a_folder_of_something_else_is_left_alone(told, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="holds something else"):
        write_statistics(told, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_tables_answer_every_question(told):
    console = Console(width=140, record=True, file=io.StringIO())
    for table in statistics_tables(told):
        console.print(table)
    text = console.export_text()
    for title in ("best networks", "groups", "exemplars", "balanced", "epochs", "time", "lineage: 1 families"):
        assert title in text
    assert "\u202e" not in text
