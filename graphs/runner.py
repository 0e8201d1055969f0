"""Running a campaign: opens what it works with, drives the graph, keeps its clock, leaves a report."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Campaign
from ..tools.report import campaign_report, write_report
from .campaign import CampaignState, campaign_graph
from .config import Config
from .locking import CampaignBusy, one_process
from .opening import open_services
from .services import SPENT, Event, Services, no_events
from .standing import asked, beat

__all__ = ["CampaignBusy", "CampaignResult", "report_campaign", "run_campaign"]

HEARTBEAT_S = 2.0
"""Seconds between two entries of the wall clock: the most that a killed process leaves uncounted."""

STEPS = 100_000
"""LangGraph's recursion limit: a campaign ends by its budget, not by the number of its steps."""


@dataclass(frozen=True)
class CampaignResult:
    """How a run of a campaign ended and where its report is."""

    campaign: Campaign
    report_json: Path
    report_html: Path

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
    budget ends a campaign (``complete``), within a cycle too; with a larger one it goes on where it was.

    Args:
        config: the campaign's own; its budget may be a new one, which is then the recorded one.
        control: ask it to drain (from a signal handler, say) to stop at the next safe point.

    Raises:
        CampaignBusy: another process runs it.
    """
    control = control or RunControl()
    folder = home_folder("campaigns", run)
    with ExitStack() as stack:
        stack.enter_context(one_process(folder, run))
        records.set_budget(run, config.budget.model_dump(mode="json"))
        records.update_campaign(run, state="running", stop_reason=None)
        beat(folder)
        try:
            services = stack.enter_context(open_services(config, run, records, control=control, notify=notify))
            with _heartbeat(run, folder, services):
                reason = _drive(run, folder, services)
        except KeyboardInterrupt:
            records.update_campaign(run, state="stopped", stop_reason="interrupted at once")
            raise
        except BaseException as error:
            records.update_campaign(run, state="failed", stop_reason=f"{type(error).__name__}: {error}"[:1000])
            raise
        if reason is None:  # drained: by a person, or by a budget
            reason = asked(folder, os.getpid()) or control.drain_reason or "stopped"
            state = "complete" if reason.startswith(SPENT) else "stopped"
        else:
            state = "complete"
        records.update_campaign(run, state=state, stop_reason=reason)
    return report_campaign(run, records)


def report_campaign(run: str, records: Records, folder: Path | None = None) -> CampaignResult:
    """Write ``report.json`` and ``report.html`` of a campaign as the records now are."""
    target = folder or home_folder("campaigns", run)
    report_json, report_html = write_report(campaign_report(records, run), target)
    return CampaignResult(records.get_campaign(run), report_json, report_html)


def _drive(run: str, folder: Path, services: Services) -> str | None:
    """Stream the graph to its end; why it ended, ``None`` when it was drained before."""
    thread: RunnableConfig = {"configurable": {"thread_id": run}, "recursion_limit": STEPS}
    with closing(sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        saver = SqliteSaver(connection)
        graph = campaign_graph(saver)
        begun = graph.get_state(thread)
        # No checkpoint, or one of a campaign that ended: start at the first cycle that is not closed.
        entry = None if begun.next else CampaignState(run=run, cycle=_next_cycle(run, services))
        try:
            for update in graph.stream(
                entry,
                thread,
                context=services,
                stream_mode="updates",
                durability="sync",
                control=services.control,
            ):
                if "close_cycle" in update:
                    with saver.lock:  # a checkpoint may be written by another thread at this moment
                        _prune(connection, run)
        except GraphDrained:
            return None
        values: dict[str, Any] = graph.get_state(thread).values
    return values.get("stop")


def _next_cycle(run: str, services: Services) -> int:
    closed = [c.n for c in services.records.cycles(run) if c.ended is not None]
    return max(closed, default=0) + 1


def _prune(connection: sqlite3.Connection, run: str) -> None:
    """Keep the newest checkpoint only: LangGraph stores one per step and never drops any."""
    newest = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?"
    with connection:
        for table in ("writes", "checkpoints"):
            connection.execute(f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id < ({newest})", (run, run))


@contextmanager
def _heartbeat(run: str, folder: Path, services: Services) -> Iterator[None]:
    """Count wall time while the campaign runs, and drain it when a budget is spent within a cycle."""
    session, over = uuid4().hex[:8], threading.Event()
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            count()
        except Exception as error:
            # Without its clock a campaign must not go on: its budget would never be spent.
            failures.append(error)
            services.control.request_drain(f"the clock failed: {error}")

    def count() -> None:
        last, number, ended = time.monotonic(), 0, False
        while not ended:
            # Looked at before the first wait too: a campaign that is resumed may have nothing left to spend.
            reason = services.budget_spent(run, 0)
            # The number of candidates bounds a batch where it is written, not the work on what is written.
            if reason and "candidates" not in reason and not services.stopping:
                services.control.request_drain(reason)
            ended = over.wait(HEARTBEAT_S)
            moment = time.monotonic()
            services.records.spend(run, key=f"wall/{session}/{number}", wall_s=moment - last)
            last, number = moment, number + 1
            beat(folder)

    thread = threading.Thread(target=guarded, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
