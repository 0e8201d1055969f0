"""Tools and jobs over HTTP: one typed operation each, jobs from their beginning to their end."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from netwright.interfaces.http.backend import Backend
from netwright.interfaces.toolbox import registry
from starlette.testclient import TestClient

SMALL = {"source": "class Net:\n    pass\n", "dataset": "digits"}


def test_every_tool_is_an_operation_with_its_schemas(client: TestClient, app: FastAPI) -> None:
    document, tools = app.openapi(), list(registry())
    assert {one["name"] for one in client.get("/tools").json()["tools"]} == {tool.name for tool in tools}
    for tool in tools:
        operation = document["paths"][f"/tools/{tool.name}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert operation["operationId"] == tool.name
        assert operation["description"] == tool.description
        assert json.dumps(schema).rpartition("/")[2].startswith(tool.arguments.__name__)
        answer = operation["responses"]["202" if tool.kind == "job" else "200"]["content"]["application/json"]["schema"]
        assert answer["$ref"].rpartition("/")[2] == ("Job" if tool.kind == "job" else tool.result.__name__)


def test_listed_schemas_are_schemas(client: TestClient) -> None:
    for one in client.get("/tools").json()["tools"]:
        Draft202012Validator.check_schema(one["arguments"])
        Draft202012Validator.check_schema(one["result"])


def test_a_tool_that_needs_nothing_can_be_called_without_a_body(client: TestClient) -> None:
    assert client.post("/tools/list_datasets").json() == client.post("/tools/list_datasets", json={}).json()


def test_a_tool_that_needs_one_of_several_cannot(client: TestClient) -> None:
    answer = client.post("/tools/deduplicate")
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_arguments")


def test_numbers_without_end_are_refused(client: TestClient) -> None:
    answer = client.post("/tools/query_records", json={"max_params": 10**30})
    assert answer.status_code in (400, 422)
    kind = {"Content-Type": "application/json"}
    endless = client.post("/tools/start_campaign", content='{"wall_minutes": 1e999, "dataset": "no"}', headers=kind)
    assert endless.status_code == 422


def test_arguments_are_checked_and_not_repeated(client: TestClient) -> None:
    answer = client.post("/tools/generate", json={"dataset": "digits", "count": "many-secrets", "sty1e": 3})
    assert answer.status_code == 422
    assert "sty1e" in answer.json()["error"]["message"]
    assert "many-secrets" not in answer.text


def test_a_tool_says_why_it_cannot(client: TestClient) -> None:
    answer = client.post("/tools/get_candidate", json={"candidate_id": "0" * 64})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "tool_error")
    assert "query_records" in answer.json()["error"]["message"]


def test_what_only_waits_keeps_nobody_from_calling(
    client: TestClient, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.waits, "_most", 0)
    assert client.post("/tools/watch_campaign", json={"id": "none"}).status_code == 429
    assert client.post("/tools/list_datasets").status_code == 200


def test_the_end_of_the_server_is_told_to_calls(backend: Backend) -> None:
    other = Backend(backend.config, backend.registry, backend.shared, backend.records, backend.board)
    early, late = threading.Event(), threading.Event()
    with other.told_to_stop(early.set):
        assert not early.is_set()
        other.stop()
        assert early.is_set()
    with other.told_to_stop(late.set):
        assert late.is_set()
    other.close()


def test_a_client_that_goes_away_cancels(backend: Backend) -> None:
    import asyncio

    from netwright.interfaces.http.leaving import while_here

    class Gone:
        async def is_disconnected(self) -> bool:
            return True

    async def run() -> str:
        cancelled = asyncio.Event()

        async def work() -> str:
            await cancelled.wait()
            return "stopped"

        request: Any = Gone()
        return await while_here(request, work(), cancelled.set)

    assert asyncio.run(run()) == "stopped"


def test_a_job_from_its_beginning_to_its_end(client: TestClient) -> None:
    submitted = client.post("/tools/evaluate", json=SMALL)
    job = submitted.json()
    assert (submitted.status_code, job["state"], job["tool"]) == (202, "queued", "evaluate")
    place = submitted.headers["location"]
    assert client.get(place).json() == job
    assert client.get("/jobs").json()["jobs"][0] == job
    early = client.get(f"{place}/result")
    assert (early.status_code, early.json()["error"]["type"]) == (409, "not_finished")
    assert int(early.headers["retry-after"]) > 0
    ended = client.delete(place)
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert client.delete(place).json() == ended.json()
    late = client.get(f"{place}/result")
    assert (late.status_code, late.json()["error"]["type"]) == (409, "job_cancelled")
    with client.stream("GET", f"{place}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in events.iter_lines() if line]
    assert lines[0] == "event: end"
    assert json.loads(lines[1].removeprefix("data: ")) == ended.json()


def test_too_many_jobs_are_refused(client: TestClient, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.board, "most_queued", 0)
    answer = client.post("/tools/evaluate", json=SMALL)
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "busy")
    assert int(answer.headers["retry-after"]) > 0
