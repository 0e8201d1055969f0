"""Nothing of the web app is served without the token, to foreign names, or to foreign pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from fastapi.testclient import TestClient
from netwright.graphs.config import Config
from netwright.interfaces.addresses import HostRefused, check_host
from netwright.interfaces.tokens import TOKEN_VARIABLE, TokenError, new_token
from netwright.interfaces.web.app import guarded_app
from netwright.interfaces.web.guard import MOST_BYTES, SECURITY_HEADERS, Guard, cookie_value
from netwright.interfaces.web.serving import names_of
from netwright.interfaces.web.settings import UPLOAD_BYTES, App
from netwright.memory.records import Records
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

TOKEN = "a-token-of-the-tests-0123456789"
BASE = "http://127.0.0.1:7860"
COOKIE = "netwright_7860"


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("web-home")))
        with Records() as records, closing(App.open(Config(), records)) as app:
            yield guarded_app(app, TOKEN, port=7860)


@pytest.fixture
def stranger(guard: Guard) -> TestClient:
    return TestClient(guard, base_url=BASE, follow_redirects=False)


@pytest.fixture
def owner(guard: Guard) -> TestClient:
    client = TestClient(guard, base_url=BASE, follow_redirects=False)
    client.cookies.set(COOKIE, cookie_value(TOKEN))
    return client


def all_routes(app: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route of an application and of what is mounted in it."""
    for route in app.routes:
        path = before + re.sub(r"\{[^}]*\}", "x", getattr(route, "path", ""))
        included = getattr(route, "original_router", None)  # FastAPI keeps what it includes as it was
        if included is not None:
            yield from all_routes(included, before + route.include_context.prefix)
        elif getattr(route, "routes", None):
            yield from all_routes(route, path)
        else:
            for method in getattr(route, "methods", None) or {"GET"}:
                yield method, path or "/"


def test_no_route_without_the_token(guard: Guard, stranger: TestClient) -> None:
    routes = set(all_routes(guard._app))
    assert len(routes) > 60  # Gradio's, all of them
    assert any("upload" in path for _, path in routes)
    for method, path in sorted(routes):
        if path == "/login":
            continue
        for cookie in (None, "wrong", TOKEN):
            stranger.cookies.clear()
            if cookie:
                stranger.cookies.set(COOKIE, cookie)
            answer = stranger.request(method, path)
            at_door = method == "GET" and path == "/"
            assert answer.status_code == (303 if at_door else 401), (method, path)
            assert "gradio" not in answer.text.lower()
            assert answer.headers["content-security-policy"] == SECURITY_HEADERS["content-security-policy"]


def test_no_websocket_without_the_token(stranger: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, stranger.websocket_connect("/gradio_api/queue/join"):
        pass
    assert closed.value.code == 1008


def test_token_in_the_address_becomes_a_cookie(stranger: TestClient) -> None:
    answer = stranger.get(f"/?view=light&token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?view=light"
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    page = stranger.get("/")
    assert page.status_code == 200
    assert "netwright" in page.text
    away = stranger.get(f"{BASE}//evil.example/x?token={TOKEN}")
    assert away.headers["location"] == "/evil.example/x"


def test_wrong_tokens(stranger: TestClient) -> None:
    assert stranger.get("/?token=not-the-token-at-all").status_code == 401
    assert stranger.post(f"/?token={TOKEN}").status_code == 401  # in an address that is opened, nowhere else
    wrong = stranger.post("/login", data={"token": "not-the-token-at-all"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    assert stranger.post("/login", data={"token": TOKEN}).headers["location"] == "/"
    assert stranger.put("/login").status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:7860"])
def test_foreign_names_are_refused(owner: TestClient, host: str) -> None:
    assert owner.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:7860", "[::1]:7860", "127.0.0.1"])
def test_own_names_are_served(owner: TestClient, host: str) -> None:
    assert owner.get("/login", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://["])
def test_foreign_pages_are_refused(owner: TestClient, origin: str) -> None:
    assert owner.get("/config", headers={"origin": origin}).status_code == 403
    assert owner.post("/gradio_api/queue/join", json={}, headers={"origin": origin}).status_code == 403


def test_large_bodies_are_refused(owner: TestClient, stranger: TestClient) -> None:
    assert owner.post("/gradio_api/upload", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert stranger.post("/gradio_api/upload", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    large = owner.post("/gradio_api/upload", files={"files": ("net.py", b"x" * (UPLOAD_BYTES + 1))})
    assert large.status_code == 413
    small = owner.post("/gradio_api/upload", files={"files": ("net.py", b"x = 1")})
    assert small.status_code == 200


def test_a_body_without_length_ends_at_the_limit(owner: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="files"; filename="net.py"\r\n\r\n'
        for _ in range(MOST_BYTES // 2**16 + 2):
            yield b"x" * 2**16

    headers = {"content-type": "multipart/form-data; boundary=b"}
    with pytest.raises(ClientDisconnect):
        owner.post("/gradio_api/upload", content=parts(), headers=headers)


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/file=/etc/passwd", "/gradio_api/file=../../etc/passwd", "/gradio_api/file%3D/etc/passwd",
     "/static/../../../../etc/passwd", "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd"],
)  # fmt: skip
def test_no_file_outside_is_read(owner: TestClient, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code in {400, 403, 404}
    assert "root:" not in answer.text


def test_records_are_no_file_of_the_app(owner: TestClient, guard: Guard) -> None:
    import os

    path = os.path.join(os.environ["GRADIO_TEMP_DIR"], "..", "..", "records.db")
    for name in (path, os.path.abspath(path)):
        assert os.path.exists(name)
        assert owner.get(f"/gradio_api/file={name}").status_code in {403, 404}


@pytest.mark.parametrize("path", ["/gradio_api/proxy=http://evil.example", "/gradio_api/vibe-code", "/monitoring"])
def test_doors_to_elsewhere_are_closed(owner: TestClient, path: str) -> None:
    assert owner.get(path).status_code == 404


def called(client: TestClient, elem_id: str, data: list[Any]) -> dict[str, Any]:
    """What the click of a button answers to these inputs, as a page would ask: by the queue."""
    config = client.get("/config").json()
    button = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == elem_id)
    event = next(one for one in config["dependencies"] if [button, "click"] in one["targets"])
    asked = {"fn_index": event["id"], "data": data, "session_hash": elem_id, "event_data": None, "trigger_id": button}
    assert client.post("/gradio_api/queue/join", json=asked).status_code == 200
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={elem_id}") as stream:
        for line in stream.iter_lines():
            told = json.loads(line.removeprefix("data: ")) if line else {}
            if told.get("msg") == "process_completed":
                return dict(told)
    raise AssertionError("the event has no end")


def test_a_forged_upload_reads_no_file(guard: Guard) -> None:
    with TestClient(guard, base_url=BASE) as client:
        client.cookies.set(COOKIE, cookie_value(TOKEN))
        for forged in ({"path": "/etc/passwd"}, {"path": "https://example.com/net.py"}):
            answer = called(client, "validate", [{**forged, "meta": {"_type": "gradio.FileData"}}, "digits"])
            assert not answer["success"]
            assert "root:" not in str(answer)
        assert "fetches nothing" in str(answer)


def test_expected_errors_are_told_in_words(guard: Guard) -> None:
    with TestClient(guard, base_url=BASE) as client:
        client.cookies.set(COOKIE, cookie_value(TOKEN))
        answer = called(client, "blocks-go", ["  ", "any", "", "any", "keyword"])
        assert "name what is looked for" in str(answer["output"])
        answer = called(client, "look", ["any", "any", "any", "any", "", "<b>many", "", "", "metric", True])
        assert "Parameters from" in str(answer["output"])


def test_no_event_is_a_named_api(owner: TestClient) -> None:
    assert owner.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_page_names_no_address_to_load_from(owner: TestClient) -> None:
    page = owner.get("/").text
    loaded = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^\s>]+", page)
    assert loaded == []


def test_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert len(new_token().value) >= 32
    assert new_token().value != new_token().value
    for bad in ("short", "", "fifteen-letters", "has blanks in it 0123456789", "ünïcödé-0123456789"):
        monkeypatch.setenv(TOKEN_VARIABLE, bad)
        with pytest.raises(TokenError):
            new_token()
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert new_token().value == TOKEN


def test_hosts() -> None:
    with pytest.raises(HostRefused, match="--allow-remote"):
        check_host("0.0.0.0", allow_remote=False)
    check_host("0.0.0.0", allow_remote=True)
    check_host("127.0.0.1", allow_remote=False)
    assert "evil.example" not in names_of("0.0.0.0")
    assert "127.0.0.1" in names_of("192.0.2.7")
