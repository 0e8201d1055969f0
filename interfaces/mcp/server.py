"""The MCP server: every tool of the registry, the job board's tools, resources and prompts, over any transport."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp import types
from mcp.server.lowlevel import Server

from ... import __version__
from ...tools.registry import Registry, Tool, ToolError
from ..jobs.board import JobBoard
from ..jobs.model import Job, Progress
from ..jobs.tools import job_tools, submit
from ..toolbox.calls import CallPool
from ..toolbox.shared import Shared
from ..toolbox.words import explain_error
from .prompts import add_prompts
from .resources import add_resources

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

INSTRUCTIONS: Final = """\
netwright designs neural networks (PyTorch image classifiers), runs them in a sandbox and keeps records of them.

Usual ways: list_datasets, then design for a request in words. Or write a network yourself: validate it until it is
valid, check_novelty, evaluate. Or query_records for what was made before, and get_candidate for its source.
Tools marked as jobs take minutes: call them and wait (progress is reported, a cancelled call ends the job), or start
them by submit_job and ask job_status. Networks are given as text, never as paths."""

_FIRST_S, _MOST_S = 0.05, 0.5


class Serving:
    """What the handlers of one server work with; several connections may share it.

    Args:
        registry: the tools.
        shared: what they share; closed with this.
        board: runs the long ones; closed with this.
    """

    def __init__(self, registry: Registry, shared: Shared, board: JobBoard) -> None:
        self.registry = registry
        self.board = board
        self.everything = Registry()
        self.everything.include(registry)
        self.everything.include(job_tools(registry, board))
        self.shared = shared
        self.calls = CallPool(self.everything, shared)

    def close(self) -> None:
        """Let what runs here end; jobs go on."""
        self.calls.close()
        self.board.close()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool in the pool; a cancelled call is taken back."""
        cancelled = threading.Event()
        future = self.calls.submit(name, arguments, cancelled)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def run_job(self, name: str, arguments: dict[str, Any], told: _Teller) -> dict[str, Any]:
        """Run a tool as a job to its end; a cancelled call cancels the job."""
        job = await anyio.to_thread.run_sync(submit, self.registry, self.board, name, arguments)
        try:
            job = await self._followed(job, told)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self.board.cancel, job.id)
            raise
        if job.state != "complete":
            raise ToolError(f"{name}: {job.error}")
        result: dict[str, Any] = await anyio.to_thread.run_sync(self.board.result, job.id)
        return result

    async def _followed(self, job: Job, told: _Teller) -> Job:
        pause, begin = _FIRST_S, 0
        while not job.finished:
            await anyio.sleep(pause)
            pause = min(_MOST_S, 1.5 * pause)
            job = await anyio.to_thread.run_sync(self.board.status, job.id)
            steps, begin = await anyio.to_thread.run_sync(self.board.steps, job.id, begin)
            for step in steps or [job.progress or Progress(message=job.state)]:
                await told(step)
        return job


class _Teller:
    """Sends a job's progress to the client that asked for it, if it asked for that."""

    def __init__(self, session: ServerSession, token: str | int | None, request_id: str | int) -> None:
        self._session, self._token, self._request = session, token, str(request_id)
        self._last, self._told = -math.inf, ""

    async def __call__(self, now: Progress) -> None:
        if self._token is None or now.model_dump_json() == self._told:
            return
        self._told = now.model_dump_json()
        # The protocol wants numbers that grow; where only the words are new, by the least that floats can.
        self._last = now.done if now.done > self._last else math.nextafter(self._last, math.inf)
        await self._session.send_progress_notification(
            self._token, self._last, now.total, now.message, related_request_id=self._request
        )


def described(tool: Tool[Any, Any]) -> types.Tool:
    """A tool as the protocol describes it."""
    long = (
        "\n\nRuns as a job of up to minutes: call it and wait, or give it to submit_job." if tool.kind == "job" else ""
    )
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description + long,
        inputSchema=tool.arguments.model_json_schema(),
        outputSchema=tool.result.model_json_schema(mode="serialization"),
        annotations=types.ToolAnnotations(
            title=tool.title,
            readOnlyHint=not tool.writes,
            destructiveHint=False,
            idempotentHint=not tool.writes,
            openWorldHint=False,
        ),
    )


def build_server(serving: Serving) -> Server[Any, Any]:
    """The protocol's handlers over what serves them."""
    server: Server[Any, Any] = Server("netwright", version=__version__, instructions=INSTRUCTIONS)

    @server.list_tools()  # type: ignore[no-untyped-call,untyped-decorator]
    async def list_tools() -> list[types.Tool]:
        return [described(tool) for tool in serving.everything]

    # Arguments are checked by the tools' own models: their errors say more than a schema's.
    @server.call_tool(validate_input=False)  # type: ignore[untyped-decorator]
    async def call_tool(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        context = server.request_context
        token = context.meta.progressToken if context.meta else None
        try:
            if serving.everything[name].kind == "job":
                told = _Teller(context.session, token, context.request_id)
                return _answer(await serving.run_job(name, arguments, told))
            return _answer(await serving.call(name, arguments))
        except Exception as error:
            text = str(error) if isinstance(error, ToolError) else explain_error(error)
            return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=True)

    add_resources(server, serving.shared)
    add_prompts(server)
    return server


def _answer(result: dict[str, Any]) -> types.CallToolResult:
    text = json.dumps(result, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structuredContent=result)
