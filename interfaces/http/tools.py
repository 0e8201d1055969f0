"""Every tool of the registry as one typed operation; tools that take minutes answer with a job."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from ...tools.registry import Context, Kind, Tool, ToolError
from ..jobs.model import Job, QueueFull
from .backend import Backend
from .errors import HttpError, documented
from .leaving import while_here

Endpoint = Callable[..., Awaitable[Response]]


class ToolSummary(BaseModel):
    """A tool as it is listed."""

    name: str
    title: str
    description: str = Field(description="when to use it and what it answers, written for models")
    kind: Kind = Field(description="`call` answers at once, `job` with a job to ask for its result later")
    writes: bool = Field(description="it changes records or starts work")
    arguments: dict[str, Any] = Field(description="JSON schema")
    result: dict[str, Any] = Field(description="JSON schema")


class ToolList(BaseModel):
    """All tools."""

    tools: list[ToolSummary]


def tool_routes(backend: Backend) -> APIRouter:
    """``GET /tools``, and ``POST /tools/{name}`` for each."""
    router = APIRouter(tags=["tools"])

    @router.get("/tools", operation_id="list_tools", response_model=ToolList, responses=documented())
    async def list_tools() -> ToolList:
        """All tools with the schemas of their arguments and results."""
        return ToolList(tools=[_summary(tool) for tool in backend.registry])

    for tool in backend.registry:
        job = tool.kind == "job"
        router.add_api_route(
            f"/tools/{tool.name}",
            _typed(_submitting(tool, backend) if job else _calling(tool, backend), tool),
            methods=["POST"],
            operation_id=tool.name,
            summary=tool.title,
            description=tool.description,
            status_code=202 if job else 200,
            response_model=Job if job else tool.result,
            response_description="It waits for its turn" if job else "What came of it",
            responses=documented(409, 424),
        )
    return router


def _summary(tool: Tool[Any, Any]) -> ToolSummary:
    return ToolSummary(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        kind=tool.kind,
        writes=tool.writes,
        arguments=tool.arguments.model_json_schema(),
        result=tool.result.model_json_schema(mode="serialization"),
    )


def _calling(tool: Tool[Any, Any], backend: Backend) -> Endpoint:
    """Call it in its pool; the client's going away tells the tool, and so does the server's end."""
    pool = backend.waits if tool.waits else backend.calls

    async def call(request: Request, arguments: BaseModel) -> Response:
        context = Context(backend.shared)
        work = pool.run(lambda: tool.function(arguments, context))
        with backend.told_to_stop(context.cancelled.set):
            result = await while_here(request, work, context.cancelled.set)
        # pydantic's own JSON: a number that is none becomes null, where the standard library would fail.
        return Response(result.model_dump_json(), media_type="application/json")

    return call


def _submitting(tool: Tool[Any, Any], backend: Backend) -> Endpoint:
    """Put it on the board."""

    async def submit(request: Request, arguments: BaseModel) -> Response:
        given = arguments.model_dump(mode="json")
        try:
            job = await backend.reads.run(lambda: backend.board.submit(tool.name, given))
        except QueueFull as error:
            raise HttpError(429, "busy", str(error), retry_s=10) from error
        headers = {"Location": f"/jobs/{job.id}"}
        return JSONResponse(job.model_dump(mode="json"), status_code=202, headers=headers)

    return submit


def _needs_nothing(tool: Tool[Any, Any]) -> bool:
    """Whether it can be called without a body; one of several arguments may be needed where none alone is."""
    try:
        tool.parse({})
    except ToolError:
        return False
    return True


def _typed(endpoint: Endpoint, tool: Tool[Any, Any]) -> Endpoint:
    """Give an endpoint the signature of its tool: FastAPI reads the body's model from it."""
    body = Annotated[tool.arguments, Body(default_factory=tool.arguments)] if _needs_nothing(tool) else tool.arguments
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [
            inspect.Parameter("request", keyword, annotation=Request),
            inspect.Parameter("arguments", keyword, annotation=body),
        ]
    )
    endpoint.__signature__ = signature  # type: ignore[attr-defined]
    endpoint.__name__ = tool.name
    return endpoint
