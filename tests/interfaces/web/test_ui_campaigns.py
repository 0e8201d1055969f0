"""Campaigns in Chromium: started, paused, gone on with, stopped."""

from __future__ import annotations

from typing import Any

import pytest

from .browser_parts import CAMPAIGN, Ui, cell, field_of, shot, tab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]

_STATE, _CYCLES = 1, 3  # columns


def ask(page: Any, what: str, answer: str) -> None:
    """Press one of the buttons beside the campaign's name."""
    page.locator(f"#campaign-{what}").click()
    page.locator("#campaign-said").get_by_text(answer).wait_for()


def test_no_campaign_yet(page: Any) -> None:
    tab(page, "Campaigns")
    page.locator("#campaign-log").get_by_text("press Start").wait_for()
    page.locator("#campaign-pause").click()
    page.get_by_text("choose a campaign first").wait_for()
    shot(page, "campaign-none")


def test_a_form_that_is_wrong_starts_nothing(page: Any) -> None:
    page.locator("#start").get_by_role("button", name="Start a campaign").click()
    field_of(page, "start-cycles").fill("many")
    page.locator("#start-go").click()
    page.get_by_text("Cycles: write a number").wait_for()
    assert page.locator("#campaigns .virtual-row").filter(has_text="-2").count() == 0


def test_start_pause_resume_stop(ui: Ui, page: Any) -> None:
    field_of(page, "start-id").fill(CAMPAIGN)
    field_of(page, "start-cycles").fill("50")
    page.locator("#start-yaml .cm-content").fill("{protocol: {epochs: 1}, campaign: {stopping: {enabled: false}}}")
    page.locator("#start-go").click()
    page.locator("#campaign-said").get_by_text("started night").wait_for()
    cell(page, "campaigns", CAMPAIGN, _STATE, "running")
    other = ui.page()  # another browser sees it without a reload
    tab(other, "Campaigns")
    cell(other, "campaigns", CAMPAIGN, _STATE, "running")
    other.close()
    cell(page, "campaigns", CAMPAIGN, _CYCLES, "[1-9]")
    page.wait_for_timeout(1000)  # the charts of the cycle come with the same answer, and are loaded after it
    shot(page, "campaign-running")

    ask(page, "pause", "paused at its next safe point")
    cell(page, "campaigns", CAMPAIGN, _STATE, "paused")
    shot(page, "campaign-paused")
    field_of(page, "campaign-more").fill("60")
    ask(page, "resume", "goes on")
    cell(page, "campaigns", CAMPAIGN, _STATE, "running")
    ask(page, "stop", "stopped at its next safe point")
    cell(page, "campaigns", CAMPAIGN, _STATE, "stopped")
    page.locator("#campaign-log").get_by_text("stopped: stopped").last.wait_for()
    shot(page, "campaign-stopped")
    ask(page, "stop", "no process works on")
