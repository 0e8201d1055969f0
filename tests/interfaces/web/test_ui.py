"""The chat in Chromium: a token, a design request, a variant, two browsers at once, a reload."""

from __future__ import annotations

from typing import Any

import pytest

from .browser_parts import TOKEN, Ui, say, shot, tab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]


def test_wrong_token(ui: Ui) -> None:
    page = ui.page("/")
    assert page.url.endswith("/login")
    page.locator("#token").fill("not-the-token-of-the-tests")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("alert").wait_for()
    shot(page, "login")
    page.locator("#token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    page.wait_for_selector("#say")
    assert "token" not in page.url
    wrong = ui.page("/?token=not-the-token-of-the-tests")
    assert "a token is needed" in wrong.inner_text("body")
    [cookie] = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert TOKEN not in cookie["value"]


def test_design_request(ui: Ui, page: Any) -> None:
    talk = page.locator("#talk")
    say(page, "a small residual network")
    talk.get_by_text("data set").last.wait_for()  # the question
    shot(page, "question")

    say(page, "handwritten digits")
    page.locator("#progress").get_by_text("⏳").wait_for()
    shot(page, "working")
    other = ui.page()  # the running turn does not keep another browser from its work
    tab(other, "Explorer")
    other.locator("#found").get_by_text("found").wait_for()
    other.close()

    page.locator("#approve").wait_for()
    page.locator("#code").get_by_text("forward").first.wait_for()  # what is to be trained can be read before
    assert page.locator("#candidates input").count() == 3
    shot(page, "approval")
    page.locator("#approve").click()
    page.locator("#approve").wait_for(state="hidden")
    page.locator("#candidate-table .virtual-row").get_by_text("accuracy").first.wait_for()
    page.locator("#code").get_by_text("forward").first.wait_for()
    shot(page, "answer")
    tab(page, "Learning curve")
    page.locator("#curve img").wait_for()
    assert page.locator("#curve img").bounding_box()["height"] > 250  # a curve; where there is none, a line of text
    shot(page, "curve")
    tab(page, "Architecture")
    page.locator("#drawing img").wait_for()
    shot(page, "architecture")


def test_smaller_by_its_button_and_reject(page: Any) -> None:
    before = page.locator("#candidates input").count()
    page.get_by_role("button", name="smaller", exact=True).click()
    page.locator("#reject").wait_for()
    page.locator("#reject").click()
    page.locator("#reject").wait_for(state="hidden")
    page.locator("#stop").wait_for(state="hidden")
    page.locator("#talk").get_by_text("not trained").last.wait_for()
    assert page.locator("#candidates input").count() > before
    tab(page, "Difference")
    page.locator("#changes").get_by_text("@@").first.wait_for()
    shot(page, "difference")


def test_two_browsers_at_once(ui: Ui, page: Any) -> None:
    """Each has a thread of its own; both are worked on side by side, and either may look at the other's."""
    other = ui.page()
    other.wait_for_selector("#say")
    say(page, "wider")
    say(other, "an attention network for digits")
    for one in (page, other):
        one.locator("#stop").wait_for()
    for one in (page, other):
        one.locator("#reject").wait_for()
    assert other.locator("#talk").get_by_text("a small residual network").count() == 0
    assert page.locator("#talk").get_by_text("an attention network for digits").count() == 0
    assert other.locator("#candidates input").count() == 3
    shot(other, "second-browser")
    for one in (page, other):
        one.locator("#reject").click()
        one.locator("#reject").wait_for(state="hidden")
        one.locator("#stop").wait_for(state="hidden")
    other.locator("#threads input").click()
    other.get_by_role("option").filter(has_text="a small residual network").click()
    other.locator("#talk").get_by_text("a small residual network").first.wait_for()
    other.close()


def test_reload_finds_the_thread(page: Any) -> None:
    page.reload()
    page.locator("#talk").get_by_text("a small residual network").first.wait_for()
    page.locator("#talk").get_by_text("not trained").last.wait_for()
    page.locator("#code").get_by_text("forward").first.wait_for()
    page.locator("#new-thread").click()
    page.locator("#talk").get_by_text("a small residual network").first.wait_for(state="detached")
    page.locator("#code").get_by_text("No network yet").wait_for()  # and not the code of the thread before
    shot(page, "new-thread")
