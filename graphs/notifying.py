"""Telling a webhook that a campaign ended, failed or waits. Nothing that goes wrong here touches the campaign."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import time
from typing import Any, Final, Literal

from ..memory.rows import now
from .service_settings import NotifySettings

SECRET: Final = "NETWRIGHT_WEBHOOK_SECRET"
"""Environment variable; where it is set, each message is signed with it."""
SIGNATURE: Final = "X-Netwright-Signature"

_log = logging.getLogger(__name__)

News = Literal["end", "failed", "waiting"]


def signature(secret: str, body: bytes) -> str:
    """``sha256=`` and the HMAC of a message, in hex: its receiver computes the same."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def tell_webhook(settings: NotifySettings, news: News, content: dict[str, Any]) -> bool:
    """Post a message as JSON; whether it was taken. Without a webhook nothing is sent.

    Args:
        content: names, states and figures. Never texts of errors, which may tell addresses and keys.
    """
    import httpx

    url = os.environ.get(settings.webhook_env or "") or settings.webhook
    if not url:
        return False
    body = json.dumps({"event": news, "at": now().isoformat(), **content}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "netwright"}
    if secret := os.environ.get(SECRET):
        headers[SIGNATURE] = signature(secret, body)
    for number in range(settings.tries):
        if number:
            time.sleep(min(0.5 * 2**number, 4.0))
        try:
            # No redirects: the message goes to the address that was named, or nowhere.
            answer = httpx.post(url, content=body, headers=headers, timeout=settings.timeout_s, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _log.warning("the webhook did not take %s: %s", news, type(error).__name__)
            continue
        if answer.is_success:
            return True
        _log.warning("the webhook did not take %s: status %d", news, answer.status_code)
        if answer.status_code < 500 and answer.status_code != 429:
            return False  # it will not think better of it
    return False
