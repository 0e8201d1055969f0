"""Errors as every client sees them: one JSON form, one place where exceptions become answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from ...graphs.locking import CampaignBusy
from ...tools.registry import ToolError
from ..cli.console import explain
from ..pool import PoolFull

OPENAI = "/v1/"
"""Paths below this answer in OpenAI's form, which has two more fields."""

_TYPES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(description="a word for programs, e.g. `invalid_arguments`")
    message: str = Field(description="what failed and what to do, for people")


class ErrorBody(BaseModel):
    """The body of every error."""

    error: Problem


class HttpError(Exception):
    """An error with its status; whoever raises it chooses the words that the client reads.

    Args:
        retry_s: seconds after which trying again may help.
        param: the field of an OpenAI request that is wrong.
    """

    def __init__(
        self, status: int, kind: str, message: str, *, retry_s: int | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.retry_s, self.param = status, kind, message, retry_s, param


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses for the OpenAPI document: those that every operation has, and these."""
    texts = {
        400: "It cannot be done as it was asked",
        401: "No token, or a wrong one",
        403: "A page of another site asked",
        404: "There is no such thing",
        408: "The body did not arrive in time",
        409: "Not now: it is not finished, or another process works on it",
        413: "The body is too large",
        421: "This server is not meant",
        422: "Invalid arguments",
        424: "Something that it needs is missing on this machine: a data set, a model, the sandbox",
        429: "Too much waits already; Retry-After says when to try again",
        500: "A fault of the server; the message names its entry in the log",
    }
    every = (400, 401, 403, 404, 408, 413, 421, 422, 429, 500)
    return {s: {"model": ErrorBody, "description": texts[s]} for s in sorted({*every, *statuses})}


def error_content(path: str, kind: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The body of an error, in OpenAI's form where that is spoken."""
    # A message may repeat what cannot be written as text: half a character of a JSON escape, or of a file's name.
    error: dict[str, Any] = {"type": kind, "message": message.encode("utf-8", "replace").decode()}
    if path.startswith(OPENAI):
        error |= {"param": param, "code": kind}
    return {"error": error}


def error_response(
    path: str, status: int, kind: str, message: str, *, headers: dict[str, str] | None = None, param: str | None = None
) -> JSONResponse:
    """The JSON answer of an error."""
    return JSONResponse(error_content(path, kind, message, param), status_code=status, headers=headers)


def answer(path: str, error: HttpError) -> JSONResponse:
    """The JSON answer that an error asks for."""
    headers = {} if error.retry_s is None else {"Retry-After": str(error.retry_s)}
    return error_response(path, error.status, error.kind, error.message, headers=headers, param=error.param)


def as_http_error(error: Exception) -> HttpError | None:
    """What an expected error is over HTTP; ``None`` for a fault of the program."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, CampaignBusy):
        return HttpError(409, "busy", str(error), retry_s=2)
    if isinstance(error, PoolFull):
        return HttpError(429, "busy", str(error), retry_s=1)
    if isinstance(error, ToolError):
        return HttpError(400, "tool_error", str(error))
    if isinstance(error, OverflowError):  # JSON's whole numbers have no end, those of databases and of C do
        return HttpError(400, "bad_request", f"a number is too large: {error}")
    message = explain(error)
    if message is None:
        return None
    # A value that is none (an unknown data set) is the caller's to change; the rest is this machine's.
    wrong = isinstance(error, ValueError | LookupError)
    return HttpError(400, "bad_request", message) if wrong else HttpError(424, "unavailable", message)


def _methods(request: Request) -> list[str]:
    """What can be done on a path, by the OpenAPI document."""
    parts, allowed = request.url.path.split("/"), set()
    for path, operations in request.app.openapi()["paths"].items():
        named = path.split("/")
        if len(named) == len(parts) and all(a == b or a.startswith("{") for a, b in zip(named, parts, strict=True)):
            allowed |= {method.upper() for method in operations}
    return sorted(allowed)


def install_errors(app: FastAPI) -> None:
    """Let expected errors answer in one form; faults of the program are left to the guard around the application."""

    @app.exception_handler(HttpError)
    async def own(request: Request, error: HttpError) -> JSONResponse:
        return answer(request.url.path, error)

    @app.exception_handler(HTTPException)  # of the router, for paths and methods that there are not
    async def routing(request: Request, error: HTTPException) -> JSONResponse:
        kind = _TYPES.get(error.status_code, "error")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the router names the methods of the first operation on a path alone
            headers["Allow"] = ", ".join(_methods(request))
        return error_response(request.url.path, error.status_code, kind, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # Values are not repeated: they may be long, and no client needs its own words back.
        parts = [(".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), e["msg"]) for e in error.errors()]
        message = "; ".join(f"{where}: {why}" for where, why in parts[:20])
        return error_response(request.url.path, 422, "invalid_arguments", message, param=parts[0][0] if parts else None)
