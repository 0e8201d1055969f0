"""Which addresses are this machine's own, and how they are written."""

from __future__ import annotations

import pytest
from netwright.interfaces.addresses import host_name, in_url, is_loopback
from netwright.interfaces.web.serving import names_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert host_name(f"{in_url(host)}:8000") in names_of(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example", "LOCALHOST.", ""])
def test_others_reach_the_rest(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("LocalHost:1", "localhost"),
        ("[::1]:8321", "::1"),
        ("[::1]", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", None),
        ("[::1", None),
        ("[localhost]", None),
        ("a b", None),
        ("localhost:80:80", None),
        ("user@localhost", None),
        ("", None),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str | None) -> None:
    assert host_name(header) == name
