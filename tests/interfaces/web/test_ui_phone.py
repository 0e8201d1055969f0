"""The app in a small window, and in a dark one: nothing is wider than the screen."""

from __future__ import annotations

from typing import Any

import pytest

from .browser_parts import Ui, shot, tab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]

WIDTH = 390
TABS = ("Chat", "Campaigns", "Explorer", "Blocks")
KEY = {"Chat": "#send", "Campaigns": "#campaign-stop", "Explorer": "#look", "Blocks": "#blocks-go"}


def first_thread(page: Any) -> None:
    page.locator("#threads input").click()
    page.get_by_role("option").filter(has_text="a small residual network").click()
    page.locator("#code").get_by_text("forward").first.wait_for()


def test_a_phone(ui: Ui) -> None:
    page = ui.page(viewport={"width": WIDTH, "height": 844}, has_touch=True, is_mobile=True)
    page.wait_for_selector("#say")
    first_thread(page)
    for name in TABS:
        one = page.get_by_role("tab", name=name, exact=True)
        box = one.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= WIDTH
        one.tap()
        key = page.locator(KEY[name])
        key.wait_for()
        page.wait_for_timeout(700)
        shot(page, f"phone-{name.lower()}")
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
        box = key.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= WIDTH
    page.close()


def test_a_dark_screen(ui: Ui) -> None:
    page = ui.page(color_scheme="dark")
    page.wait_for_selector("#say")
    first_thread(page)
    tab(page, "Difference")
    shot(page, "dark-difference")
    for name in TABS[1:]:
        tab(page, name)
        page.locator(KEY[name]).wait_for()
        page.wait_for_timeout(700)
        shot(page, f"dark-{name.lower()}")
    page.close()
