"""Campaigns as processes of their own: started, stopped, paused and gone on with from any interface.

A campaign outlives whoever started it. Its process has a session of its own, no standard input, and its output in
``process.log`` of the campaign's folder. Whether it is alive, its lock says, which dies with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from ..graphs.config import Config
from ..graphs.locking import CampaignBusy, Identity, holder, is_held
from ..graphs.standing import Heartbeat, Waiting, ask, asked, heartbeat, launched, starting
from ..memory.home import home_folder
from ..memory.records import Records, RecordsError
from ..memory.rows import Campaign

OUTPUT: Final = "process.log"
OUTPUT_MB: Final = 4
"""Beyond this the output of earlier processes is set aside as ``process.log.1`` when the next one starts."""

SETTLE_S: Final = 5.0
"""How long a stop waits for a process that has not begun its work to end."""

PAUSED: Final = "paused"

State = Literal["starting", "running", "waiting", "stopping", "stopped", "paused", "complete", "failed", "stale"]


@dataclass(frozen=True)
class CampaignState:
    """How a campaign stands.

    Attributes:
        state: ``starting``: its process has not begun; ``waiting``: for a disk, memory or a model, see ``reason``;
            ``stale``: on record as running, but its process is gone (killed, or the machine went down).
        alive: whether a process works on it now.
        pid: of that process.
        cycles: those that are closed.
        heartbeat_age_s: seconds since the process gave a sign of life; ``None`` when it never did.
        reason: why it ended, stopped or waits.
    """

    id: str
    state: State
    alive: bool
    pid: int | None
    cycles: int
    candidates: int
    heartbeat_age_s: float | None
    reason: str | None


def start_campaign(config: Config, identifier: str | None = None, *, overnight: bool = False) -> str:
    """Register a campaign and start it as a detached process; its id, once it is registered.

    Args:
        identifier: default: the data set and the time.
        overnight: as ``campaign run --overnight`` does: supervised, with a budget of a night where none is set.

    Raises:
        RecordsError: there is a campaign of this id.
        UnknownDataset, DatasetMissing, ValueError: the configuration cannot be used.
    """
    from ..graphs.asked import register_campaign
    from ..graphs.overnight import for_the_night

    config = for_the_night(config) if overnight else config
    name = identifier or f"{config.campaign.dataset}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:64]
    with Records() as records:
        if any(one.id == name for one in records.list_campaigns()):
            raise RecordsError(f"campaign {name} exists: resume it, or choose another id")
        register_campaign(config, name, records)
    _launch(name, [])
    return name


def resume_campaign(identifier: str, budget: dict[str, Any] | None = None, *, overnight: bool = False) -> None:
    """Go on with a campaign in a detached process.

    Args:
        budget: fields of the budget that change, e.g. ``{"cycles": 12}``; ``None`` as a value lifts a limit.

    Raises:
        RecordsError: no such campaign.
        CampaignBusy: a process works on it already.
        ConfigError: the budget is none.
    """
    import json

    from ..graphs.config import load_config

    overrides = [f"budget.{name}={json.dumps(value)}" for name, value in (budget or {}).items()]
    with Records() as records:
        stored = _campaign(records, identifier)
        load_config(overrides=overrides, base=stored.config)  # fails here, not in a log file
    more = [part for item in overrides for part in ("--set", item)]
    _launch(identifier, [*more, *(["--overnight"] if overnight else [])])


def stop_campaign(identifier: str, reason: str = "stopped") -> bool:
    """Ask a campaign to stop at its next safe point; whether a process was there to be asked.

    Returns at once: the process ends when what is being trained has ended. It can be resumed.

    Args:
        reason: what its status shall say.

    Raises:
        RecordsError: no such campaign.
    """
    with Records() as records:
        _campaign(records, identifier)
        folder = home_folder("campaigns", identifier)
        found = holder(folder) or starting(folder)
        if found is None:
            _settle(records, identifier, reason)
            return False
        ask(folder, found.pid, reason)
        with suppress(ProcessLookupError):  # it has ended by itself in this moment
            os.kill(found.pid, signal.SIGTERM)
        _wait_for_early_end(records, identifier, folder, found, reason)
    return True


def pause_campaign(identifier: str) -> bool:
    """Stop a campaign with the intention to go on: :func:`stop_campaign`, and its status says paused."""
    return stop_campaign(identifier, PAUSED)


def campaign_states(records: Records) -> list[CampaignState]:
    """All campaigns, oldest first; design requests, which are kept in the same place, left out."""
    return [campaign_state(records, one) for one in records.list_campaigns() if "campaign" in one.config]


def campaign_state(records: Records, stored: Campaign) -> CampaignState:
    """How one campaign stands."""
    folder = home_folder("campaigns", stored.id)
    held, sign = is_held(folder), heartbeat(folder)
    process = holder(folder) if held else starting(folder)
    return CampaignState(
        id=stored.id,
        state=_state(stored, held, process, sign, folder),
        alive=held or process is not None,
        pid=process.pid if process else None,
        cycles=sum(one.ended is not None for one in records.cycles(stored.id)),
        candidates=stored.candidates,
        heartbeat_age_s=round(sign.age_s, 1) if sign else None,
        reason=_told(sign.waiting) if held and sign and sign.waiting else stored.stop_reason,
    )


def _state(stored: Campaign, held: bool, process: Identity | None, sign: Heartbeat | None, folder: Path) -> State:
    if held:
        if process and asked(folder, process.pid):
            return "stopping"
        return "waiting" if sign and sign.waiting else "running"
    if process is not None:
        return "starting"
    if stored.state in ("running", "waiting"):
        return "stale"
    if stored.state == "stopped" and stored.stop_reason == PAUSED:
        return "paused"
    return stored.state


def _told(waiting: Waiting) -> str:
    until = f"{waiting.next_try:%Y-%m-%d %H:%M:%S} UTC"
    return f"waits for {waiting.kind} until {until} (try {waiting.tries + 1}): {waiting.reason}"


def _campaign(records: Records, identifier: str) -> Campaign:
    stored = records.get_campaign(identifier)
    if "campaign" not in stored.config:
        raise RecordsError(f"no campaign {identifier!r} in these records: that is a design request")
    return stored


def _launch(identifier: str, arguments: Sequence[str]) -> None:
    """Start ``campaign resume`` in a session of its own."""
    folder = home_folder("campaigns", identifier)
    if is_held(folder) or starting(folder):
        raise CampaignBusy(f"campaign {identifier} is being run by another process; stop that one first")
    output = folder / OUTPUT
    if output.exists() and output.stat().st_size > OUTPUT_MB * 2**20:
        os.replace(output, output.with_name(f"{OUTPUT}.1"))
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "campaign", "resume", identifier, "--quiet"]
    with output.open("ab") as log:
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    launched(folder, process.pid)
    # Whoever started it may run for days (a server): the process must not stay behind as a zombie.
    threading.Thread(target=process.wait, name=f"campaign-{identifier}", daemon=True).start()


def _wait_for_early_end(records: Records, identifier: str, folder: Path, found: Identity, reason: str) -> None:
    """A process that is asked before it has begun ends without a word: say it for it."""
    deadline = time.monotonic() + SETTLE_S
    while found.alive and not is_held(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not found.alive:
        _settle(records, identifier, reason)


def _settle(records: Records, identifier: str, reason: str) -> None:
    """Put down as stopped what is on record as running and has no process."""
    if records.get_campaign(identifier).state in ("running", "waiting"):
        records.update_campaign(identifier, state="stopped", stop_reason=reason)
