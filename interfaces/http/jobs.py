"""Jobs over HTTP: which there are, how far they are, their results and their end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..jobs.model import Job, JobError
from .backend import Backend
from .errors import HttpError, documented

LOOK_S = 0.5
"""Seconds between two looks at a job whose progress is streamed."""
QUIET_S = 15.0
"""Seconds after which a stream says that it is still there."""
STREAMS = 32
"""Streams at once; each looks at its job twice a second."""

JobId = Annotated[str, Path(pattern=r"^job-[0-9a-f]{16}-[0-9a-f]{8}$", description="id of a job")]


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[Job]


class JobResult(BaseModel):
    """What came of a job."""

    id: str
    tool: str
    result: Any = Field(description="as the tool's schema says")


def job_routes(backend: Backend) -> APIRouter:
    """``/jobs`` and what is below it."""
    router, streams = APIRouter(prefix="/jobs", tags=["jobs"]), asyncio.Semaphore(STREAMS)

    async def find(job_id: str) -> Job:
        try:
            return await backend.reads.run(lambda: backend.board.status(job_id))
        except JobError as error:
            raise HttpError(404, "not_found", str(error)) from error

    @router.get("", operation_id="list_jobs", responses=documented())
    async def list_jobs(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> JobList:
        """The newest jobs."""
        return JobList(jobs=list(await backend.reads.run(lambda: backend.board.list(limit))))

    @router.get("/{job_id}", operation_id="job_status", responses=documented())
    async def job_status(job_id: JobId) -> Job:
        """How far a job is."""
        return await find(job_id)

    @router.delete("/{job_id}", operation_id="cancel_job", responses=documented(409))
    async def cancel_job(job_id: JobId) -> Job:
        """Cancel a job: its processes are gone when this answers. One that has ended stays as it is."""
        await find(job_id)
        try:
            # In the pool of calls: it waits up to seconds for processes to go.
            return await backend.calls.run(lambda: backend.board.cancel(job_id))
        except JobError as error:
            raise HttpError(409, "not_cancelled", str(error)) from error

    @router.get("/{job_id}/result", operation_id="job_result", response_model=JobResult, responses=documented(409))
    async def job_result(job_id: JobId) -> Response:
        """The result of a complete job."""
        job = await find(job_id)
        if not job.finished:
            raise HttpError(409, "not_finished", f"job {job_id} is {job.state}: ask again later", retry_s=2)
        try:
            result = await backend.reads.run(lambda: backend.board.result(job_id))
        except JobError as error:
            raise HttpError(409, f"job_{job.state}", str(error)) from error
        return JSONResponse({"id": job.id, "tool": job.tool, "result": result})

    @router.get(
        "/{job_id}/events",
        operation_id="job_events",
        response_class=StreamingResponse,
        responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}, **documented()},
    )
    async def job_events(job_id: JobId) -> StreamingResponse:
        """Progress as server-sent events: `progress` with the job whenever it changes, `end` when it has ended."""
        await find(job_id)
        if streams.locked():
            raise HttpError(429, "busy", f"{STREAMS} streams are open already", retry_s=5)
        return StreamingResponse(events(job_id), media_type="text/event-stream")

    async def events(job_id: str) -> AsyncIterator[str]:
        async with streams:
            shown, said = None, time.monotonic()
            while not backend.stopping.is_set():
                job = await find(job_id)
                if job != shown:
                    shown, said = job, time.monotonic()
                    yield event("end" if job.finished else "progress", job.model_dump(mode="json"))
                    if job.finished:
                        return
                elif time.monotonic() - said > QUIET_S:
                    said = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(LOOK_S)

    return router


def event(name: str, data: Any) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
