"""``netwright campaign``: run, resume, look at and report campaigns."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ...memory.records import Records
from ...memory.rows import Campaign
from .console import JsonFlag, fail, guarded, out, print_json
from .driving import drive, fetch, resumed_settings, summary
from .papers import report_many
from .planning import print_plan

app = typer.Typer(no_args_is_help=True, help="Cycles of designing, training, admitting and tuning.")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

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
DownloadFlag = Annotated[bool, typer.Option("--download", help="Allow fetching the data set.")]


@app.command(
    epilog="Examples:  netwright campaign run  |  netwright campaign run --set budget.cycles=3 --set campaign.seed=1"
    "  |  netwright campaign run -c my.yaml --id night-1"
)
@guarded
def run(
    config: ConfigOption = None,
    overrides: SetOption = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Name of the campaign; default: data set and time.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the campaign of this --id if it exists; only its budget can change."),
    ] = False,
    download: DownloadFlag = False,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a new campaign to its end and print its table and the report's path."""
    from ...graphs.asked import register_campaign
    from ...graphs.config import load_config

    _check_id(identifier, resume, as_json)
    with Records() as records:
        known = {c.id: c for c in records.list_campaigns()}
        stored = known.get(identifier) if identifier else None
        if stored is not None and not resume:
            fail(f"campaign {stored.id} exists", as_json=as_json, go_on=f"netwright campaign resume {stored.id}")
        settings = resumed_settings(stored, config, overrides) if stored else load_config(config, overrides or ())
        name = identifier or f"{settings.campaign.dataset}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        if download:
            fetch(settings.campaign.dataset)
        if stored is None:
            register_campaign(settings, name, records)
        drive(name, records, settings, quiet=quiet, as_json=as_json)


@app.command(
    epilog="Examples:  netwright campaign plan -c paper-7b  |  netwright campaign plan --set campaign.seed=3 --json"
)
@guarded
def plan(config: ConfigOption = None, overrides: SetOption = None, as_json: JsonFlag = False) -> None:
    """Say what a campaign would do, how much memory its model takes and what is missing here; runs nothing."""
    from ...graphs.config import load_config
    from ...graphs.plan import plan_campaign

    asked = " -c " + shlex.quote(str(config)) if config else ""
    asked += "".join(f" --set {shlex.quote(item)}" for item in overrides or ())
    found = plan_campaign(load_config(config, overrides or ()), asked=asked)
    print_json(found.model_dump(mode="json")) if as_json else print_plan(found)


@app.command(epilog="Examples:  netwright campaign resume  |  netwright campaign resume night-1 --set budget.cycles=12")
@guarded
def resume(
    identifier: RunArgument = None,
    overrides: BudgetOption = None,
    download: DownloadFlag = False,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a campaign that was stopped, killed, or ended by its budget."""
    with Records() as records:
        stored = _find(records, identifier, as_json)
        settings = resumed_settings(stored, overrides=overrides)
        if download:
            fetch(settings.campaign.dataset)
        drive(stored.id, records, settings, quiet=quiet, as_json=as_json)


@app.command(epilog="Examples:  netwright campaign status  |  netwright campaign status night-1 --json")
@guarded
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
            print_json([summary(c, records) for c in campaigns])
            return
        table = Table("campaign", "state", "cycles", "candidates", "tokens", "running time", "why it ended")
        table.columns[-1].overflow = "fold"
        for stored in campaigns:
            row = summary(stored, records)
            keys = ("id", "state", "cycles", "candidates", "tokens")
            table.add_row(*(str(row[k]) for k in keys), f"{stored.wall_s:.0f} s", escape(stored.stop_reason or ""))
        out.print(table if campaigns else "no campaign yet: netwright campaign run")


@app.command(
    epilog="Examples:  netwright campaign report  |  netwright campaign report night-1 --to ./night-1"
    "  |  netwright campaign report night-1 --paper"
)
@guarded
def report(
    identifiers: Annotated[
        list[str] | None, typer.Argument(help="The campaign's id, with --paper several; default: the newest one.")
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Tables 2 to 7 and figures 2 and 3 of From Memorization to Creativity.")
    ] = False,
    threshold: ThresholdOption = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for the files.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write report.json and report.html anew and print the table; or draw the paper's tables and figures."""
    from ...graphs.runner import report_campaign
    from ...tools.report import campaign_report, report_table

    with Records() as records:
        found = [_find(records, one, as_json) for one in identifiers or (None,)]
        if paper:
            report_many(records, [one.id for one in found], "paper", to, threshold, as_json)
            return
        if len(found) > 1:
            fail("several campaigns: give --paper, or use netwright campaign compare", as_json=as_json)
        if threshold is not None:
            fail("--threshold is for --paper: a report shows the campaign's own", as_json=as_json)
        stored = found[0]
        written = report_campaign(stored.id, records, to)
        if as_json:
            print_json({"id": stored.id, "json": written.report_json, "html": written.report_html})
            return
        out.print(report_table(campaign_report(records, stored.id)))
        files = f"report: {written.report_html}\n  data: {written.report_json}"
        out.print(escape(files), soft_wrap=True)


@app.command(
    epilog="Examples:  netwright campaign compare full-0 full-1 no-novelty-0 no-novelty-1"
    "  |  netwright campaign compare full-0 no-tune-0 --threshold 0.8 --to ./ablations"
)
@guarded
def compare(
    identifiers: Annotated[list[str], typer.Argument(help="Campaigns; those that differ in their seed are pooled.")],
    threshold: ThresholdOption = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for the files.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Set campaigns side by side, seeds pooled: means, last cycles, differences with intervals, curves."""
    with Records() as records:
        ids = [_find(records, one, as_json).id for one in identifiers]
        report_many(records, ids, "comparison", to, threshold, as_json)


def _check_id(identifier: str | None, resume: bool, as_json: bool) -> None:
    if identifier is None and resume:
        fail("--resume needs the --id of a campaign", as_json=as_json, go_on="netwright campaign resume")
    if identifier is not None and not _ID.fullmatch(identifier):
        fail(
            f"'{identifier}' cannot be the id of a campaign: it names a folder, so use letters, digits, dots, dashes "
            "and underscores, 64 at most",
            as_json=as_json,
        )


def _campaigns(records: Records) -> list[Campaign]:
    """Campaigns proper: design requests keep their answers under an id of their own and are left out."""
    return [c for c in records.list_campaigns() if "campaign" in c.config]


def _find(records: Records, identifier: str | None, as_json: bool) -> Campaign:
    campaigns = _campaigns(records)
    if not campaigns:
        fail("no campaign yet: netwright campaign run", as_json=as_json)
    if identifier is None:
        return campaigns[-1]
    found = next((c for c in campaigns if c.id == identifier), None)
    if found is None:
        known = ", ".join(c.id for c in campaigns[-8:])
        fail(f"no campaign '{identifier}' in these records; known: {known}", as_json=as_json)
    return found
