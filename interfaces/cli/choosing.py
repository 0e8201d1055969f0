"""Options that commands share, and which campaign is meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from ...memory.records import Records
from ...memory.rows import Campaign
from .console import fail

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override one field, e.g. --set campaign.tune=false."),
]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Another budget, e.g. --set budget.cycles=12."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file with any part of the configuration, or a name such as paper-7b."),
]
RunArgument = Annotated[str | None, typer.Argument(help="The campaign's id; default: the newest one.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No live progress.")]
ThresholdOption = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Metric from which a network counts; default: the campaigns' own."),
]
OvernightFlag = Annotated[
    bool,
    typer.Option(
        "--overnight",
        help="Supervised, quiet, ten hours where no budget.wall_s is set: trouble that passes is waited for.",
    ),
]
DownloadFlag = Annotated[bool, typer.Option("--download", help="Allow fetching the data set.")]


def check_id(identifier: str | None, resume: bool, as_json: bool) -> None:
    """End the command where a campaign cannot have this id."""
    if identifier is None and resume:
        fail("--resume needs the --id of a campaign", as_json=as_json, go_on="netwright campaign resume")
    if identifier is not None and not _ID.fullmatch(identifier):
        fail(
            f"'{identifier}' cannot be the id of a campaign: it names a folder, so use letters, digits, dots, dashes "
            "and underscores, 64 at most",
            as_json=as_json,
        )


def campaigns_proper(records: Records) -> list[Campaign]:
    """Campaigns proper: design requests keep their answers under an id of their own and are left out."""
    return [c for c in records.list_campaigns() if "campaign" in c.config]


def find_campaign(records: Records, identifier: str | None, as_json: bool) -> Campaign:
    """The campaign of an id, else the newest one; ends the command where there is none."""
    campaigns = campaigns_proper(records)
    if not campaigns:
        fail("no campaign yet: netwright campaign run", as_json=as_json)
    if identifier is None:
        return campaigns[-1]
    found = next((c for c in campaigns if c.id == identifier), None)
    if found is None:
        known = ", ".join(c.id for c in campaigns[-8:])
        fail(f"no campaign '{identifier}' in these records; known: {known}", as_json=as_json)
    return found
