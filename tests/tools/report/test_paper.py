"""The paper's tables and figures from records, several campaigns side by side, and what pools with what."""

from __future__ import annotations

import io
import json
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.records import Records, RecordsError
from netwright.memory.rows import Admission, Campaign, Cycle, Generation
from netwright.memory.types import Candidate, Protocol, Task, Trial, Verdict
from netwright.tools.diversity import mean_distance
from netwright.tools.report.paper_compare import comparison, paper_report
from netwright.tools.report.paper_groups import groups_of, read_series
from netwright.tools.report.paper_model import PaperTable
from netwright.tools.report.paper_published import ABLATIONS, CIFAR10, PUBLISHED
from netwright.tools.report.paper_series import Value, campaign_series, mean_value, spread_of, variant_of
from netwright.tools.report.paper_tables import paper_tables, shown_value
from netwright.tools.report.paper_write import paper_html, paper_markdown, paper_table, write_paper
from netwright.tools.report.text import number
from netwright.tools.statistics import wilson_interval
from rich.console import Console

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
SVHN = Task(dataset="svhn", in_shape=(3, 32, 32), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")
VERDICT = Verdict(ok=True, stage="backward", params=10)


def text(seed: int, words: int = 40) -> str:
    """A program of which no ten tokens are another's."""
    return " ".join(f"w{random.Random(seed * 1_000 + n).randrange(10**6)} = {n};" for n in range(words))


def run(
    records: Records,
    name: str,
    *,
    seed: int = 0,
    cycles: int = 3,
    slots: int = 8,
    threshold: float = 0.5,
    task: Task = TASK,
    gain: float = 0.1,
    copies: int = 0,
    **settings: object,
) -> None:
    """A campaign of ``slots`` networks a cycle, two of them invalid, whose metrics grow by ``gain``."""
    records.add_task(task)
    records.add_protocol(PROTOCOL)
    config = {"campaign": {"seed": seed, "novelty": "structural", "tune": True, **settings}, "model": {"name": "nano"}}
    records.create_campaign(
        Campaign(id=name, config=config, seed=seed, task_id=task.id, protocol_hash=PROTOCOL.hash, initial_corpus=1_000)
    )
    for cycle in range(1, cycles + 1):
        records.put_cycle(Cycle(campaign_id=name, n=cycle, threshold=threshold))
        records.update_cycle(name, cycle, timings={"generate": 10.0, "train": 20.0})
        for slot in range(slots):
            number = zlib.crc32(f"{name} {cycle} {slot if slot >= copies else 0}".encode())
            key = records.add_candidate(Candidate(source=text(number % 10**6)))
            valid = slot < slots - 2
            copied = 0 < slot < copies
            values = {
                "campaign_id": name,
                "cycle": cycle,
                "slot": slot,
                "answer": "x",
                "raw_candidate_id": key,
                "candidate_id": key,
                "valid_by": "generation" if valid else "none",
                "novel": valid or None,
                "jaccard": 1.0 if copied else 0.2,
            }
            records.put_generation(Generation.model_validate(values))
            if not valid:
                continue
            records.put_verdict(key, task.id, VERDICT)
            metric = min(0.99, 0.2 + gain * cycle + 0.05 * slot)
            place = {"candidate_id": key, "task_id": task.id, "protocol_hash": PROTOCOL.hash}
            if records.start_trial(**place).state == "running":
                records.finish_trial(Trial.model_validate({**place, "state": "complete", "metric": metric}))
            admitted = metric >= threshold or settings.get("admit") == "all"
            records.put_admission(
                Admission(campaign_id=name, cycle=cycle, candidate_id=key, admitted=admitted, metric=metric)
            )
    records.update_campaign(name, state="complete")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        yield opened


def table(tables: tuple[PaperTable, ...], name: str) -> PaperTable:
    return next(one for one in tables if one.name == name)


def test_series_of_a_campaign(records: Records) -> None:
    run(records, "full")
    series = campaign_series(records, "full")
    assert (series.variant, series.threshold, len(series.cycles)) == ("full method", 0.5, 3)
    first, last = series.cycles[0], series.cycles[-1]
    assert (first.generated, first.trained) == (8, 6)
    assert first.valid == Value(**dict(zip(("value", "low", "high"), wilson_interval(6, 8), strict=True)))
    # 0.3, 0.35 … 0.55 in the first cycle and 0.5 … 0.75 in the last.
    assert (first.above.value, last.above.value) == (pytest.approx(2 / 6), 1.0)
    assert (first.admitted, last.admitted) == (2, 6)
    assert last.distinct_so_far == series.distinct == series.admitted
    assert (last.corpus, last.wall_s) == (1_000 + series.admitted, 30.0)


def test_another_threshold_counts_anew(records: Records) -> None:
    run(records, "full")
    assert campaign_series(records, "full", 0.55).cycles[0].above.value == pytest.approx(1 / 6)
    assert campaign_series(records, "full", 0.0).cycles[0].above.value == 1.0


def test_distance_of_texts_is_that_of_the_guard_with_an_interval() -> None:
    texts = ["a = 1 " * 12, "a = 1 " * 12, "b = 2 " * 12, text(1), text(2)]
    found = spread_of(texts)
    assert found.value == pytest.approx(mean_distance(texts))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert 0 <= found.low < found.value < found.high <= 1
    assert spread_of(["a"]) == Value()
    assert spread_of(["a = 1", "a = 1"]).value == 0.0


def test_near_duplicates_that_no_filter_held_back_are_not_novel(records: Records) -> None:
    run(records, "free", novelty="none", copies=3, gain=0.4)
    series = campaign_series(records, "free")
    assert series.variant == "no novelty filter"
    # The six valid slots of a cycle are one program three times, admitted once, and three others.
    assert [one.distinct for one in series.cycles] == [4, 4, 4]
    assert series.admits == "at or above 50.0 %"
    # A later cycle that writes a network of the first one admits it again; the corpus holds it once.
    again = next(one for one in records.admissions("free", 1) if one.admitted)
    records.put_admission(again.model_copy(update={"cycle": 3}))
    assert len([one for one in records.admissions("free") if one.admitted]) == series.admitted + 1
    assert campaign_series(records, "free") == series


@pytest.mark.parametrize(
    ("settings", "variant"),
    [
        ({}, "full method"),
        ({"novelty": "lexical"}, "full method"),
        ({"novelty": "none"}, "no novelty filter"),
        ({"admit": "all"}, "no accuracy threshold"),
        ({"threshold": 0}, "no accuracy threshold"),
        ({"tune": False}, "no iteration"),
        ({"tune": False, "novelty": "none"}, "no novelty filter, no iteration"),
    ],
)
def test_variants_are_read_off_the_configuration(settings: dict[str, object], variant: str) -> None:
    assert variant_of({"campaign": settings}) == variant


def test_paper_report_of_one_campaign(records: Records, tmp_path: Path) -> None:
    run(records, "full", cycles=2)
    report, figures = paper_report(records, ["full"])
    assert [one.name for one in report.tables] == ["table-2", "table-3", "table-5", "table-7", "table-all-full"]
    assert [one.name for one in figures] == ["figure-2", "figure-3", "diversity"]
    corpus = table(report.tables, "table-2")
    assert [row[2] for row in corpus.rows] == [number(1_698), "455", number(2_153)]
    assert corpus.rows[1][0] == "self-generated (at or above 50.0 %, new)"
    cycles = table(report.tables, "table-3")
    assert cycles.columns[:3] == ("cycle", "valid", "paper")
    assert cycles.rows[0][2] == "44.0", "the paper's first cycle stands beside ours"
    assert cycles.rows[1][2] == "–", "it does not publish the second"
    assert "shapes of curves compare" in cycles.caption
    ablations = table(report.tables, "table-7")
    assert [row[0] for row in ablations.rows] == ["full method", *(f"{a.name} (paper only)" for a in ABLATIONS[1:])]
    files = write_paper(report, figures, tmp_path / "out", "paper")
    assert json.loads(files.json.read_text())["series"][0]["campaign"] == "full"
    assert "![Figure 2" in files.markdown.read_text()
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files.figures)
    assert "http:" not in files.html.read_text()


def test_each_data_set_has_its_table(records: Records) -> None:
    run(records, "digits-run", cycles=1)
    run(records, "svhn-run", cycles=1, task=SVHN, threshold=0.7)
    series = read_series(records, ["digits-run", "svhn-run"])
    tables = tuple(paper_tables(series, groups_of(series)))
    assert [one.name for one in tables] == ["table-2", "table-2", "table-3", "table-5", "table-6", "table-7"]
    transfer = table(tables, "table-5")
    assert [row[1] for row in transfer.rows] == ["50.0", "70.0", "40.0", "20.0", "70.0"]
    assert "shapes of curves" not in table(tables, "table-6").caption


def test_seeds_are_pooled_and_variants_are_not(records: Records) -> None:
    run(records, "full-0", seed=0)
    run(records, "full-1", seed=1, threshold=0.45)
    run(records, "all-0", seed=0, gain=0.05, admit="all", threshold=0.45)
    run(records, "all-1", seed=1, gain=0.05, admit="all", threshold=0.45)
    series = read_series(records, ["full-0", "full-1", "all-0", "all-1"])
    assert [one.threshold for one in series] == [0.5, 0.45, 0.5, 0.45], "counted as the full method of the same seed"
    again = campaign_series(records, "all-0", 0.5)
    assert series[2] == again, "counted anew is as read anew"
    assert (again.admits, table(tuple(paper_tables([again], [])), "table-2").rows[1][0]) == (
        "new",
        "self-generated (new)",
    )
    full, bare = groups_of(series)
    assert (full.campaigns, full.seeds, full.differences) == (("full-0", "full-1"), (0, 1), ())
    assert bare.name == "no accuracy threshold"
    assert full.means["valid"].value == pytest.approx(0.75)
    lost = next(one for one in bare.differences if one.name == "mean")
    # 0.05 for each cycle: 0.05, 0.10 and 0.15 in both seeds.
    assert (lost.pairs, lost.difference.value) == (6, pytest.approx(-0.1))
    assert bare.distinct_each == (18, 18)


def test_comparison_shows_groups_and_differences(records: Records, tmp_path: Path) -> None:
    run(records, "full-0")
    run(records, "still-0", gain=0.0, tune=False)
    report, figures = comparison(records, ["full-0", "still-0"])
    assert [one.name for one in report.tables] == ["comparison", "table-7", "differences"]
    differences = table(report.tables, "differences")
    assert differences.rows[0][:2] == ("no iteration", "3")
    assert differences.rows[0][4].startswith("-20.0 (")
    console = Console(width=240, file=io.StringIO())
    for one in report.tables:
        console.print(paper_table(one))
    assert "no iteration" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "Differences to full method" in paper_markdown(report)
    assert paper_html(report, figures) == paper_html(*comparison(records, ["full-0", "still-0"])), "the same bytes"
    assert "differences" not in {one.name for one in comparison(records, ["full-0"])[0].tables}


def test_a_campaign_without_cycles_has_a_report(records: Records) -> None:
    run(records, "begun", cycles=0)
    report, figures = paper_report(records, ["begun"])
    assert table(report.tables, "table-3").rows == ()
    assert figures == []
    with pytest.raises(RecordsError, match="no campaign 'none'"):
        paper_report(records, ["none"])


def test_the_published_numbers_add_up() -> None:
    assert {one.table for one in PUBLISHED.values()} == {3, 4, 6}
    for one in PUBLISHED.values():
        assert [row.cycle for row in one.rows] == [1, 5, 10, 15, 18, 22]
        assert all(0 < row.above < 1 and row.mean < row.best for row in one.rows)
    assert CIFAR10.rows[-1].corpus - CIFAR10.rows[0].corpus == 455


def test_values_are_shown_with_their_intervals() -> None:
    assert shown_value(Value()) == "–"
    assert shown_value(Value(value=0.5)) == "50.0"
    assert shown_value(Value(value=0.5, low=0.25, high=0.75)) == "50.0 (25.0–75.0)"
    assert mean_value([0.0, 1.0], share=True) == Value(value=0.5, low=0.0, high=1.0)
