"""The MCP server through the SDK's own client, over both transports: list, call with progress, cancel, errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from netwright.interfaces.mcp.prompts import PROMPTS
from netwright.interfaces.mcp.transports import TransportError, http_app

from .mcp_parts import HttpServer, serving_http
from .toolbox_parts import BROKEN, NETWORK, SLEEPER

COMMAND = [sys.executable, "-m", "netwright.interfaces.cli.main", "mcp"]
JOB_TOOLS = {"submit_job", "job_status", "job_result", "cancel_job", "list_jobs"}


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp-home")


@pytest.fixture(autouse=True)
def netwright_home(module_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_HOME", str(module_home))
    return module_home


@pytest.fixture(scope="module")
def server(module_home: Path) -> Iterator[HttpServer]:
    with serving_http(module_home, "--set", "sandbox.workers=1") as running:
        yield running


@asynccontextmanager
async def over_stdio(home: Path) -> AsyncIterator[ClientSession]:
    place = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env={**os.environ, "NETWRIGHT_HOME": str(home)})
    async with stdio_client(place) as (reads, writes), ClientSession(reads, writes) as session:
        await session.initialize()
        yield session


@asynccontextmanager
async def over_http(server: HttpServer) -> AsyncIterator[ClientSession]:
    async with (
        httpx.AsyncClient(headers=server.headers, timeout=300) as client,
        streamable_http_client(server.url, http_client=client) as (reads, writes, _),
        ClientSession(reads, writes) as session,
    ):
        await session.initialize()
        yield session


def structured(result: types.CallToolResult) -> dict[str, Any]:
    assert not result.isError, result.content
    assert result.structuredContent is not None
    return result.structuredContent


def text(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


def run(talk: Callable[[], Awaitable[None]], seconds: float = 280) -> None:
    asyncio.run(asyncio.wait_for(talk(), seconds))  # type: ignore[arg-type]


def test_everything_over_standard_input_and_output(netwright_home: Path) -> None:
    async def talk() -> None:
        async with over_stdio(netwright_home) as session:
            await look_around(session)
            await call_with_progress(session)
            await cancel_an_evaluation(session, netwright_home)

    run(talk)


def test_everything_over_http(server: HttpServer) -> None:
    async def talk() -> None:
        async with over_http(server) as session:
            await look_around(session)
            await errors_are_tool_errors(session)
            await resources(session)
            await jobs(session)

    run(talk)


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_cancelling_over_http(server: HttpServer, netwright_home: Path) -> None:
    async def talk() -> None:
        async with over_http(server) as session:
            # Another seed than the first test's, whose evaluation is on record.
            await call_with_progress(session, seed=1)
            await cancel_an_evaluation(session, netwright_home)

    run(talk)


async def look_around(session: ClientSession) -> None:
    """Tools, prompts and templates are listed, each with what it is for."""
    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert {"validate", "evaluate", "design"} | JOB_TOOLS <= set(tools)
    for tool in tools.values():
        assert tool.description
        assert tool.outputSchema
        assert all(one.get("description") for one in tool.inputSchema["properties"].values()), tool.name
    assert "job" in (tools["evaluate"].description or "")
    annotations = tools["query_records"].annotations
    assert annotations is not None
    assert annotations.readOnlyHint
    assert {prompt.name for prompt in (await session.list_prompts()).prompts} == set(PROMPTS)
    asked = {"dataset": "digits", "memory_kb": "64"}
    filled = (await session.get_prompt("design_for_device", asked)).messages[0].content
    assert isinstance(filled, types.TextContent)
    assert "fit into 64 KB at 4 bytes" in filled.text
    with pytest.raises(McpError, match="missing"):
        await session.get_prompt("design_for_device", {})
    templates = (await session.list_resource_templates()).resourceTemplates
    assert "netwright://candidates/{id}" in {one.uriTemplate for one in templates}


async def call_with_progress(session: ClientSession, seed: int = 0) -> None:
    """A long call tells how far it is, in numbers that grow, and answers."""
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    found = structured(
        await session.call_tool("evaluate", {"source": NETWORK, "seed": seed}, progress_callback=progress)
    )
    assert found["state"] == "complete"
    numbers = [done for done, _ in told]
    assert all(before < after for before, after in itertools.pairwise(numbers))
    assert len(told) > 2
    assert told[-1][1] == "done"


async def cancel_an_evaluation(session: ClientSession, home: Path) -> None:
    """A cancelled evaluation is gone within two seconds, with the sandbox that it runs in."""
    training = asyncio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        if "training" in (message or ""):
            training.set()

    request = session._request_id
    arguments = {"source": SLEEPER, "seed": request}
    call = asyncio.create_task(session.call_tool("evaluate", arguments, progress_callback=progress))
    await training.wait()
    newest = structured(await session.call_tool("list_jobs", {"limit": 1}))["jobs"][0]
    processes = await asyncio.to_thread(process_tree, home, newest["id"])
    params = types.CancelledNotificationParams(requestId=request)
    began = time.monotonic()
    await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
    with pytest.raises(McpError, match="cancelled"):
        await call
    # The bound is the promise: nothing of it is left after two seconds.
    while any(alive(process) for process in processes):
        assert time.monotonic() - began < 2, [process for process in processes if alive(process)]
        await asyncio.sleep(0.02)
    ended = structured(await session.call_tool("job_status", {"id": newest["id"], "wait_s": 10}))
    assert ended["state"] == "cancelled"


def process_tree(home: Path, job: str) -> list[psutil.Process]:
    """The process of a job and all below it: the launcher of its sandbox, the worker, the candidate's own."""
    root = psutil.Process(json.loads((home / "jobs" / job / "started.json").read_text())["pid"])
    found = [root, *root.children(recursive=True)]
    assert len(found) >= 3, found
    return found


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def errors_are_tool_errors(session: ClientSession) -> None:
    """Whatever is wrong is an answer that a model can read, and never a traceback."""
    wrong = {
        "nothing": ({}, "no tool is called 'nothing'"),
        "validate": ({"source": "x", "datset": "digits"}, "datset"),
        "evaluate": ({"source": "x", "dataset": "nowhere"}, "nowhere"),
        "get_candidate": ({"candidate_id": "0" * 64}, "no network on record"),
        "job_status": ({"id": "job-" + "0" * 16 + "-" + "0" * 8}, "there is no job"),
        "submit_job": ({"tool": "validate", "arguments": {}}, "answers at once"),
    }
    for name, (arguments, told) in wrong.items():
        result = await session.call_tool(name, arguments)
        assert result.isError, name
        assert told in text(result)
        assert "Traceback" not in text(result)
    judged = structured(await session.call_tool("validate", {"source": BROKEN}))
    assert (judged["valid"], judged["stage"]) == (False, "forward")


async def resources(session: ClientSession) -> None:
    """Records can be read by URI, and nothing else can."""
    trained = structured(await session.call_tool("evaluate", {"source": NETWORK}))
    best = (await session.read_resource("netwright://records/digits")).contents[0]  # type: ignore[arg-type]
    assert isinstance(best, types.TextResourceContents)
    assert '"dataset": "digits"' in best.text
    judged = structured(await session.call_tool("validate", {"source": NETWORK}))
    source = f"netwright://candidates/{judged['candidate_id'][:16]}/source"
    code = (await session.read_resource(source)).contents[0]  # type: ignore[arg-type]
    assert isinstance(code, types.TextResourceContents)
    assert code.text == NETWORK
    assert trained["state"] == "complete"
    for uri in (
        "file:///etc/passwd",
        "netwright://candidates/../../../../etc/passwd",
        "netwright://campaigns/..%2f..%2f..%2fetc%2fpasswd/report",
        "netwright://campaigns/%2e%2e/report",
        "netwright://candidates/%00%00%00%00%00%00%00%00",
        "netwright:///etc/passwd",
    ):
        with pytest.raises(McpError):
            await session.read_resource(uri)  # type: ignore[arg-type]


async def jobs(session: ClientSession) -> None:
    """Submit, status, result, and an error for what has none."""
    made = structured(await session.call_tool("submit_job", {"tool": "evaluate", "arguments": {"source": NETWORK}}))
    ended = structured(await session.call_tool("job_status", {"id": made["id"], "wait_s": 60}))
    assert ended["state"] == "complete"
    result = structured(await session.call_tool("job_result", {"id": made["id"]}))
    assert result["result"]["cached"]
    refused = await session.call_tool("submit_job", {"tool": "evaluate", "arguments": {"source": NETWORK, "lr": -1}})
    assert refused.isError
    assert "lr" in text(refused)


def test_a_small_load(server: HttpServer) -> None:
    # Of a network that is on record, so that the jobs are short; the large load trains.
    run(lambda: load(server, calls=40, arguments=[{"source": NETWORK}] * 3))


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_a_large_load(server: HttpServer) -> None:
    run(lambda: load(server, calls=200, arguments=[{"source": NETWORK, "seed": 1000 + n} for n in range(20)]), 1500)


async def load(server: HttpServer, calls: int, arguments: list[dict[str, Any]]) -> None:
    """Cheap calls and evaluations all at once: every one is answered, and no more jobs run than there are cores."""
    async with over_http(server) as session:
        structured(await session.call_tool("evaluate", {"source": NETWORK}))
        trained = [asyncio.create_task(session.call_tool("evaluate", one)) for one in arguments]
        cheap = await asyncio.gather(*(session.call_tool("generate", {"seed": n}) for n in range(calls)))
        assert len({structured(one)["networks"][0]["candidate_id"] for one in cheap}) > calls // 2
        listed = structured(await session.call_tool("list_jobs", {"limit": 100}))["jobs"]
        assert sum(one["state"] == "running" for one in listed) <= len(os.sched_getaffinity(0))
        results = [structured(one) for one in await asyncio.gather(*trained)]
        assert [one["state"] for one in results] == ["complete"] * len(arguments)
        assert len({one["protocol_hash"] for one in results}) == len({json.dumps(one) for one in arguments})


def test_without_the_token_nothing_is_served(server: HttpServer) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": server.headers["Authorization"][:-1]}):
        for path in ("", "/", "/docs"):
            answer = httpx.post(server.url + path, json=asked, headers={**accept, **headers})
            assert (answer.status_code, answer.content) == (401, b"")
    rebound = httpx.post(server.url, json=asked, headers={**accept, **server.headers, "host": "evil.example"})
    assert rebound.status_code == 421
    foreign = httpx.post(server.url, json=asked, headers={**accept, **server.headers, "origin": "http://evil.example"})
    assert foreign.status_code == 403
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert httpx.get(server.url, headers={**upgrade, **key}).status_code == 401


def test_standard_output_carries_the_protocol_alone(netwright_home: Path) -> None:
    hello = (
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
        '"clientInfo":{"name":"test","version":"1"}}}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
        'no json at all\n{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"list_datasets"}}\n'
    )
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(hello)
        client.stdin.flush()
        lines: list[dict[str, Any]] = []
        while not any(line.get("id") == 2 for line in lines):
            lines.append(types.JSONRPCMessage.model_validate_json(client.stdout.readline()).model_dump())
        client.stdin.close()
        assert client.stdout.read() == ""
        assert client.wait(60) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org", ""])
def test_only_loopback(host: str) -> None:
    with pytest.raises(TransportError, match="own address"):
        http_app(None, host, 1, "t" * 20)  # type: ignore[arg-type]
