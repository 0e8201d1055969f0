"""``netwright campaign``: run, resume, look at and report campaigns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ...memory.records import Records, RecordsError
from ...memory.rows import Campaign
from .console import JsonFlag, fail, graceful_stop, out, print_json

if TYPE_CHECKING:
    from ...graphs.config import Config

app = typer.Typer(no_args_is_help=True, help="Cycles of designing, training, admitting and tuning.")

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override one field, e.g. --set campaign.tune=false."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file with any part of the configuration.")
]
RunArgument = Annotated[str | None, typer.Argument(help="The campaign's id; default: the newest one.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No live progress.")]


@app.command(
    epilog="Examples:  netwright campaign run  |  netwright campaign run --set budget.cycles=3 --set campaign.seed=1"
    "  |  netwright campaign run -c my.yaml --id night-1"
)
def run(
    config: ConfigOption = None,
    overrides: SetOption = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Name of the campaign; default: data set and time.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the campaign of this --id if it exists.")
    ] = False,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a new campaign to its end and print its table and the report's path."""
    from ...graphs.config import ConfigError, load_config
    from ...graphs.opening import register_campaign

    try:
        settings = load_config(config, overrides or ())
    except ConfigError as error:
        fail(str(error), as_json=as_json)
    name = identifier or f"{settings.campaign.dataset}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with Records() as records:
        if not resume and any(c.id == name for c in records.list_campaigns()):
            fail(f"campaign {name} exists; go on with it: netwright campaign resume {name}", as_json=as_json)
        try:
            register_campaign(settings, name, records)
        except (ValueError, RuntimeError) as error:
            fail(str(error), as_json=as_json)
        _drive(name, records, settings, quiet, as_json)


@app.command(epilog="Examples:  netwright campaign resume  |  netwright campaign resume night-1 --set budget.cycles=12")
def resume(
    identifier: RunArgument = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Another budget, e.g. --set budget.cycles=12."),
    ] = None,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a campaign that was stopped, killed, or ended by its budget."""
    from ...graphs.config import ConfigError, load_config

    bad = [o for o in overrides or () if not o.strip().startswith("budget.")]
    if bad:
        fail(
            f"only the budget of a campaign can change, not {', '.join(bad)}: its other settings make its results",
            as_json=as_json,
        )
    with Records() as records:
        stored = _find(records, identifier, as_json)
        try:
            settings = load_config(overrides=overrides or (), base=stored.config)
        except ConfigError as error:
            fail(str(error), as_json=as_json)
        _drive(stored.id, records, settings, quiet, as_json)


@app.command(epilog="Examples:  netwright campaign status  |  netwright campaign status night-1 --json")
def status(identifier: RunArgument = None, as_json: JsonFlag = False) -> None:
    """List the campaigns, or show the cycles of one."""
    from ...tools.report import campaign_report, report_table

    with Records() as records:
        if identifier is not None:
            report = campaign_report(records, _find(records, identifier, as_json).id)
            print_json(report.model_dump(mode="json")) if as_json else out.print(report_table(report))
            return
        campaigns = _campaigns(records)
        if as_json:
            print_json([_summary(c, records) for c in campaigns])
            return
        table = Table("campaign", "state", "cycles", "candidates", "tokens", "running time", "why it ended")
        for stored in campaigns:
            row = _summary(stored, records)
            keys = ("id", "state", "cycles", "candidates", "tokens")
            table.add_row(*(str(row[k]) for k in keys), f"{stored.wall_s:.0f} s", stored.stop_reason or "")
        out.print(table if campaigns else "no campaign yet: netwright campaign run")


@app.command(epilog="Examples:  netwright campaign report  |  netwright campaign report night-1 --to ./night-1")
def report(
    identifier: RunArgument = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for report.json and report.html.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write report.json and report.html anew and print the table."""
    from ...graphs.runner import report_campaign
    from ...tools.report import campaign_report, report_table

    with Records() as records:
        stored = _find(records, identifier, as_json)
        written = report_campaign(stored.id, records, to)
        if as_json:
            print_json({"id": stored.id, "json": written.report_json, "html": written.report_html})
            return
        out.print(report_table(campaign_report(records, stored.id)))
        out.print(f"report: {written.report_html}\n  data: {written.report_json}", soft_wrap=True)


def _drive(name: str, records: Records, settings: Config, quiet: bool, as_json: bool) -> None:
    from langgraph.runtime import RunControl

    from ...graphs.runner import CampaignBusy, run_campaign
    from ...sandbox import SandboxUnavailable
    from ...tools.report import campaign_report, report_table
    from .live import CampaignView

    control = RunControl()
    try:
        with graceful_stop(control.request_drain), CampaignView(settings, hidden=quiet or as_json) as view:
            result = run_campaign(name, records, settings, control=control, notify=view)
    except (CampaignBusy, SandboxUnavailable, ValueError, FileNotFoundError, ImportError) as error:
        fail(str(error), as_json=as_json, code=1)
    if as_json:
        document = {
            **_summary(result.campaign, records),
            "report": {"json": result.report_json, "html": result.report_html},
        }
        print_json(document)
        return
    out.print(report_table(campaign_report(records, name)))
    out.print(f"{result.campaign.state}: {result.campaign.stop_reason}")
    out.print(f"report: {result.report_html}\n  data: {result.report_json}", soft_wrap=True)
    if result.campaign.state == "stopped":
        out.print(f"go on with: [bold]netwright campaign resume {name}[/]", soft_wrap=True)


def _campaigns(records: Records) -> list[Campaign]:
    """Campaigns proper: design requests keep their answers under an id of their own and are left out."""
    return [c for c in records.list_campaigns() if "campaign" in c.config]


def _find(records: Records, identifier: str | None, as_json: bool) -> Campaign:
    campaigns = _campaigns(records)
    if not campaigns:
        fail("no campaign yet: netwright campaign run", as_json=as_json)
    if identifier is None:
        return campaigns[-1]
    try:
        return records.get_campaign(identifier)
    except RecordsError as error:
        fail(f"{error}; known: {', '.join(c.id for c in campaigns[-8:])}", as_json=as_json)


def _summary(stored: Campaign, records: Records) -> dict[str, Any]:
    cycles = [c for c in records.cycles(stored.id) if c.ended is not None]
    return {
        "id": stored.id,
        "state": stored.state,
        "stop_reason": stored.stop_reason,
        "cycles": len(cycles),
        "candidates": stored.candidates,
        "tokens": stored.tokens,
        "wall_s": round(stored.wall_s, 1),
    }
