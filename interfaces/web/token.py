"""The token of the web app: where it comes from, and how a browser proves that it has it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

TOKEN_VARIABLE = "NETWRIGHT_TOKEN"
SHORTEST = 16
"""Characters of the shortest token that is taken."""


class TokenRefused(ValueError):
    """The token is too short or cannot stand in an address."""


def web_token() -> str:
    """The token from ``$NETWRIGHT_TOKEN``, else a new one of 192 random bits.

    Raises:
        TokenRefused: the given one is shorter than 16 characters, or has others than letters, digits and ``-._~``.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    return secrets.token_urlsafe(24) if given is None else checked(given)


def checked(token: str) -> str:
    """The token itself.

    Raises:
        TokenRefused: see :func:`web_token`.
    """
    if len(token) < SHORTEST:
        raise TokenRefused(f"the token in {TOKEN_VARIABLE} has {len(token)} characters: take {SHORTEST} or more")
    if not all(sign.isascii() and (sign.isalnum() or sign in "-._~") for sign in token):
        raise TokenRefused(f"the token in {TOKEN_VARIABLE} may have letters, digits and -._~ only")
    return token


def cookie_value(token: str) -> str:
    """What the cookie holds: made from the token, so that the cookie does not tell it."""
    return hmac.new(token.encode(), b"netwright web cookie", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
