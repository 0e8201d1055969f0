"""The guard in front of the whole web app: nothing behind it is reached without the token.

It is the outermost layer of the ASGI application, so that Gradio's own routes (API, queue, files, uploads) pass it
too, websockets included, and routes that a later version of Gradio adds.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..addresses import host_name
from ..tokens import same
from .login import login_page

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of the body of one request; an uploaded network is limited further, see :data:`.app.UPLOAD_BYTES`."""

_LOGIN: Final = "/login"
_MOST_FORM: Final = 4_096
# Doors of Gradio that lead to other addresses or change its code: the app needs none of them.
_CLOSED: Final = ("/proxy=", "/vibe-", "/undo-vibe-", "/dev/", "/monitoring", "/run-history", "/runs", "/deep_link")
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline'",  # Gradio's page starts itself by scripts inside of it
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)
SECURITY_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """An ASGI application around another one.

    Order of what is asked of each request: is it addressed to this host (a foreign name in ``Host`` is DNS
    rebinding), does it come from a page of this app, is its body small enough, does it have the token.

    Args:
        token: see :mod:`~netwright.interfaces.tokens`.
        hosts: names and addresses, without port, that ``Host`` may have.
        cookie: its name. Cookies do not know ports, so two apps on one host need two names.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str], cookie: str) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(host.casefold() for host in hosts)
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send) if scope["type"] == "http" else send
        refused = self._refused(scope)
        if refused is None and scope["path"] == _LOGIN and scope["type"] == "http":
            refused = await self._login(scope, receive)
        if refused is None:
            refused = self._without_token(scope)
        if refused is None:
            await self._app(scope, _limited(receive), send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refused(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        """What is wrong with a request, whoever sent it."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return PlainTextResponse("this host is not served here\n", 421)
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            return PlainTextResponse("requests of other pages are refused\n", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse(f"at most {MOST_BYTES} bytes\n", 413)
        if scope["path"].removeprefix("/gradio_api").startswith(_CLOSED):
            return PlainTextResponse("not found\n", 404) if self._known(headers) else _UNKNOWN
        return None

    def _without_token(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        query = scope.get("query_string", b"").decode("latin-1")
        given = parse_qs(query).get("token", [])
        if given and scope["type"] == "http" and scope["method"] == "GET":
            return self._welcome(scope["path"], query) if same(given[-1], self._token) else _UNKNOWN
        if self._known(headers):
            return None
        asks_for_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        return RedirectResponse(_LOGIN, 303) if asks_for_page else _UNKNOWN

    def _known(self, headers: Headers) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and same(morsel.value, cookie_value(self._token))

    async def _login(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] == "GET":
            return HTMLResponse(login_page())
        if scope["method"] != "POST":
            return PlainTextResponse("method not allowed\n", 405)
        body = await _body(receive, _MOST_FORM)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[-1].strip()
        return self._welcome("/", "") if same(given, self._token) else HTMLResponse(login_page(wrong=True), 401)

    def _welcome(self, path: str, query: str) -> Response:
        """Hand over the cookie, and send the browser to an address without the token in it."""
        rest = urlencode([pair for pair in parse_qsl(query) if pair[0] != "token"])
        # Never "//host": a browser would take that for another address.
        response = RedirectResponse("/" + path.lstrip("/\\") + (f"?{rest}" if rest else ""), 303)
        value = cookie_value(self._token)
        response.set_cookie(self._cookie, value, httponly=True, samesite="strict", path="/")
        return response


_UNKNOWN: Final = PlainTextResponse("a token is needed: open the address that 'netwright web' printed\n", 401)


def cookie_value(token: str) -> str:
    """What the cookie holds: made from the token, so that the cookie does not tell it."""
    return hmac.new(token.encode(), b"netwright web cookie", hashlib.sha256).hexdigest()


async def _body(receive: Receive, most: int) -> bytes:
    """The body of a request, as far as the limit."""
    read = b""
    while len(read) < most:
        message = await receive()
        read += message.get("body", b"")
        if not message.get("more_body"):
            break
    return read[:most]


def _limited(receive: Receive) -> Receive:
    """A body that says no length ends, as if the client had gone, where it becomes too large."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                return {"type": "http.disconnect"}
        return message

    return counted


def _netloc(origin: str) -> str | None:
    """Host and port of an origin; ``None`` where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    """The same answers with the headers that every one of them has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            if "cache-control" not in headers:
                headers["cache-control"] = "no-store"
        await send(message)

    return sending
