"""How campaigns stand, and what they take on disk, as tables and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from ...memory.home import home_folder
from ...memory.records import Records
from ...memory.rows import Campaign
from .console import out, print_json


def state_of(stored: Campaign, records: Records) -> dict[str, Any]:
    """Whether a campaign is alive, and what it waits for, as plain data."""
    from ...graphs.standing import heartbeat
    from ..campaign_process import campaign_state

    state = campaign_state(records, stored)
    sign = heartbeat(home_folder("campaigns", stored.id))
    waiting = sign.waiting if state.state == "waiting" and sign else None
    return asdict(state) | {"waiting": waiting.model_dump(mode="json") if waiting else None}


def print_states(campaigns: Sequence[Campaign], records: Records) -> None:
    """One row for each campaign: its state, its process and last sign of life, what it spent; then the reasons."""
    from ...tools.report.text import duration
    from ..campaign_process import campaign_state

    table = Table("campaign", "state", "cycles", "candidates", "tokens", "running time")
    reasons = []
    for stored in campaigns:
        state = campaign_state(records, stored)
        sign = f"\nseen {duration(state.heartbeat_age_s)} ago" if state.heartbeat_age_s is not None else ""
        process = f"\nprocess {state.pid}" if state.alive else ""
        shown = state.state + process + (sign if state.alive or state.state == "stale" else "")
        why = state.reason or ""
        if state.state == "stale":
            why = f"its process is gone: netwright campaign resume {stored.id}"
        figures = (state.cycles, stored.candidates, stored.tokens)
        table.add_row(stored.id, shown, *map(str, figures), duration(stored.wall_s))
        reasons += [f"{stored.id}: {why}"] if why else []
    out.print(table)
    for line in reasons:
        out.print(escape(line), soft_wrap=True, highlight=False)


def print_sizes(campaigns: Sequence[Campaign], records: Records, as_json: bool) -> None:
    """MiB on disk of each campaign, by part."""
    from ...graphs.sizes import campaign_sizes

    held = {one.id: campaign_sizes(records, home_folder("campaigns", one.id)) for one in campaigns}
    if as_json:
        print_json({key: {**sizes.model_dump(), "used": round(sizes.used, 3)} for key, sizes in held.items()})
        return
    names = ("grown", "checkpoints", "adapters", "logs", "other", "used")
    table = Table("campaign", *names, caption="MiB; grown: the records since it began, all campaigns together")
    for column in table.columns[1:]:
        column.justify = "right"
    for key, sizes in held.items():
        table.add_row(key, *(f"{getattr(sizes, name):.2f}" for name in names))
    out.print(table)
    if held:
        out.print(f"records: {next(iter(held.values())).records:.2f} MiB")
