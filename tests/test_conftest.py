"""The guards of the test session themselves."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def test_the_network_is_closed() -> None:
    # 192.0.2.0/24 is reserved for documentation (RFC 5737): nothing answers there even without the guard.
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client,
        pytest.raises(RuntimeError, match="may not use the network"),
    ):
        client.connect(("192.0.2.1", 80))


def test_loopback_stays_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_each_test_has_its_own_home(netwright_home: Path) -> None:
    from netwright.memory.home import home

    assert home() == netwright_home.resolve()
    assert os.environ["OMP_NUM_THREADS"] == "1"
