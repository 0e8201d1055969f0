"""The guard: without a token nothing is served; hosts, origins, bodies and faults."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from fastapi import FastAPI
from netwright.interfaces.http.app import create_app
from netwright.interfaces.http.backend import Backend
from netwright.interfaces.http.logs import logging_to_file
from netwright.interfaces.pool import Pool, PoolFull
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

UNKNOWN = ["/", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/no/such", "/v1", "/%2e%2e/records.db"]
WRONG = ["Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x", "Bearer {token} x", "bearer"]
REFUSED = {"error": {"type": "unauthorized", "message": "a bearer token is needed"}}


def refused(response: Any) -> bool:
    """Whether an answer says that a token is needed, and not a word more."""
    error = response.json()["error"]
    told = {"type": error["type"], "message": error["message"]}
    return (
        response.status_code == 401 and {"error": told} == REFUSED and response.headers["www-authenticate"] == "Bearer"
    )


def test_without_a_token_nothing_is_served(bare: TestClient, operations: list[tuple[str, str]]) -> None:
    assert len(operations) > 25
    for method, path in [*operations, *((m, p) for p in UNKNOWN for m in ("GET", "POST", "DELETE", "OPTIONS"))]:
        assert refused(bare.request(method, path, json={} if method == "POST" else None)), (method, path)
    assert bare.head("/health").status_code == 401


@pytest.mark.parametrize("header", WRONG)
def test_a_wrong_token_is_none(bare: TestClient, operations: list[tuple[str, str]], token: str, header: str) -> None:
    given = {"Authorization": header.format(token=token)}
    assert all(refused(bare.request(method, path, headers=given)) for method, path in operations)


def test_two_tokens_are_none(bare: TestClient, token: str) -> None:
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer other")]
    assert refused(bare.get("/health", headers=twice))
    assert refused(bare.get(f"/health?token={token}"))


def test_with_the_token_every_operation_answers(client: TestClient, operations: list[tuple[str, str]]) -> None:
    for method, path in operations:
        if method == "GET":
            response = client.get(path)
            assert response.status_code in (200, 404), (path, response.text)
            assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/docs").status_code == 404


def test_errors_have_one_form(client: TestClient) -> None:
    answers = [
        client.get("/no/such"),
        client.put("/health"),
        client.post("/tools/validate", json={"sauce": ""}),
        client.post("/tools/validate", content=b"{", headers={"Content-Type": "application/json"}),
        client.post("/tools/check_novelty", json={"source": "x", "dataset": "none"}),
    ]
    assert [a.status_code for a in answers] == [404, 405, 422, 422, 400]
    assert all(set(a.json()["error"]) == {"type", "message"} for a in answers)
    assert answers[1].headers["allow"] == "GET"
    assert client.put(f"/jobs/job-{0:016x}-{0:08x}").headers["allow"] == "DELETE, GET"
    assert set(client.get("/v1/none").json()["error"]) == {"type", "message", "param", "code"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.1:80:80", "", "a b"])
def test_other_hosts_are_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1", "[::1]:8321", "LOCALHOST"])
def test_loopback_is_answered_by_all_its_names(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


def test_pages_of_other_sites_may_not_ask(backend: Backend) -> None:
    open_door = TestClient(create_app(backend, token=None), base_url="http://localhost")
    assert open_door.get("/health").status_code == 200
    assert open_door.get("/health", headers={"Origin": "http://localhost:3000"}).status_code == 200
    for origin in ("http://evil.example", "null", "https://localhost.evil.example"):
        answer = open_door.get("/health", headers={"Origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_websockets_are_turned_away(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/health"):
        pass


def test_large_bodies_are_refused(client: TestClient, live: str, token: str) -> None:
    large = {"source": "x" * 300_000}
    assert client.post("/tools/validate", json=large).status_code == 413
    # In chunks, with no word about the length, and with one that is not true.
    assert "413" in raw(live, token, "Transfer-Encoding: chunked", [b"10000\r\n" + b"x" * 65_536 + b"\r\n"] * 8)
    assert "413" in raw(live, token, "Content-Length: 99999999999", [])


def test_slow_bodies_are_refused(live: str, token: str) -> None:
    assert "408" in raw(live, token, "Content-Length: 100", [b"{"])


def raw(live: str, token: str, header: str, body: list[bytes]) -> str:
    """Send a request as it is and read the status line."""
    with socket.create_connection(("127.0.0.1", int(live.rpartition(":")[2])), timeout=60) as connection:
        head = f"POST /tools/validate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n{header}\r\n\r\n".encode())
        try:
            for piece in body:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        return connection.recv(4096).decode().splitlines()[0]


def test_faults_are_told_by_an_id_alone(
    client: TestClient, backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("a secret of the server")

    monkeypatch.setattr(backend.board, "list", broken)
    with logging_to_file(tmp_path / "http.log") as log:
        answer = client.get("/jobs?limit=7&token=hidden")
        entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert answer.status_code == 500
    assert "secret" not in answer.text
    # What else runs in this process (a worker of an earlier test that ends) may write a line of its own.
    fault, request = (entry for entry in entries if entry["logger"].startswith("netwright.http"))
    assert request["request"] in answer.json()["error"]["message"]
    assert "a secret of the server" in fault["error"]
    assert (request["path"], request["status"], request["method"]) == ("/jobs", 500, "GET")
    assert "hidden" not in log.read_text()
    assert logging.getLogger("netwright").handlers == []


def test_what_is_missing_on_the_machine_is_said(
    client: TestClient, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backend.board, "list", full)
    answer = client.get("/jobs")
    assert (answer.status_code, answer.json()["error"]["type"]) == (424, "unavailable")
    assert "No space left" in answer.json()["error"]["message"]


def test_a_full_queue_says_when_to_come_again(
    client: TestClient, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "reads", Pool("none", 1, -1))
    answer = client.get("/jobs")
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "busy")
    assert answer.headers["Retry-After"] == "1"


def test_a_full_queue_refuses() -> None:
    async def run() -> list[Any]:
        pool, going = Pool("test", 1, 1), asyncio.Event()
        loop = asyncio.get_running_loop()
        release: asyncio.Future[None] = loop.create_future()

        def work() -> str:
            loop.call_soon_threadsafe(going.set)
            asyncio.run_coroutine_threadsafe(_wait(release), loop).result()
            return "done"

        first = asyncio.create_task(pool.run(work))
        await going.wait()
        second = asyncio.create_task(pool.run(lambda: "second"))
        await asyncio.sleep(0)
        with pytest.raises(PoolFull, match="2 calls are open"):
            await pool.run(lambda: "third")
        release.set_result(None)
        return [await first, await second, await pool.run(lambda: "there is room again")]

    assert asyncio.run(run()) == ["done", "second", "there is room again"]


async def _wait(future: asyncio.Future[None]) -> None:
    await future


def test_the_document_says_that_a_token_is_needed(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "the token that `netwright serve` prints"}
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"HTTPBearer": []}]
            assert {"401", "429", "500"} <= set(operation["responses"])
