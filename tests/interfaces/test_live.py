"""Live progress shows the stage that runs and how much of it is done."""

from __future__ import annotations

import threading

import pytest
from netwright.graphs.config import load_config
from netwright.graphs.services import Event
from netwright.interfaces.cli.live import CampaignView, activity


@pytest.fixture
def view() -> CampaignView:
    return CampaignView(load_config(overrides=["budget.cycles=3"]), hidden=True)


def test_stage_with_branches_is_counted(view):
    view(Event("begin", 1, "validate", 4))
    for _ in range(3):
        view(Event("done", 1, "validate"))
    assert (view.stage.description, view.stage.completed, view.stage.total) == ("cycle 1: validate", 3, 4)


def test_stage_in_one_piece_has_no_total(view):
    view(Event("begin", 1, "validate", 4))
    view(Event("begin", 1, "novelty"))
    assert (view.stage.description, view.stage.total) == ("cycle 1: novelty", None)
    view(Event("done", 1, "novelty"))
    assert view.stage.total is None


def test_end_of_another_stage_does_not_count(view):
    view(Event("begin", 1, "train", 2))
    view(Event("done", 1, "validate"))
    assert view.stage.completed == 0


def test_each_stage_has_its_own_clock(view):
    view(Event("begin", 1, "train", 1))
    first = view.stage.start_time
    view(Event("begin", 1, "tune"))
    assert first is not None
    assert view.stage.start_time > first
    assert view.cycles.start_time < first


def test_cycles_go_on_where_a_resumed_campaign_stands():
    view = CampaignView(load_config(overrides=["budget.cycles=5"]), closed=2, hidden=True)
    assert (view.cycles.completed, view.cycles.total) == (2, 5)
    view(Event("begin", 3, "generate"))
    assert view.cycles.completed == 2
    view(Event("cycle", 3))
    assert view.cycles.completed == 3


def test_branches_may_report_at_the_same_time(view):
    view(Event("begin", 1, "train", 400))
    threads = [threading.Thread(target=lambda: [view(Event("done", 1, "train")) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert view.stage.completed == 400


def test_without_a_terminal_each_cycle_is_a_line(capsys):
    with CampaignView(load_config(overrides=["budget.cycles=2"])) as view:
        view(Event("begin", 1, "generate"))
        view(Event("cycle", 1))
    assert capsys.readouterr().err == "cycle 1 of 2 is closed\n"


def test_hidden_progress_prints_nothing(view, capsys):
    with view, activity("working", hidden=True) as tell:
        view(Event("begin", 1, "generate"))
        view(Event("cycle", 1))
        tell("still working")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
