"""Tools about campaigns: start, watch, stop and list them. Each campaign is a process that outlives this one."""

from __future__ import annotations

import time
from typing import Any, Final

from pydantic import Field

from ...memory.records import Records
from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import shared_of
from .words import Dataset, MaxParams, MinParams, Seed, shortened

_LOOK_S: Final = 0.5
_MOST: Final = 100
_BEST: Final = 10

CampaignId = Field(
    pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Id of the campaign; list_campaigns tells them."
)


class StartCampaignArguments(Arguments):
    """Arguments of ``start_campaign``."""

    id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Name of the new campaign; null: data set and time.",
    )
    dataset: Dataset = "digits"
    cycles: int = Field(default=6, ge=1, le=1000, description="Cycles after which it ends.")
    candidates: int = Field(default=64, ge=1, le=10_000, description="Networks written in each cycle.")
    wall_minutes: float | None = Field(
        default=None, gt=0, le=525_600, description="Most minutes of running, a year at most; null: no limit."
    )
    most_candidates: int | None = Field(default=None, ge=1, description="Most networks in all; null: no limit.")
    min_params: MinParams = None
    max_params: MaxParams = None
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="Metric from which a network is admitted; null: the data set's."
    )
    tune: bool = Field(default=True, description="Tune the language model on what was admitted after each cycle.")
    train_limit: int | None = Field(default=None, ge=1, description="Training images of each network; null: all.")
    seed: Seed = 0


class CampaignStanding(Result):
    """How a campaign stands."""

    id: str
    state: str = Field(description="starting, running, waiting, stopping, stopped, paused, complete, failed or stale.")
    alive: bool = Field(description="A process works on it now.")
    cycles: int = Field(description="Cycles that are complete.")
    candidates: int = Field(description="Networks written so far.")
    heartbeat_age_s: float | None = Field(description="Seconds since its process gave a sign of life.")
    reason: str | None = Field(description="Why it ended, stopped or waits.")


@TOOLS.tool(title="Start a campaign", writes=True)
def start_campaign(arguments: StartCampaignArguments, context: Context) -> CampaignStanding:
    """Start a campaign: cycles of designing, training, admitting and tuning, in a process of its own, for hours.

    Answers as soon as it runs. watch_campaign tells how far it is, stop_campaign ends it; everything it does is on
    record and it can be gone on with. For one network for one request, use design instead.
    """
    from ...graphs.config import load_config
    from ..campaign_process import start_campaign as start

    config = load_config(overrides=[*shared_of(context).settings, *_settings(arguments)])
    return standing(shared_of(context).records, start(config, arguments.id))


def _settings(arguments: StartCampaignArguments) -> list[str]:
    minutes = arguments.wall_minutes
    given: dict[str, Any] = {
        "campaign.dataset": arguments.dataset,
        "campaign.candidates": arguments.candidates,
        "campaign.min_params": arguments.min_params,
        "campaign.max_params": arguments.max_params,
        "campaign.threshold": arguments.threshold,
        "campaign.tune": str(arguments.tune).lower(),
        "campaign.seed": arguments.seed,
        "protocol.train_limit": arguments.train_limit,
        "budget.cycles": arguments.cycles,
        "budget.candidates": arguments.most_candidates,
        "budget.wall_s": None if minutes is None else 60 * minutes,
    }
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def standing(records: Records, campaign_id: str) -> CampaignStanding:
    """How a campaign stands now.

    Raises:
        ToolError: there is no such campaign.
    """
    from ..campaign_process import campaign_state

    stored = next((one for one in records.list_campaigns() if one.id == campaign_id), None)
    if stored is None or "campaign" not in stored.config:
        raise ToolError(f"no campaign {campaign_id} on record: list_campaigns tells which there are")
    return _standing(campaign_state(records, stored))


def _standing(state: Any) -> CampaignStanding:
    reason = shortened(state.reason) if state.reason else None
    names = ("id", "state", "alive", "cycles", "candidates", "heartbeat_age_s")
    return CampaignStanding(reason=reason, **{name: getattr(state, name) for name in names})


class ListCampaignsArguments(Arguments):
    """Arguments of ``list_campaigns``."""

    limit: int = Field(default=20, ge=1, le=_MOST, description="How many, the newest first.")


class ListedCampaigns(Result):
    """Campaigns."""

    campaigns: tuple[CampaignStanding, ...]


@TOOLS.tool(title="List campaigns")
def list_campaigns(arguments: ListCampaignsArguments, context: Context) -> ListedCampaigns:
    """List the campaigns on record, the newest first, with their state and how much they have done."""
    from ..campaign_process import campaign_states

    states = campaign_states(shared_of(context).records)[::-1][: arguments.limit]
    return ListedCampaigns(campaigns=tuple(map(_standing, states)))


class WatchCampaignArguments(Arguments):
    """Arguments of ``watch_campaign``."""

    id: str = CampaignId
    wait_s: float = Field(
        default=0,
        ge=0,
        le=30,
        description="Wait at most so many seconds for something new; 0: answer at once.",
    )


class WatchedCycle(Result):
    """One cycle in numbers."""

    cycle: int
    generated: int
    valid_rate: float | None = Field(description="Share that was valid after repair.")
    trained: int
    mean: float | None = Field(description="Mean metric of the trained networks.")
    best: float | None
    above_threshold: int
    novel: int
    admitted: int


class WatchedNetwork(Result):
    """One of the best networks."""

    candidate_id: str
    metric: float
    params: int | None
    cycle: int


class WatchedCampaign(Result):
    """A campaign in numbers."""

    standing: CampaignStanding
    cycles: tuple[WatchedCycle, ...] = Field(description=f"The newest {_MOST}.")
    best: tuple[WatchedNetwork, ...] = Field(description=f"The best {_BEST} networks.")


@TOOLS.tool(title="Watch a campaign", waits=True)
def watch_campaign(arguments: WatchCampaignArguments, context: Context) -> WatchedCampaign:
    """Tell how a campaign is doing: state, cycles with valid rate, accuracy and novelty, and the best networks so far.

    With wait_s it waits for the next change, so that a watcher need not ask all the time.
    """
    records, until = shared_of(context).records, time.monotonic() + arguments.wait_s
    before = now = standing(records, arguments.id)
    while time.monotonic() < until and _signs(now) == _signs(before) and now.alive:
        if context.cancelled.wait(_LOOK_S):
            context.check()
        now = standing(records, arguments.id)
    return _watched(records, now)


def _signs(one: CampaignStanding) -> tuple[object, ...]:
    return one.state, one.cycles, one.candidates


def _watched(records: Records, now: CampaignStanding) -> WatchedCampaign:
    from ...tools.report import campaign_report

    report = campaign_report(records, now.id)
    cycles = tuple(
        WatchedCycle(
            cycle=one.cycle,
            generated=one.generated,
            valid_rate=one.valid.repair.rate,
            trained=one.trained,
            mean=one.accuracy.mean,
            best=one.accuracy.best,
            above_threshold=one.above_threshold.count,
            novel=one.novel,
            admitted=one.admitted,
        )
        for one in report.cycles[-_MOST:]
    )
    best = tuple(
        WatchedNetwork(candidate_id=one.id, metric=one.metric, params=one.params, cycle=one.cycle)
        for one in report.best[:_BEST]
    )
    return WatchedCampaign(standing=now, cycles=cycles, best=best)


class StopCampaignArguments(Arguments):
    """Arguments of ``stop_campaign``."""

    id: str = CampaignId
    reason: str = Field(
        default="stopped by a tool", min_length=1, max_length=200, description="What its status shall say."
    )


@TOOLS.tool(title="Stop a campaign", writes=True)
def stop_campaign(arguments: StopCampaignArguments, context: Context) -> CampaignStanding:
    """Ask a campaign to stop at its next safe point, which is when what it trains now has ended; answers at once.

    Nothing that is on record is lost, and the campaign can be gone on with. watch_campaign tells when it has stopped.
    """
    from ..campaign_process import stop_campaign as stop

    records = shared_of(context).records
    standing(records, arguments.id)
    stop(arguments.id, arguments.reason)
    return standing(records, arguments.id)
