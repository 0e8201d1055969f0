"""The tools of a registry as LangChain tools, for agents in the same program.

Those of kind ``job`` run as jobs and are waited for: a call blocks until its result is there, tells of progress on the
way, and takes the job back when the waiting is interrupted. The five tools of the job board come along, so that an
agent that would rather not wait can submit.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ...tools.registry import Context, Registry, Tool, ToolError
from ..jobs.board import JobBoard
from ..jobs.model import Progress
from ..jobs.tools import job_tools, submit
from .calls import run_tool
from .shared import Shared

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool

Told = Callable[[str, Progress], None]
"""Told the name of a tool and how far it is."""
_LOOK_S: Final = 0.1


def as_langchain_tools(
    registry: Registry,
    board: JobBoard,
    shared: Shared | None = None,
    *,
    progress: Told = lambda tool, how_far: None,
) -> list[StructuredTool]:
    """Every tool of a registry, and those of the job board, for ``create_agent(tools=…)``.

    Args:
        board: runs the long ones.
        shared: what the others share; the caller closes it. One is made if ``None``, for as long as the program runs.
        progress: told how far a long tool is.
    """
    everything, opened = Registry(), shared or Shared()
    everything.include(registry)
    everything.include(job_tools(registry, board))
    return [_structured(tool, everything, board, opened, progress) for tool in everything]


def _structured(
    tool: Tool[Any, Any], registry: Registry, board: JobBoard, shared: Shared, progress: Told
) -> StructuredTool:
    from langchain_core.tools import StructuredTool, ToolException

    def call(cancelled: threading.Event, given: dict[str, Any]) -> dict[str, Any]:
        try:
            if tool.kind == "job":
                return _finished(tool.name, given, registry, board, cancelled, progress)
            return run_tool(tool, given, Context(shared=shared, cancelled=cancelled))
        except ToolError as error:
            raise ToolException(str(error)) from error

    def blocking(**given: Any) -> dict[str, Any]:
        return call(threading.Event(), given)

    async def waiting(**given: Any) -> dict[str, Any]:
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(call, cancelled, given)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    return StructuredTool.from_function(
        func=blocking,
        coroutine=waiting,
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments.model_json_schema(),
        infer_schema=False,
        handle_tool_error=True,
        metadata={"title": tool.title, "kind": tool.kind, "writes": tool.writes},
    )


def _finished(
    name: str,
    given: dict[str, Any],
    registry: Registry,
    board: JobBoard,
    cancelled: threading.Event,
    progress: Told,
) -> dict[str, Any]:
    """Run a job to its end; taken back if the wait for it is."""
    job, told = submit(registry, board, name, given), None
    try:
        while not job.finished:
            if cancelled.is_set():
                raise ToolError(f"{name} was cancelled")
            time.sleep(_LOOK_S)
            job = board.status(job.id)
            if job.progress is not None and job.progress != told:
                told = job.progress
                progress(name, told)
    except BaseException:
        board.cancel(job.id)
        raise
    if job.state != "complete":
        raise ToolError(f"{name}: {job.error}")
    result: dict[str, Any] = board.result(job.id)
    return result
