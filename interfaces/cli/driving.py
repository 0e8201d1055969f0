"""Driving a campaign from the terminal: its settings, signals and progress, and what to do next."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from ...memory.home import home_folder
from ...memory.records import Records
from ...memory.rows import Campaign
from .console import PACKAGE, going_on, graceful_stop, out, print_json

if TYPE_CHECKING:
    from ...graphs.config import Budget, Config
    from ...graphs.runner import CampaignResult

# A word of the reason that a spent budget leaves, by field of the budget.
_SPENT = {"cycles": "cycle", "candidates": "candidate", "wall_s": "wall", "tokens": "token", "disk_mb": "disk"}


def resumed_settings(stored: Campaign, path: Path | None = None, overrides: list[str] | None = None) -> Config:
    """The settings that a campaign began with, under another budget or supervision if one is named.

    Args:
        path: YAML file, and ``overrides`` of single fields: both may repeat what is stored.

    Raises:
        ConfigError: something that makes results would change, or the settings are invalid.
    """
    from ...graphs.config import ConfigError, load_config
    from ...memory.campaign_records import OPERATION

    before = load_config(base=stored.config)
    after = load_config(path, overrides or (), base=stored.config)
    changed = sorted(_differences(before.model_dump(mode="json"), after.model_dump(mode="json")))
    fixed = [name for name in changed if name.partition(".")[0] not in OPERATION]
    if fixed:
        raise ConfigError(
            f"only {', '.join(OPERATION)} of campaign {stored.id} can change, not {', '.join(fixed)}: its other "
            "settings make its results; for others start a new campaign under another --id"
        )
    return after


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the leaves at which two trees differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path


def fetch(dataset: str) -> None:
    """Download a data set unless it is on disk."""
    from ...tools.datasets import prepare

    prepare(dataset, download=True)


def drive(name: str, records: Records, settings: Config, *, quiet: bool, as_json: bool) -> None:
    """Run a registered campaign until it ends or is stopped, and print its table and what to do next."""
    with going_on(f"netwright campaign resume {name}"):
        result = _watched(name, records, settings, hidden=quiet or as_json)
    _print_end(result, records, settings, as_json)


def _watched(name: str, records: Records, settings: Config, *, hidden: bool) -> CampaignResult:
    from langgraph.runtime import RunControl

    from ...graphs.runner import run_campaign
    from .live import CampaignView

    control, closed = RunControl(), summary(records.get_campaign(name), records)["cycles"]
    view = CampaignView(settings, closed=closed, hidden=hidden)
    told = _told_on_stderr() if settings.supervision.enabled else nullcontext()
    with graceful_stop(control.request_drain), told, view:
        return run_campaign(name, records, settings, control=control, notify=view)


@contextmanager
def _told_on_stderr() -> Iterator[None]:
    """Say there what is waited for and when it goes on: where nobody watches, a service manager keeps it."""
    logger, handler = logging.getLogger(PACKAGE), logging.StreamHandler()
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _print_end(result: CampaignResult, records: Records, settings: Config, as_json: bool) -> None:
    from ...tools.report import campaign_report, report_table

    campaign = result.campaign
    figures = summary(campaign, records)
    following = next_command(campaign, figures, settings.budget)
    if as_json:
        files = {"json": result.report_json, "html": result.report_html, "morning": result.morning_html}
        print_json({**figures, "report": files, "next": following})
        return
    out.print(report_table(campaign_report(records, campaign.id)))
    out.print(f"{campaign.state}: {escape(campaign.stop_reason or '')}", soft_wrap=True)
    out.print(f"report: {escape(str(result.report_html))}\n  data: {escape(str(result.report_json))}", soft_wrap=True)
    if settings.supervision.enabled:
        out.print(f"morning report: {escape(str(result.morning_html))}", soft_wrap=True)
    if following:
        label = "go on with" if campaign.state == "stopped" else "more"
        out.print(f"{label}: [bold]{escape(following)}[/]", soft_wrap=True)


def next_command(campaign: Campaign, figures: dict[str, Any], budget: Budget) -> str | None:
    """The command that goes on with a campaign; ``None`` when it ended by its stopping rule.

    A campaign whose budget is spent needs more of it: as much again, and at least what it has spent already.
    """
    command, reason = f"netwright campaign resume {campaign.id}", campaign.stop_reason or ""
    if campaign.state == "stopped":
        return command
    if campaign.state != "complete" or not reason.startswith("budget:"):
        return None
    for field, word in _SPENT.items():
        limit = getattr(budget, field)
        if word in reason and limit is not None:
            return f"{command} --set budget.{field}={math.ceil(limit + max(limit, figures[field]))}"
    return None


def summary(stored: Campaign, records: Records) -> dict[str, Any]:
    """A campaign's state and what it spent, as plain data."""
    from ...graphs.sizes import campaign_sizes

    closed = [c for c in records.cycles(stored.id) if c.ended is not None]
    return {
        "id": stored.id,
        "state": stored.state,
        "stop_reason": stored.stop_reason,
        "cycles": len(closed),
        "candidates": stored.candidates,
        "tokens": stored.tokens,
        "wall_s": round(stored.wall_s, 1),
        "disk_mb": round(campaign_sizes(records, home_folder("campaigns", stored.id)).used, 1),
    }
