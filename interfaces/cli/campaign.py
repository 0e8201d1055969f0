"""``netwright campaign``: run, resume, look at and report campaigns."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ...memory.records import Records
from .choosing import (
    BudgetOption,
    ConfigOption,
    DownloadFlag,
    OvernightFlag,
    QuietFlag,
    RunArgument,
    SetOption,
    ThresholdOption,
    campaigns_proper,
    check_id,
    find_campaign,
)
from .console import JsonFlag, fail, guarded, out, print_json
from .driving import drive, fetch, resumed_settings, summary
from .nights import print_sizes, print_states, state_of
from .papers import report_many
from .planning import print_plan

app = typer.Typer(no_args_is_help=True, help="Cycles of designing, training, admitting and tuning.")


@app.command(
    epilog="Examples:  netwright campaign run  |  netwright campaign run --set budget.cycles=3 --set campaign.seed=1"
    "  |  netwright campaign run -c my.yaml --id night-1 --overnight"
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
    overnight: OvernightFlag = False,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a new campaign to its end and print its table and the report's path."""
    from ...graphs.asked import register_campaign
    from ...graphs.config import load_config
    from ...graphs.overnight import for_the_night

    check_id(identifier, resume, as_json)
    with Records() as records:
        known = {c.id: c for c in records.list_campaigns()}
        stored = known.get(identifier) if identifier else None
        if stored is not None and not resume:
            fail(f"campaign {stored.id} exists", as_json=as_json, go_on=f"netwright campaign resume {stored.id}")
        settings = resumed_settings(stored, config, overrides) if stored else load_config(config, overrides or ())
        if overnight:
            settings = for_the_night(settings, spent_s=stored.wall_s if stored else 0.0, resumed=stored is not None)
        name = identifier or f"{settings.campaign.dataset}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        if download:
            fetch(settings.campaign.dataset)
        if stored is None:
            register_campaign(settings, name, records)
        drive(name, records, settings, quiet=quiet or overnight, as_json=as_json)


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
    overnight: OvernightFlag = False,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a campaign that was stopped, killed, or ended by its budget."""
    with Records() as records:
        stored = find_campaign(records, identifier, as_json)
        settings = resumed_settings(stored, overrides=overrides)
        if overnight:
            from ...graphs.overnight import for_the_night

            settings = for_the_night(settings, spent_s=stored.wall_s, resumed=True, another=True)
        if download:
            fetch(settings.campaign.dataset)
        drive(stored.id, records, settings, quiet=quiet or overnight, as_json=as_json)


@app.command(
    epilog="Examples:  netwright campaign stop  |  netwright campaign stop night-1 --reason 'needs the machine'"
)
@guarded
def stop(
    identifier: RunArgument = None,
    reason: Annotated[str, typer.Option("--reason", help="What its status shall say.")] = "stopped",
    as_json: JsonFlag = False,
) -> None:
    """Ask a campaign that another process runs to stop at its next safe point."""
    _ask_to_stop(identifier, reason, as_json)


@app.command(epilog="Examples:  netwright campaign pause  |  netwright campaign pause night-1")
@guarded
def pause(identifier: RunArgument = None, as_json: JsonFlag = False) -> None:
    """Stop a campaign with the intention to go on: its status says paused."""
    _ask_to_stop(identifier, "paused", as_json)


def _ask_to_stop(identifier: str | None, reason: str, as_json: bool) -> None:
    from ..campaign_process import stop_campaign

    with Records() as records:
        stored = find_campaign(records, identifier, as_json)
    was_there = stop_campaign(stored.id, reason)
    following = f"netwright campaign resume {stored.id}"
    if as_json:
        print_json({"id": stored.id, "asked": was_there, "next": following})
        return
    told = "stops at its next safe point" if was_there else "is run by no process"
    out.print(f"{escape(stored.id)} {told}; go on with: [bold]{escape(following)}[/]", soft_wrap=True)


@app.command(
    epilog="Examples:  netwright campaign status  |  netwright campaign status night-1 --json"
    "  |  netwright campaign status night-1 --sizes"
)
@guarded
def status(
    identifier: RunArgument = None,
    sizes: Annotated[bool, typer.Option("--sizes", help="Show what each campaign takes on disk.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the campaigns and whether they are alive, or show the cycles of one."""
    from ...tools.report import campaign_report, report_table

    with Records() as records:
        if sizes:
            chosen = [find_campaign(records, identifier, as_json)] if identifier else campaigns_proper(records)
            print_sizes(chosen, records, as_json)
            return
        if identifier is not None:
            stored = find_campaign(records, identifier, as_json)
            report = campaign_report(records, stored.id)
            if as_json:
                print_json(report.model_dump(mode="json") | {"process": state_of(stored, records)})
                return
            out.print(report_table(report))
            print_states([stored], records)
            return
        campaigns = campaigns_proper(records)
        if as_json:
            print_json([summary(c, records) | {"process": state_of(c, records)} for c in campaigns])
            return
        if campaigns:
            print_states(campaigns, records)
        else:
            out.print("no campaign yet: netwright campaign run")


@app.command(
    epilog="Examples:  netwright campaign report  |  netwright campaign report night-1 --to ./night-1"
    "  |  netwright campaign report night-1 --paper  |  netwright campaign report night-1 --morning"
)
@guarded
def report(
    identifiers: Annotated[
        list[str] | None, typer.Argument(help="The campaign's id, with --paper several; default: the newest one.")
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Tables 2 to 7 and figures 2 and 3 of From Memorization to Creativity.")
    ] = False,
    morning: Annotated[
        bool, typer.Option("--morning", help="Print what was found, what failed and why, and what to try next.")
    ] = False,
    threshold: ThresholdOption = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for the files.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write report.json and report.html anew and print the table; or draw the paper's tables and figures."""
    from ...graphs.runner import report_campaign
    from ...tools.report import campaign_report, report_table

    with Records() as records:
        found = [find_campaign(records, one, as_json) for one in identifiers or (None,)]
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
            files = {"html": written.report_html, "morning": written.morning_html, "markdown": written.morning_md}
            print_json({"id": stored.id, "json": written.report_json, **files})
            return
        if morning:
            from rich.markdown import Markdown

            out.print(Markdown(written.morning_md.read_text(encoding="utf-8")))
            out.print(f"morning report: {escape(str(written.morning_html))}", soft_wrap=True)
            return
        out.print(report_table(campaign_report(records, stored.id)))
        out.print(escape(f"report: {written.report_html}\n  data: {written.report_json}"), soft_wrap=True)


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
        ids = [find_campaign(records, one, as_json).id for one in identifiers]
        report_many(records, ids, "comparison", to, threshold, as_json)
