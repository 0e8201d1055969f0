"""The job board as tools, for ways in that have no words of their own: submit, status, result, cancel, list."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from pydantic import Field

from ...tools.registry import Arguments, Context, Registry, Result, ToolError
from .board import JobBoard
from .model import Job, JobError, JobState

_LOOK_S: Final = 0.1
_MOST_WAIT_S: Final = 60

JobId = Annotated[
    str, Field(pattern=r"^job-[0-9a-f]{16}-[0-9a-f]{8}$", description="Id of the job, from submit_job or list_jobs.")
]


class SubmitJobArguments(Arguments):
    """Arguments of ``submit_job``."""

    tool: str = Field(max_length=48, description="Name of a tool that runs as a job, such as evaluate or design.")
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="The tool's own arguments, as its input schema says."
    )


class JobArguments(Arguments):
    """The arguments of tools about one job."""

    id: JobId


class JobStatusArguments(JobArguments):
    """Arguments of ``job_status``."""

    wait_s: float = Field(
        default=0,
        ge=0,
        le=_MOST_WAIT_S,
        description="Wait at most so many seconds for the job to end; 0: answer at once.",
    )


class ListJobsArguments(Arguments):
    """Arguments of ``list_jobs``."""

    limit: int = Field(default=20, ge=1, le=100, description="How many, the newest first.")


class JobView(Result):
    """A job as it stands."""

    id: str = Field(description="Names the job in the other job tools.")
    tool: str
    state: JobState
    finished: bool = Field(description="Nothing about it will change any more.")
    done: float | None = Field(description="How far it is.")
    total: float | None = Field(description="Of how much, where that is known.")
    doing: str = Field(description="What is being done.")
    created: str
    started: str | None
    ended: str | None
    error: str | None = Field(description="Why it failed, was cancelled or interrupted.")


class JobViews(Result):
    """Jobs."""

    jobs: tuple[JobView, ...]


class JobResult(Result):
    """What came of a complete job."""

    id: str
    tool: str
    result: dict[str, Any] = Field(description="The tool's own result, as its output schema says.")


def view(job: Job) -> JobView:
    """A job as tools answer it."""
    progress = job.progress
    return JobView(
        finished=job.finished,
        done=progress.done if progress else None,
        total=progress.total if progress else None,
        doing=progress.message if progress else "",
        **job.model_dump(exclude={"progress"}),
    )


def job_tools(tools: Registry, board: JobBoard) -> Registry:
    """The tools of a board.

    Args:
        tools: what can be submitted: those of kind ``job``.
        board: where.
    """
    made = Registry()

    @made.tool(title="Submit a job", writes=True)
    def submit_job(arguments: SubmitJobArguments, context: Context) -> JobView:
        """Start a long tool as a job and answer at once with its id, instead of waiting for its result.

        Use it for work of minutes (evaluate, design, repair, tune, …) when something else can be done meanwhile, or
        for several at a time. Then ask job_status, and job_result when it is complete; cancel_job ends it. A job
        outlives the server and this conversation.
        """
        return view(submit(tools, board, arguments.tool, arguments.arguments))

    @made.tool(title="Look at a job", waits=True)
    def job_status(arguments: JobStatusArguments, context: Context) -> JobView:
        """Tell how a job stands: its state, how far it is, and why it failed if it did. With wait_s, wait for its end.

        States: queued (waits for a free core), running, complete, failed, cancelled, interrupted (its process died:
        submit it again).
        """
        until, job = time.monotonic() + arguments.wait_s, board.status(arguments.id)
        while not job.finished and time.monotonic() < until:
            if context.cancelled.wait(_LOOK_S):
                context.check()
            job = board.status(arguments.id)
        return view(job)

    @made.tool(title="Get a job's result")
    def job_result(arguments: JobArguments, context: Context) -> JobResult:
        """Return the result of a complete job; an error says how it stands if it is not complete."""
        job = board.status(arguments.id)
        return JobResult(id=job.id, tool=job.tool, result=board.result(arguments.id))

    @made.tool(title="Cancel a job", writes=True)
    def cancel_job(arguments: JobArguments, context: Context) -> JobView:
        """End a job with everything it runs, within two seconds. One that has ended already stays as it is."""
        return view(board.cancel(arguments.id))

    @made.tool(title="List jobs")
    def list_jobs(arguments: ListJobsArguments, context: Context) -> JobViews:
        """List the newest jobs with their states, also those of earlier conversations."""
        return JobViews(jobs=tuple(map(view, board.list(arguments.limit))))

    return made


def submit(tools: Registry, board: JobBoard, name: str, arguments: dict[str, Any]) -> Job:
    """Check arguments and put a job into the queue.

    Raises:
        ToolError: no such tool, one that is no job, invalid arguments, or a full queue.
    """
    tool = tools[name]
    if tool.kind != "job":
        jobs = ", ".join(one.name for one in tools if one.kind == "job")
        raise ToolError(f"{name} answers at once and is called itself; as jobs run: {jobs}")
    tool.parse(arguments)
    try:
        return board.submit(name, arguments)
    except JobError as error:
        raise ToolError(str(error)) from error
