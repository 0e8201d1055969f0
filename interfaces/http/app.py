"""The application: all routes behind the guard."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field

from ... import __version__
from ..addresses import LOOPBACK
from .backend import Backend
from .completions import completion_routes
from .errors import documented, install_errors
from .guard import Guard
from .jobs import job_routes
from .kept import kept_routes
from .tools import tool_routes

_ABOUT = """Tools of netwright for other programs: validate, evaluate, design and find neural networks.

Every request carries `Authorization: Bearer TOKEN`. Tools that take minutes answer 202 with a job: ask `/jobs/{id}`
until it is complete, then for its result. Errors are `{"error": {"type", "message"}}`."""


class Health(BaseModel):
    """The server answers."""

    status: str = Field(description="`ok`")
    version: str
    tools: int = Field(description="how many there are")
    jobs_at_once: int


def create_app(backend: Backend, *, token: str | None, hosts: Collection[str] | None = LOOPBACK) -> FastAPI:
    """The ASGI application.

    Args:
        backend: opened and closed by the caller.
        token: without it nothing is answered but 401; ``None`` leaves the door open.
        hosts: names that a request's Host may have, in lower case and without brackets; ``None``: any.
    """
    app = FastAPI(
        title="netwright",
        version=__version__,
        description=_ABOUT,
        # The pages that FastAPI offers load scripts from elsewhere; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False, description="the token that `netwright serve` prints"))],
        separate_input_output_schemas=True,
    )
    install_errors(app)
    limits = backend.config.http
    app.add_middleware(Guard, token=token, hosts=hosts, body_bytes=int(limits.body_mb * 2**20), body_s=limits.body_s)

    @app.get("/health", operation_id="health", tags=["server"], responses=documented())
    async def health() -> Health:
        """Whether the server answers."""
        return Health(status="ok", version=__version__, tools=len(backend.registry), jobs_at_once=backend.board.at_once)

    for router in (tool_routes(backend), job_routes(backend), kept_routes(backend), completion_routes(backend)):
        app.include_router(router)
    return app


@contextmanager
def open_backend(settings: list[str]) -> Iterator[Backend]:
    """Everything behind the routes, of the data directory.

    Args:
        settings: ``path=value`` overrides of the configuration, for tools, jobs and conversations alike.
    """
    from ...memory.home import home
    from ..jobs.board import JobBoard
    from ..toolbox import registry
    from ..toolbox.shared import Shared

    with Shared(settings) as shared, JobBoard(home(), settings=settings) as board:
        backend = Backend(shared.config, registry(), shared, shared.records, board)
        try:
            yield backend
        finally:
            backend.close()
