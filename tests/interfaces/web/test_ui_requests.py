"""What the browser asked for while all files before this one ran: nothing but this machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from .browser_parts import CHROMIUMS_OWN, Proxy, Ui

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]


def test_nothing_left_this_machine(ui: Ui, page: Any) -> None:
    page.wait_for_timeout(1000)
    assert len(ui.requests) > 50
    outside = [u for u in ui.requests if urlsplit(u).scheme not in ("data", "blob") and not u.startswith(ui.url)]
    assert outside == []
    assert {host for host in map(Proxy.host, ui.proxy.asked) if host not in CHROMIUMS_OWN} == set()
    assert [line for line in ui.console if "POLICY" in line] == []
