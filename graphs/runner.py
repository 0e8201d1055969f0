"""Running a campaign: attempts at it, waits between them where it is supervised, how it ended, and its reports."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from langgraph.runtime import RunControl

from ..memory.campaign_records import OPERATION
from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Campaign
from ..tools.logs import log_context
from ..tools.report import campaign_report, write_report
from .attempt import attempt
from .config import Config
from .journal import Happening, happenings, note
from .locking import CampaignBusy, one_process
from .logs import campaign_log
from .morning import write_morning
from .notifying import News, tell_webhook
from .recovery import recover_trials
from .retention import distrust_checkpoints
from .services import SPENT, Event, no_events
from .sizes import mark_beginning
from .standing import asked, beat, heartbeat
from .supervision import AttemptControl, CampaignGaveUp, Supervisor
from .tracking import Follower
from .troubles import Trouble, trouble_of

__all__ = ["CampaignBusy", "CampaignGaveUp", "CampaignResult", "report_campaign", "run_campaign"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CampaignResult:
    """How a run of a campaign ended and where its reports are."""

    campaign: Campaign
    report_json: Path
    report_html: Path
    morning_html: Path
    morning_md: Path

    @property
    def finished(self) -> bool:
        return self.campaign.state == "complete"


def run_campaign(
    run: str,
    records: Records,
    config: Config,
    *,
    control: RunControl | None = None,
    notify: Callable[[Event], None] = no_events,
) -> CampaignResult:
    """Drive a registered campaign until it ends, a budget is spent or ``control`` asks to stop.

    Safe to call again after any end, ``kill -9`` included: what the records hold is not done again. A spent
    budget ends a campaign (``complete``), within a cycle too; with a larger one it goes on where it was. With
    ``supervision.enabled`` trouble that passes (:mod:`.troubles`) is waited for.

    Args:
        config: the campaign's own; its budget may be a new one, which is then the recorded one.
        control: ask it to drain (from a signal handler, say) to stop at the next safe point.

    Raises:
        CampaignBusy: another process runs it.
        CampaignGaveUp: trouble did not pass.
    """
    control = control or RunControl()
    folder = home_folder("campaigns", run)
    with ExitStack() as stack:
        stack.enter_context(one_process(folder, run))
        stack.enter_context(log_context(campaign=run))
        stack.enter_context(campaign_log(folder, config.retention))
        follower = Follower(run, records, config)
        try:
            reason = _supervised(run, records, config, folder, control, notify, follower)
        except KeyboardInterrupt:
            _end(run, records, config, folder, "stopped", "interrupted at once")
            raise
        except BaseException as error:
            _failed(run, records, config, folder, error)
            follower.finish()
            raise
        state = "complete"
        if reason is None:  # drained: by a person, or by a budget
            reason = asked(folder, os.getpid()) or control.drain_reason or "stopped"
            state = "complete" if reason.startswith(SPENT) else "stopped"
        _end(run, records, config, folder, state, reason)
        result = report_campaign(run, records)
        follower.finish()
    return result


def report_campaign(run: str, records: Records, folder: Path | None = None) -> CampaignResult:
    """Write a campaign's reports as the records now are: ``report`` and ``morning``, for people and programs."""
    target = folder or home_folder("campaigns", run)
    report = campaign_report(records, run)
    report_json, report_html = write_report(report, target)
    morning_html, morning_md = write_morning(report, records, home_folder("campaigns", run), target)
    return CampaignResult(records.get_campaign(run), report_json, report_html, morning_html, morning_md)


def _supervised(
    run: str,
    records: Records,
    config: Config,
    folder: Path,
    control: RunControl,
    notify: Callable[[Event], None],
    follower: Follower,
) -> str | None:
    """Attempts until one comes to an end; its reason, ``None`` where it was drained."""

    def tell(trouble: Trouble) -> None:
        _tell(run, records, config, "waiting", trouble=trouble.kind)

    supervisor = Supervisor(run, records, folder, config.supervision, seed=config.campaign.seed, tell=tell)
    _note_beginning(run, folder)
    while True:
        inner = AttemptControl(control)
        try:
            _prepare(run, records, config, folder, supervisor)
            reason = attempt(run, records, config, folder, inner, notify, supervisor.went_on, follower)
        except Exception as error:
            if not supervisor.wait(error, control, left_s=_left_s(run, records, config, supervisor)):
                raise
            if control.drain_requested:
                _pay_waiting(run, records, supervisor)
                return None
            left_s = _left_s(run, records, config, supervisor)
            if left_s is not None and left_s <= 0:
                _pay_waiting(run, records, supervisor)
                return f"{SPENT}{config.budget.wall_s:g} seconds of wall time, the last of them waiting: {error}"[:1000]
            continue
        if reason is None and inner.drain_reason and inner.drain_reason.startswith(SPENT):
            return inner.drain_reason
        return reason


def _prepare(run: str, records: Records, config: Config, folder: Path, supervisor: Supervisor) -> None:
    """What each attempt puts on record before it works."""
    mark_beginning(records, folder)
    records.set_operation(run, {name: getattr(config, name).model_dump(mode="json") for name in OPERATION})
    records.update_campaign(run, state="running", stop_reason=None)
    _pay_waiting(run, records, supervisor)
    beat(folder)
    recover_trials(records, run)


def _pay_waiting(run: str, records: Records, supervisor: Supervisor) -> None:
    """Put what was waited on the campaign's account: a night ends when it was to end."""
    if supervisor.unpaid_s:
        records.spend(run, key=f"wall/waited/{uuid4().hex[:8]}", wall_s=supervisor.unpaid_s)
        supervisor.unpaid_s = 0.0


def _note_beginning(run: str, folder: Path) -> None:
    """Write down that a process takes the campaign up, and that the one before did not say how it ended."""
    before, last = happenings(folder), heartbeat(folder)
    if before and before[-1].what not in ("ended", "stopped", "failed") and last is not None:
        how = "the machine went down" if last.elsewhere else "its process died without a word: killed, or out of memory"
        note(folder, Happening(what="killed", reason=how, seconds=round(last.age_s, 1)))
        _log.warning("the process before this one did not end properly: %s", how)
    if last is not None and last.elsewhere:
        # Of a proper end too: the checkpoint may have reached the disk before the records did.
        distrust_checkpoints(folder)
    note(folder, Happening(what="begun"))
    _log.info("campaign %s begun, process %d", run, os.getpid())


def _left_s(run: str, records: Records, config: Config, supervisor: Supervisor) -> float | None:
    """Seconds of wall time that the budget has left; ``None``: no limit, or the records cannot be asked."""
    if config.budget.wall_s is None:
        return None
    try:
        return config.budget.wall_s - records.get_campaign(run).wall_s - supervisor.unpaid_s
    except Exception as error:
        if trouble_of(error) is None:
            raise
        return None


def _end(run: str, records: Records, config: Config, folder: Path, state: str, reason: str) -> None:
    records.update_campaign(run, state=state, stop_reason=reason)
    note(folder, Happening(what="ended" if state == "complete" else "stopped", reason=reason))
    _log.info("campaign %s %s: %s", run, state, reason)
    _tell(run, records, config, "end")


def _failed(run: str, records: Records, config: Config, folder: Path, error: BaseException) -> None:
    """Put down why a campaign failed, wherever that can still be written, and report what there is."""
    reason = f"{type(error).__name__}: {error}"[:1000]
    _log.error("campaign %s failed: %s", run, reason)
    note(folder, Happening(what="failed", reason=reason))
    try:
        records.update_campaign(run, state="failed", stop_reason=reason)
        _tell(run, records, config, "failed")
        report_campaign(run, records)
    except Exception as second:
        # The error that the caller is about to see is the one that counts; with a full disk this is one more of it.
        _log.error("its end could not be written down: %s", second)


def _tell(run: str, records: Records, config: Config, news: News, **more: Any) -> None:
    """Tell the webhook, if there is one, how a campaign stands."""
    if not (config.notify.webhook or config.notify.webhook_env):
        return
    try:
        stored = records.get_campaign(run)
        scores = [one.metric for one in records.admissions(run) if one.metric is not None]
        known = stored.model_dump(mode="json", include={"state", "candidates", "tokens", "wall_s"})
        known["best"] = max(scores, default=None)
    except Exception as error:
        if trouble_of(error) is None:
            raise
        known = {}  # the records are what is in trouble
    tell_webhook(config.notify, news, {"campaign": run, **known, **more})
