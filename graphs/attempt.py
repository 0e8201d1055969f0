"""One attempt at a campaign: opens what it works with, drives the graph from its checkpoint, keeps its clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from ..memory.records import Records
from .campaign import CampaignState, campaign_graph
from .config import Config
from .logs import logged
from .opening import open_services
from .retention import open_checkpoints, prune_adapters, prune_checkpoints
from .services import Event, Services
from .standing import beat
from .tracking import Follower, traced
from .troubles import check_disk

HEARTBEAT_S = 2.0
"""Seconds between two entries of the wall clock: the most that a killed process leaves uncounted."""

STEPS = 100_000
"""LangGraph's recursion limit: a campaign ends by its budget, not by the number of its steps."""


def attempt(
    run: str,
    records: Records,
    config: Config,
    folder: Path,
    control: RunControl,
    notify: Callable[[Event], None],
    went_on: Callable[[], None],
    follower: Follower,
) -> str | None:
    """Work until the campaign ends; why it ended, ``None`` when it was drained before.

    Args:
        control: of this attempt alone: a failing clock drains it.
        went_on: called when something has been done.
        follower: told of each closed cycle.
    """
    if config.supervision.enabled:
        check_disk(config.supervision.disk_floor_mb)
    with (
        open_services(config, run, records, control=control, notify=logged(run, notify)) as services,
        traced(run, config, services.designer.model),
        _heartbeat(run, folder, services),
    ):
        return _drive(run, folder, services, went_on, follower)


def _drive(run: str, folder: Path, services: Services, went_on: Callable[[], None], follower: Follower) -> str | None:
    """Stream the graph to its end."""
    thread: RunnableConfig = {"configurable": {"thread_id": run}, "recursion_limit": STEPS}
    with closing(open_checkpoints(folder)) as connection:
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
                went_on()
                if "close_cycle" in update:
                    with saver.lock:  # a checkpoint may be written by another thread at this moment
                        prune_checkpoints(connection, run)
                    follower.cycle_closed()
                    prune_adapters(run, services.records, folder, services.config.retention)
        except GraphDrained:
            return None
        values: dict[str, Any] = graph.get_state(thread).values
    return values.get("stop")


def _next_cycle(run: str, services: Services) -> int:
    closed = [c.n for c in services.records.cycles(run) if c.ended is not None]
    return max(closed, default=0) + 1


@contextmanager
def _heartbeat(run: str, folder: Path, services: Services) -> Iterator[None]:
    """Count wall time while the campaign runs, and drain it when a budget is spent within a cycle."""
    over = threading.Event()
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            _count(run, folder, services, over)
        except Exception as error:
            # Without its clock a campaign must not go on: its budget would never be spent.
            failures.append(error)
            services.control.request_drain(f"the clock failed: {error}")

    thread = threading.Thread(target=guarded, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


def _count(run: str, folder: Path, services: Services, over: threading.Event) -> None:
    session = uuid4().hex[:8]
    last, number, ended = time.monotonic(), 0, False
    supervision = services.config.supervision
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
        if supervision.enabled:
            check_disk(supervision.disk_floor_mb)
