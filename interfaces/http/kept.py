"""What is on record, over HTTP: candidates, campaigns and their reports."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...memory.home import home
from ...memory.records import RecordsError
from ...memory.rows import Campaign, Cycle
from ...memory.types import Candidate
from ..campaign_process import CampaignState, campaign_state, campaign_states
from .backend import Backend
from .errors import HttpError, documented
from .files import TooLarge, read_inside

MOST_REPORT = 64 * 2**20
"""Bytes of a report."""

CandidateId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the network's source")]
CampaignId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="id of a campaign")]


class ReportFormat(StrEnum):
    """How a report is wanted."""

    HTML = "html"
    JSON = "json"


class CampaignList(BaseModel):
    """All campaigns, oldest first."""

    campaigns: list[CampaignState]


class CampaignDetail(BaseModel):
    """One campaign."""

    standing: CampaignState
    seed: int
    wall_s: float = Field(description="seconds spent so far")
    tokens: int = Field(description="tokens spent so far")
    config: dict[str, Any] = Field(description="its settings")
    cycles: list[Cycle]


def kept_routes(backend: Backend) -> APIRouter:
    """``/candidates`` and ``/campaigns``."""
    router, records, reads = APIRouter(tags=["records"]), backend.records, backend.reads

    @router.get("/candidates/{candidate_id}", operation_id="get_candidate_record", responses=documented())
    async def candidate(candidate_id: CandidateId) -> Candidate:
        """One network with its source and where it comes from."""
        found = await reads.run(lambda: records.get_candidate(candidate_id))
        if found is None:
            raise HttpError(404, "not_found", f"no candidate {candidate_id}")
        return found

    @router.get("/campaigns", operation_id="list_campaign_records", responses=documented())
    async def campaigns() -> CampaignList:
        """All campaigns and how they stand."""
        return CampaignList(campaigns=await reads.run(lambda: campaign_states(records)))

    @router.get("/campaigns/{campaign_id}", operation_id="get_campaign_record", responses=documented())
    async def campaign(campaign_id: CampaignId) -> CampaignDetail:
        """One campaign with its settings and cycles."""
        return await reads.run(lambda: _detail(backend, _campaign(backend, campaign_id)))

    @router.get(
        "/campaigns/{campaign_id}/report",
        operation_id="get_campaign_report",
        response_class=Response,
        responses={
            200: {"description": "The report", "content": {"text/html": {}, "application/json": {}}},
            **documented(),
        },
    )
    async def report(
        campaign_id: CampaignId, wanted: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.HTML
    ) -> Response:
        """The report of a campaign as it was last written: when it ended or stopped."""
        content = await reads.run(lambda: _report(backend, campaign_id, wanted))
        # Opened as a page of its own it runs no script and loads nothing: it holds what models wrote.
        headers = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
        media = "text/html; charset=utf-8" if wanted is ReportFormat.HTML else "application/json"
        return Response(content, media_type=media, headers=headers)

    return router


def _campaign(backend: Backend, campaign_id: str) -> Campaign:
    """A campaign on record; design requests, which are kept in the same place, are none.

    Raises:
        HttpError: 404.
    """
    try:
        stored = backend.records.get_campaign(campaign_id)
    except RecordsError as error:
        raise HttpError(404, "not_found", f"no campaign {campaign_id}") from error
    if "campaign" not in stored.config:
        raise HttpError(404, "not_found", f"no campaign {campaign_id}")
    return stored


def _detail(backend: Backend, stored: Campaign) -> CampaignDetail:
    return CampaignDetail(
        standing=campaign_state(backend.records, stored),
        seed=stored.seed,
        wall_s=stored.wall_s,
        tokens=stored.tokens,
        config=stored.config,
        cycles=backend.records.cycles(stored.id),
    )


def _report(backend: Backend, campaign_id: str, wanted: ReportFormat) -> bytes:
    """The bytes of a report.

    Raises:
        HttpError: 404, 413.
    """
    stored = _campaign(backend, campaign_id)
    try:
        content = read_inside(home(), "campaigns", stored.id, f"report.{wanted}", most=MOST_REPORT)
    except TooLarge as error:
        raise HttpError(413, "too_large", str(error)) from error
    if content is None:
        raise HttpError(404, "not_found", f"campaign {campaign_id} has no report yet: one is written when it stops")
    return content
