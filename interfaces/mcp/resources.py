"""Resources of the MCP server: records, networks and campaigns' reports by URI, read-only.

Everything is read out of the records by a checked key; no file is opened, so that no URI can name one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import anyio
from mcp import types
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl, BaseModel

from ...memory.candidate_query import Filter, count_networks, find_networks
from ...tools.registry import ToolError
from ..toolbox.campaigns import standing
from ..toolbox.recorded import candidate_details, recorded
from ..toolbox.shared import Shared
from ..toolbox.words import explain_error, info_of

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

NOT_FOUND: Final = -32002
"""The protocol's code for a resource that is not there."""
_JSON: Final = "application/json"
_MOST_BEST: Final = 50
_MOST_CAMPAIGNS: Final = 50
_BULKY: Final = {"candidates", "lineage", "config", "machine"}
"""Parts of a report that grow with every network, or say nothing about one."""

_RECORDS = re.compile(r"netwright://records/([a-z0-9-]{1,40})")
_CANDIDATE = re.compile(r"netwright://candidates/([A-Za-z0-9-]{8,80})")
_CODE = re.compile(r"netwright://candidates/([A-Za-z0-9-]{8,80})/source")
_CAMPAIGN = re.compile(r"netwright://campaigns/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_REPORT = re.compile(r"netwright://campaigns/([A-Za-z0-9][A-Za-z0-9._-]{0,63})/report")


class Best(BaseModel):
    """The best networks of a data set."""

    dataset: str
    networks: int
    best: list[dict[str, Any]]


def read(shared: Shared, uri: str) -> tuple[str, str]:
    """The text behind a URI, and its type.

    Raises:
        ToolError: there is nothing behind it.
    """
    if uri in ("netwright://records", "netwright://records/"):
        return _json(_summary(shared)), _JSON
    readers: tuple[tuple[re.Pattern[str], Callable[[Shared, str], tuple[str, str]]], ...] = (
        (_RECORDS, lambda s, key: (_best(s, key).model_dump_json(indent=1), _JSON)),
        (_CANDIDATE, lambda s, key: (candidate_details(s, key).model_dump_json(indent=1), _JSON)),
        (_CODE, lambda s, key: (s.candidate(key).source, "text/x-python")),
        (_CAMPAIGN, lambda s, key: (standing(s.records, key).model_dump_json(indent=1), _JSON)),
        (_REPORT, lambda s, key: (_report(s, key), _JSON)),
    )
    for pattern, reader in readers:
        if found := pattern.fullmatch(uri):
            return reader(shared, found[1])
    raise ToolError(f"there is no resource {uri[:200]}: list resources and templates to see which there are")


def _json(value: BaseModel) -> str:
    return value.model_dump_json(indent=1)


class _Summary(BaseModel):
    networks: int
    trained: int
    campaigns: list[str]


def _summary(shared: Shared) -> _Summary:
    campaigns = [one.id for one in shared.records.list_campaigns() if "campaign" in one.config]
    return _Summary(
        networks=len(shared.records.candidate_tasks()),
        trained=count_networks(shared.records, Filter(trained=True)),
        campaigns=campaigns[::-1][:_MOST_CAMPAIGNS],
    )


def _best(shared: Shared, dataset: str) -> Best:
    info_of(dataset)
    wanted = Filter(dataset=dataset, trained=True)
    rows = find_networks(shared.records, wanted, limit=_MOST_BEST)
    best = [recorded(row).model_dump(mode="json") for row in rows]
    return Best(dataset=dataset, networks=count_networks(shared.records, wanted), best=best)


def _report(shared: Shared, campaign: str) -> str:
    from ...tools.report import campaign_report

    standing(shared.records, campaign)
    return campaign_report(shared.records, campaign).model_dump_json(indent=1, exclude=_BULKY)


def _listed(shared: Shared) -> list[types.Resource]:
    about = {
        "netwright://records": ("Records", "How many networks are on record, and the newest campaigns."),
    }
    for one in _summary(shared).campaigns:
        about[f"netwright://campaigns/{one}/report"] = (f"Report of campaign {one}", "Its cycles, errors and best.")
    return [
        types.Resource(uri=AnyUrl(uri), name=name, description=text, mimeType=_JSON)
        for uri, (name, text) in about.items()
    ]


def _templates() -> list[types.ResourceTemplate]:
    about = (
        ("records/{dataset}", "Best networks of a data set", f"The {_MOST_BEST} best networks on record.", _JSON),
        ("candidates/{id}", "A network", "Source, parents, verdicts and trainings of a network by its id.", _JSON),
        ("candidates/{id}/source", "A network's source", "The Python file of a network.", "text/x-python"),
        ("campaigns/{id}", "A campaign's state", "How a campaign stands.", _JSON),
        ("campaigns/{id}/report", "A campaign's report", "Cycles, errors and best networks of a campaign.", _JSON),
    )
    return [
        types.ResourceTemplate(uriTemplate=f"netwright://{path}", name=name, description=text, mimeType=kind)
        for path, name, text, kind in about
    ]


def add_resources(server: Server[Any, Any], shared: Shared) -> None:
    """Serve the resources over what tools share."""
    few = anyio.CapacityLimiter(2)

    @server.list_resources()  # type: ignore[no-untyped-call,untyped-decorator]
    async def list_resources() -> list[types.Resource]:
        return await anyio.to_thread.run_sync(_listed, shared, limiter=few)

    @server.list_resource_templates()  # type: ignore[no-untyped-call,untyped-decorator]
    async def list_templates() -> list[types.ResourceTemplate]:
        return _templates()

    @server.read_resource()  # type: ignore[no-untyped-call,untyped-decorator]
    async def read_resource(uri: AnyUrl) -> Iterable[ReadResourceContents]:
        try:
            text, kind = await anyio.to_thread.run_sync(read, shared, unquote(str(uri)), limiter=few)
        except Exception as error:
            told = str(error) if isinstance(error, ToolError) else explain_error(error)
            raise McpError(types.ErrorData(code=NOT_FOUND, message=told)) from error
        return [ReadResourceContents(content=text, mime_type=kind)]
