"""The design graph: one request, a validated network or a reason."""

from __future__ import annotations

import pytest
from netwright.graphs.config import load_config
from netwright.graphs.design import design_id, run_design
from netwright.memory.records import Records
from netwright.tools.requests import parse_request


@pytest.fixture
def records():
    with Records() as opened:
        yield opened


def scripted(script, *overrides: str):
    return load_config(overrides=["model.name=scripted", f"model.path={script}", "campaign.candidates=4", *overrides])


def test_design_returns_a_valid_network_under_the_limit(script, records):
    request = parse_request("a digits classifier under 100k parameters")
    designed = run_design(request, scripted(script), records)
    assert designed.candidate is not None
    assert designed.verdict is not None
    assert designed.verdict.ok
    assert designed.verdict.params is not None
    assert designed.verdict.params <= 100_000
    assert "valid through backward" in designed.explanation


def test_same_request_is_answered_from_the_records(script, records):
    request = parse_request("a digits classifier under 90k parameters")
    config = scripted(script)
    first = run_design(request, config, records)
    answers = records.generations(design_id(request, config))
    second = run_design(request, config, records)
    assert second.candidate == first.candidate
    assert records.generations(design_id(request, config)) == answers


def test_design_can_train_and_takes_the_best(script, records):
    request = parse_request("digits, at most 80k parameters")
    designed = run_design(request, scripted(script), records, train=True)
    assert designed.trial is not None
    assert designed.trial.state == "complete"
    assert "accuracy" in designed.explanation


def test_design_that_finds_nothing_says_why(tmp_path, records):
    path = tmp_path / "bad.yaml"
    path.write_text("order: seed\nanswers: ['no idea', '```python\\nx = 1\\n```']\n")
    request = parse_request("an svhn classifier under 100k parameters")
    designed = run_design(request, scripted(path, "campaign.candidates=2", "campaign.repair_tries=1"), records)
    assert designed.candidate is None
    assert "none of 12 candidates met the request" in designed.explanation
    assert designed.as_json()["candidate"] is None
