"""Where servers listen and what clients may call them by, the same for every server."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Names by which a machine calls itself."""

_HOST: Final = re.compile(r"(\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:\d{1,5})?")


class HostRefused(ValueError):
    """A server would listen where other machines reach it, and nobody said that it may."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(host: str, allow_remote: bool) -> None:
    """Raises: HostRefused: others would reach the server, and ``allow_remote`` is not given."""
    if not is_loopback(host) and not allow_remote:
        raise HostRefused(
            f"--host {host} can be reached from other machines: add --allow-remote if that is meant, "
            "and put TLS in front of it"
        )


def in_url(host: str) -> str:
    """An address as it stands in a URL or a ``Host`` header."""
    return f"[{host}]" if ":" in host else host


def host_name(value: str) -> str | None:
    """The name in a ``Host`` header, or in an origin without its scheme; ``None`` where it has none.

    It is in lower case, without port and, where it is an IPv6 address, without brackets.
    """
    found = _HOST.fullmatch(value.strip().lower())
    return (found["ipv6"] or found["name"]) if found else None
