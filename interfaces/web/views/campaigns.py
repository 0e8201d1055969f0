"""Campaigns as the app shows them: a table, charts, what is spent, the end of their logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ....graphs.config import CONFIGS, Config, ConfigError, load_config
from ....memory.home import home
from ....memory.records import Records
from ....memory.rows import Campaign
from ....tools.report import CampaignReport
from ....tools.report.plots import BLUE, GREEN, ORANGE, figures
from ...campaign_process import CampaignState
from .fields import FieldError
from .figures import drawing, empty_figure, legend, on_white, titled

HEADERS: Final = ("campaign", "state", "alive", "cycles", "candidates", "last sign of life", "why")
DEFAULTS: Final = "defaults"
CHARTS: Final = ("Valid candidates", "Distribution", "At or above the threshold", "Novelty", "Budget")
_LIMITS: Final = ("cycles", "candidates", "wall_s", "tokens")
_TAIL_BYTES: Final = 16_384
_TAIL_LINES: Final = 60
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOGS: Final = ("campaign.log", "process.log")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Wish(NamedTuple):
    """What the form for a new campaign asks for; ``None`` and empty: as the preset or the pasted text has it."""

    preset: str = DEFAULTS
    pasted: str = ""
    dataset: str | None = None
    cycles: int | None = None
    candidates: int | None = None
    minutes: float | None = None


def rows(states: Sequence[CampaignState]) -> list[list[str]]:
    """Campaigns as rows under :data:`HEADERS`, the newest first."""
    return [
        [
            one.id,
            one.state,
            f"pid {one.pid}" if one.alive and one.pid else "yes" if one.alive else "no",
            str(one.cycles),
            f"{one.candidates:,}",
            "–" if one.heartbeat_age_s is None else f"{one.heartbeat_age_s:.0f} s ago",
            one.reason or "",
        ]
        for one in reversed(states)
    ]


def presets() -> list[str]:
    """Names of configurations to begin with."""
    return [DEFAULTS, *sorted(path.stem for path in CONFIGS.glob("*.yaml"))]


def settings(wish: Wish, base: Config) -> Config:
    """The configuration of a new campaign: the app's own or a named one, then the pasted text, then the fields.

    Raises:
        ConfigError: the text is no configuration, or it would run networks where the app may not.
    """
    overrides = [
        f"{path}={value}"
        for path, value in (
            ("campaign.dataset", wish.dataset),
            ("budget.cycles", wish.cycles),
            ("campaign.candidates", wish.candidates),
            ("budget.wall_s", None if wish.minutes is None else wish.minutes * 60),
        )
        if value is not None
    ]
    if wish.preset != DEFAULTS and wish.preset not in presets():
        raise ConfigError(f"no configuration is called {wish.preset!r}")
    start = base if wish.preset == DEFAULTS else load_config(Path(wish.preset))
    tree = _merged(start.model_dump(mode="json"), _pasted(wish.pasted))
    made = load_config(overrides=overrides, base=tree)
    if "process" in _order(made) and "process" not in _order(base):
        raise ConfigError("sandbox.backend: 'process' is no boundary, and the web app starts nothing in it")
    return made


def identifier(text: str | None) -> str | None:
    """The id that a campaign shall have; ``None`` where none is given.

    Raises:
        FieldError: it cannot be one.
    """
    name = (text or "").strip()
    if name and not _ID.fullmatch(name):
        raise FieldError("Id: letters, digits, dots, dashes and underscores, 64 at most")
    return name or None


def _order(config: Config) -> tuple[str, ...]:
    backend = config.sandbox.backend
    return (backend,) if isinstance(backend, str) else tuple(backend)


def _pasted(text: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text) if text.strip() else {}
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"the pasted text is no YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError("the pasted text must be a mapping, such as 'campaign: {dataset: digits}'")
    return tree


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two trees, the second one's values where both have one."""
    made = dict(below)
    for key, value in above.items():
        inner = made.get(key)
        made[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return made


def charts(report: CampaignReport, stored: Campaign) -> list[Figure]:
    """The figures of :data:`CHARTS`."""
    if not report.cycles:
        return [empty_figure(f"{name}: no cycle has begun") for name in CHARTS[:-1]] + [budget_figure(report, stored)]
    with drawing():
        drawn = {one.title.split(" of ")[0]: one for one in figures(report)}
    made = [titled(on_white(drawn[name].figure), name, drawn[name].note) for name in CHARTS[:3]]
    made.append(titled(novelty_figure(report), CHARTS[3], "networks by cycle, against all on record"))
    return [*made, titled(budget_figure(report, stored), CHARTS[4], "share of each limit that is spent")]


def novelty_figure(report: CampaignReport) -> Figure:
    """New and known networks by cycle."""
    cycles = report.cycles
    with drawing():
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.add_subplot()
        x, novel = [one.cycle for one in cycles], [one.novel for one in cycles]
        axes.bar(x, novel, 0.7, color=GREEN, label="new")
        axes.bar(x, [one.duplicates for one in cycles], 0.7, bottom=novel, color=ORANGE, label="known already")
        axes.plot(x, [one.admitted for one in cycles], color=BLUE, marker="o", markersize=4, label="admitted")
        axes.set_xlabel("cycle")
        axes.set_ylabel("networks")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        legend(axes)
        return figure


def budget_figure(report: CampaignReport, stored: Campaign) -> Figure:
    """What is spent of each limit of the budget."""
    spent = {
        "cycles": float(sum(one.state == "complete" for one in report.cycles)),
        "candidates": float(stored.candidates),
        "wall_s": stored.wall_s,
        "tokens": float(stored.tokens),
    }
    budget = stored.config.get("budget", {})
    limits = [(name, spent[name], budget[name]) for name in _LIMITS if budget.get(name)]
    if not limits:
        return empty_figure("no budget is set: it runs until it is stopped")
    with drawing():
        figure = Figure(figsize=(6.4, 0.6 + 0.55 * len(limits)), layout="constrained")
        axes = figure.add_subplot()
        names = [f"{'seconds' if name == 'wall_s' else name}" for name, _, _ in limits]
        shares = [min(1.0, used / limit) for _, used, limit in limits]
        bars = axes.barh(names, shares, 0.6, color=BLUE)
        axes.bar_label(bars, [f" {used:,.0f} of {limit:,.0f}" for _, used, limit in limits])
        axes.set_xlim(0, 1.3)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.invert_yaxis()
        return figure


def log_tail(campaign_id: str) -> str:
    """The last lines of a campaign's log and of its process's output."""
    parts = []
    for name in _LOGS:
        path = home() / "campaigns" / campaign_id / name
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
                text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
            lines = _ESCAPES.sub("", text).splitlines()[-_TAIL_LINES:]
            parts.append("\n".join([f"--- {name}", *lines]))
    return "\n".join(parts) or "no log yet"


def signature(records: Records, state: CampaignState) -> str:
    """Equal as long as a campaign's charts would be."""
    stored = records.get_campaign(state.id)
    return f"{state.id} {state.state} {state.cycles} {stored.candidates} {stored.tokens} {stored.wall_s:.0f}"
