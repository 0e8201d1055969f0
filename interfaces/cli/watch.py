"""``netwright campaign watch`` and ``campaign costs``: a campaign live in the terminal, and what its models cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...memory.records import Records
from .choosing import RunArgument, SetOption, find_campaign
from .console import JsonFlag, guarded, out, print_json

if TYPE_CHECKING:
    from ...tools.accounting import Costs
    from ..watching import Band, Look

_BLOCKS = "▁▂▃▄▅▆▇█"
_SHOWN = 8
"""Cycles in the table, the newest."""
_BAR = 24


@guarded
def watch(
    identifier: RunArgument = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line for each change.")] = False,
) -> None:
    """Watch a campaign that any process runs, until it ends. Ctrl-C ends the watching, not the campaign."""
    from ..watching import Watcher

    with Records() as records:
        watcher = Watcher(records, find_campaign(records, identifier, as_json).id)
        try:
            if as_json:
                _stream(watcher.look, once=once, interval=interval)
            elif once or not out.is_terminal:
                _lines(watcher.look, once=once, interval=interval)
            else:
                with Live(view(watcher.look()), console=out, auto_refresh=False) as live:
                    while not (look := watcher.look()).ended:
                        live.update(view(look), refresh=True)
                        time.sleep(interval)
                    live.update(view(look), refresh=True)
        except KeyboardInterrupt:
            return


@guarded
def costs(identifier: RunArgument = None, overrides: SetOption = None, as_json: JsonFlag = False) -> None:
    """Show the tokens of a campaign by agent and model, and what they cost where accounting.prices names a price."""
    from ...graphs.config import load_config
    from ...tools.report import campaign_costs

    with Records() as records:
        stored = find_campaign(records, identifier, as_json)
        settings = load_config(overrides=overrides or (), base=stored.config).accounting
        priced = stored.config | {"accounting": settings.model_dump(mode="json")}
        found = campaign_costs(records, stored.model_copy(update={"config": priced}))
    if as_json:
        print_json({"id": stored.id, **found.model_dump(mode="json")})
        return
    out.print(costs_table(stored.id, found))
    if found.unpriced and found.tokens:
        names = ", ".join(found.unpriced)
        example = "accounting.prices={NAME: {prompt: 0.5, completion: 1.5}}"
        out.print(f"no price for: {escape(names)}; name one by --set '{example}'", highlight=False, soft_wrap=True)


def _stream(look: Callable[[], Look], *, once: bool, interval: float) -> None:
    """A JSON line at the beginning and after each change."""
    before: Look | None = None
    while True:
        now = look()
        if now.changed(before):
            typer.echo(now.model_dump_json())
            before = now
        if once or now.ended:
            return
        time.sleep(interval)


def _lines(look: Callable[[], Look], *, once: bool, interval: float) -> None:
    """The view for what is no terminal: once, and again when a cycle or the state has changed."""
    before: tuple[str, int] | None = None
    while True:
        now = look()
        if (now.state, now.cycle) != before:
            out.print(view(now))
            before = (now.state, now.cycle)
        if once or now.ended:
            return
        time.sleep(interval)


def costs_table(campaign: str, found: Costs) -> Table:
    """One row for each agent and model, and the sums."""
    title = Text(f"tokens of campaign {campaign}")
    table = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True)
    total = "–" if found.cost is None else f"{found.cost:,.4f}"
    for name, footer in (("agent", "all"), ("model", "")):
        table.add_column(name, footer)
    for name, footer in (
        ("calls", f"{sum(line.calls for line in found.lines):,}"),
        ("prompt", f"{found.tokens_in:,}"),
        ("completion", f"{found.tokens_out:,}"),
        ("tokens", f"{found.tokens:,}"),
        (f"cost, {found.currency}", total),
    ):
        table.add_column(name, footer, justify="right")
    for line in found.lines:
        cost = "–" if line.cost is None else f"{line.cost:,.4f}"
        figures = (line.calls, line.tokens_in, line.tokens_out, line.tokens)
        model = Text(line.model or "unknown")
        table.add_row(line.agent or "unknown", model, *(f"{figure:,}" for figure in figures), cost)
    return table


def view(look: Look) -> Group:
    """Everything about a campaign on one screen."""
    parts: list[Text | Table] = [_heading(look), _cycles(look), _budgets(look)]
    if look.log:
        parts.append(Text("\n".join(look.log), style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def sparkline(values: list[float | None]) -> str:
    """A column of one to eight eighths for each value between the least and the largest; a blank for none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)

    def block(value: float | None) -> str:
        if value is None:
            return " "
        return _BLOCKS[round((value - low) / span * 7)] if span else _BLOCKS[3]

    return "".join(map(block, values))


def _heading(look: Look) -> Text:
    seen = "" if look.heartbeat_age_s is None or look.ended else f", seen {look.heartbeat_age_s:.0f} s ago"
    text = Text.assemble(("campaign ", ""), (look.id, "bold"), f": {look.state}{seen}")
    if look.reason:
        text.append(f" ({look.reason})")
    of = f" {look.done}/{look.total}" if look.total else ""
    text.append(f"\ncycle {look.cycle}: {look.stage}{of}")
    cost = "" if look.cost is None else f", {look.cost:,.4f} {look.currency}"
    text.append(f"   tokens {look.tokens:,}{cost}")
    means = sparkline([one.mean.value for one in look.cycles])
    return text.append(f"\nmean by cycle {means}") if means else text


def _cycles(look: Look) -> Table:
    table = Table("cycle", "valid, %", "mean, %", "above threshold, %", "trained", box=box.SIMPLE_HEAD)
    for one in look.cycles[-_SHOWN:]:
        table.add_row(str(one.cycle), *map(_band, (one.valid, one.mean, one.share)), str(one.mean.n))
    return table


def _budgets(look: Look) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in look.budgets:
        of = "no limit" if one.limit is None else f"of {one.limit:,g}"
        bar = "" if one.limit is None else ProgressBar(total=one.limit, completed=min(one.spent, one.limit), width=_BAR)
        table.add_row(one.name, f"{one.spent:,g}", of, bar)
    return table


def _band(band: Band) -> str:
    if band.value is None:
        return "–"
    if band.low is None or band.high is None:
        return f"{100 * band.value:.1f}"
    return f"{100 * band.value:.1f} ({100 * band.low:.0f}–{100 * band.high:.0f})"
