"""Reports of a campaign in real records, its texts hostile."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from netwright.memory.records import Records, RecordsError
from netwright.memory.rows import Admission, Campaign, Cycle, Generation, RepairAttempt
from netwright.memory.types import Candidate, Protocol, Task, Trial, ValidBy, Verdict
from netwright.tools.pretraining.report import machine
from netwright.tools.report import (
    campaign_report,
    report_html,
    report_json,
    report_table,
    write_report,
)
from netwright.tools.report.text import duration, number, percent, shown
from netwright.tools.statistics import t_interval, wilson_interval
from rich.console import Console

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")
HOSTILE = "</pre><script>alert(1)</script><img src=http://evil.example/x>\ud800\0\u202e{{ 7 * 7 }}"
GOOD = Verdict(ok=True, stage="backward", params=12_345, flops=678_900)
BAD = Verdict(ok=False, stage="build", error_class="ValueError", message=HOSTILE)


class Writer:
    """Fills the records of campaign ``c`` slot by slot."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.slots: dict[int, int] = {}

    def slot(
        self,
        cycle: int,
        text: str | None,
        *,
        valid_by: ValidBy = "generation",
        metric: float | None = None,
        state: str | None = "complete",
        admitted: bool = False,
        **fields: object,
    ) -> str | None:
        number = self.slots[cycle] = self.slots.get(cycle, -1) + 1
        key = None if text is None else self.records.add_candidate(Candidate(source=text, parents=("p" * 64,)))
        base = {
            "campaign_id": "c",
            "cycle": cycle,
            "slot": number,
            "prompt": HOSTILE,
            "answer": text or HOSTILE,
        }
        rest = {"candidate_id": key, "raw_candidate_id": key, "valid_by": valid_by, "tokens_out": 10}
        self.records.put_generation(Generation.model_validate(base | rest | fields))
        if key is None:
            return None
        self.records.put_verdict(key, TASK.id, BAD if valid_by == "none" else GOOD)
        if metric is not None or state == "failed":
            place = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": PROTOCOL.hash}
            self.records.start_trial(**place)
            self.records.finish_trial(Trial.model_validate({**place, "state": state, "metric": metric}))
            self.records.put_admission(
                Admission(campaign_id="c", cycle=cycle, candidate_id=key, admitted=admitted, metric=metric)
            )
        return key


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        opened.create_campaign(
            Campaign(
                id="c",
                task_id=TASK.id,
                protocol_hash=PROTOCOL.hash,
                seed=7,
                initial_corpus=100,
                config={"note": HOSTILE},
                machine=machine(),
            )
        )
        yield opened


@pytest.fixture
def campaign(records: Records) -> Records:
    writer = Writer(records)
    for cycle, adapter in ((1, None), (2, "/somewhere/cycle-001")):
        records.put_cycle(Cycle(campaign_id="c", n=cycle, adapter=adapter, threshold=0.5))
        records.update_cycle("c", cycle, timings={"generate": 1.5, "train": 2.5})
    writer.slot(1, "a = 1", metric=0.2, novel=True, jaccard=0.3, nearest="old", nearest_kind="corpus")
    writer.slot(1, HOSTILE, metric=0.9, admitted=True, novel=True)
    writer.slot(1, "b = 1", valid_by="cleanup", metric=0.5, admitted=True, novel=True)
    writer.slot(1, "c = 1", valid_by="repair", metric=0.4, novel=True, repair_tries=1)
    writer.slot(1, "d = 1", valid_by="none")
    writer.slot(1, None, valid_by="none")
    writer.slot(1, "a = 1", novel=False, jaccard=1.0, nearest="0", nearest_kind="exact")
    writer.slot(1, "e = 1", state="failed", novel=True)
    records.put_repair(RepairAttempt(campaign_id="c", cycle=1, slot=3, try_no=1, error="e", tokens_out=5))
    for n in range(12):
        writer.slot(2, f"f = {n}", metric=0.6 + n / 100, admitted=True, novel=True)
    records.update_campaign("c", state="complete", stop_reason=HOSTILE)
    return records


def test_numbers_of_a_cycle(campaign: Records) -> None:
    report = json.loads(report_json(campaign_report(campaign, "c")))
    first, second = report["cycles"]
    assert (first["cycle"], first["generated"]) == (1, 8)
    assert {step: rate["count"] for step, rate in first["valid"].items()} == {
        "generation": 4,
        "cleanup": 5,
        "repair": 6,
    }
    expected = wilson_interval(4, 8)
    assert first["valid"]["generation"] == pytest.approx(
        {"count": 4, "rate": 0.5, "low": expected.low, "high": expected.high}
    )
    assert (first["trained"], first["failed_trials"], first["tokens"]) == (4, 1, 85)
    mean = t_interval([0.2, 0.9, 0.5, 0.4])
    assert first["accuracy"]["mean"] == pytest.approx(0.5)
    assert (first["accuracy"]["low"], first["accuracy"]["high"]) == pytest.approx((mean.low, mean.high))
    assert (first["accuracy"]["median"], first["accuracy"]["best"]) == pytest.approx((0.45, 0.9))
    assert first["above_threshold"]["count"] == 2
    assert first["above_threshold"]["share"] == 0.5
    assert (first["novel"], first["duplicates"]) == (5, 1)
    assert first["duplicates_by"] == {"exact": 1, "corpus": 0, "cycle": 0, "graph": 0}
    assert (first["admitted"], first["corpus"]) == (2, 102)
    assert (second["admitted"], second["corpus"], second["trained"]) == (12, 114, 12)
    assert second["seconds"] == {"generate": 1.5, "train": 2.5}


def test_candidates_best_lineage_and_errors(campaign: Records) -> None:
    report = campaign_report(campaign, "c")
    assert len(report.candidates) == 20
    copy = report.candidates[6]
    assert (copy.cycle, copy.slot, copy.novel, copy.metric) == (1, 6, False, None)
    assert [one.metric for one in report.best] == sorted((one.metric for one in report.best), reverse=True)
    assert report.best[0].code == HOSTILE
    assert report.best[0].params == 12_345
    assert len(report.lineage) == 14
    assert {one.adapter for one in report.lineage if one.cycle == 2} == {"/somewhere/cycle-001"}
    assert {(one.stage, one.error_class): one.count for one in report.errors.final} == {
        ("build", "ValueError"): 1,
        ("extract", "NoCode"): 1,
    }


class Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]


def test_page_is_self_contained_and_escapes_models(campaign: Records, tmp_path: Path) -> None:
    files = write_report(campaign_report(campaign, "c"), tmp_path / "deep" / "report")
    text = files.html.read_text(encoding="utf-8")
    page = Tags()
    page.feed(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert all(address.startswith("#") for address in page.addresses)
    assert page.tags.count("svg") == 6
    assert "url(http" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert "\\u202e" in text
    assert not re.search("[\0\u202e]", text)
    assert json.loads(files.json.read_text())["best"][0]["code"] == HOSTILE
    assert sorted(path.name for path in files.json.parent.iterdir()) == ["report.html", "report.json"]


def test_same_records_give_the_same_page(campaign: Records) -> None:
    assert report_html(campaign_report(campaign, "c")) == report_html(campaign_report(campaign, "c"))


def test_report_of_a_campaign_that_has_not_begun(records: Records, tmp_path: Path) -> None:
    report = campaign_report(records, "c")
    assert report.cycles == ()
    assert write_report(report, tmp_path).html.is_file()
    records.put_cycle(Cycle(campaign_id="c", n=1))
    Writer(records).slot(1, None, answer=None, valid_by="none")
    begun = campaign_report(records, "c")
    assert begun.cycles[0].accuracy.mean is None
    assert begun.errors.final == ()
    assert "Campaign c" in report_html(begun)
    with pytest.raises(RecordsError, match="no campaign"):
        campaign_report(records, "other")


def test_duplicate_trained_by_another_campaign_has_no_score_here(campaign: Records) -> None:
    campaign.create_campaign(Campaign(id="d", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
    campaign.put_cycle(Cycle(campaign_id="d", n=1))
    key = Candidate(source="a = 1").id
    campaign.put_generation(
        Generation(
            campaign_id="d",
            cycle=1,
            slot=0,
            answer="",
            candidate_id=key,
            valid_by="generation",
            novel=False,
            nearest_kind="corpus",
        )
    )
    report = campaign_report(campaign, "d")
    assert report.candidates[0].metric is None
    assert report.cycles[0].trained == 0


def test_table_has_a_row_per_cycle(campaign: Records) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report_table(campaign_report(campaign, "c")))
    text = console.export_text()
    assert "campaign c on digits: complete" in text
    assert re.search(r"2 +12 +100\.0 .*\n +76–100 +100\.0", text)


def test_shown_is_bounded_and_plain() -> None:
    assert shown("a\n\tb\x1b[31m\u200b") == "a\n\tb\\u001b[31m\\u200b"
    assert shown("x" * 30_000).endswith("10000 more characters")


def test_values_read_well() -> None:
    assert [duration(s) for s in (1.25, 42.4, 200, 7_500)] == ["1.2 s", "42 s", "3 min 20 s", "2 h 05 min"]
    assert (number(None), number(12_345)) == ("–", "12\u202f345")
    assert (percent(None), percent(0.12345, 2)) == ("–", "12.35")
