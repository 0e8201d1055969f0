"""A campaign as it stands at this moment, read from the records while another process works on it.

Closed cycles are read once; what is looked at again and again is the newest cycle alone. The process itself is asked
nothing, so that watching works as well when it is gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..graphs.logs import LOG
from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Campaign, Cycle, Generation
from ..memory.trial_records import FINISHED
from ..memory.types import Frozen
from ..tools.report import campaign_costs
from ..tools.statistics import summarise, wilson_interval
from .campaign_process import campaign_state

ENDED: Final = ("stopped", "paused", "complete", "failed", "stale")
"""States in which nothing will change until somebody resumes the campaign."""
LINES: Final = 6
"""Lines of the log that are shown."""
_TAIL: Final = 8192
_BUDGETS: Final = ("cycles", "candidates", "wall_s", "tokens", "disk_mb")


class Band(Frozen):
    """A figure of ``n`` things with its 95 % interval; ``None`` where there is nothing yet."""

    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None


class CycleLook(Frozen):
    """A cycle in three figures: valid as written, mean metric and share above the threshold of what was trained."""

    cycle: int
    valid: Band
    mean: Band
    share: Band


class BudgetLook(Frozen):
    """What is spent of one budget; ``limit`` is ``None`` where there is none."""

    name: str
    spent: float
    limit: float | None


class Look(Frozen):
    """What ``campaign watch`` shows.

    Attributes:
        state: as in :class:`~.campaign_process.CampaignState`.
        stage: of the newest cycle: ``generate``, ``validate``, ``repair``, ``novelty``, ``train`` or ``tune``;
            ``closed`` between cycles. ``done`` of ``total`` branches where it has branches.
        cycles: all cycles so far, the newest last.
        cost: of the tokens that have a price; ``None`` where none has.
        log: the newest lines.
    """

    id: str
    state: str
    alive: bool
    reason: str | None
    heartbeat_age_s: float | None
    cycle: int
    stage: str
    done: int = 0
    total: int = 0
    cycles: tuple[CycleLook, ...] = ()
    budgets: tuple[BudgetLook, ...] = ()
    tokens: int = 0
    cost: float | None = None
    currency: str = "USD"
    log: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to watch."""
        return self.state in ENDED and not self.alive

    def changed(self, before: Look | None) -> bool:
        """Whether it differs from another in more than the clock."""
        return before is None or self._still() != before._still()

    def _still(self) -> dict[str, object]:
        still = self.model_dump(exclude={"heartbeat_age_s", "budgets"})
        return still | {"budgets": [one for one in self.budgets if one.name not in ("wall_s", "disk_mb")]}


class Watcher:
    """Looks at one campaign.

    Raises:
        RecordsError: no such campaign.
    """

    def __init__(self, records: Records, campaign: str) -> None:
        self._records = records
        self._id = campaign
        self._closed: dict[int, CycleLook] = {}
        self._seen: set[str] = set()
        records.get_campaign(campaign)

    def look(self) -> Look:
        """The campaign now."""
        stored = self._records.get_campaign(self._id)
        standing = campaign_state(self._records, stored)
        cycles = self._records.cycles(self._id)
        bar = next((one.threshold for one in cycles if one.threshold is not None), None)
        shown = tuple(self._cycle(stored, one, bar) for one in cycles)
        newest = cycles[-1] if cycles else None
        stage, done, total = self._stage(stored, newest)
        costs = campaign_costs(self._records, stored)
        return Look(
            id=self._id,
            state=standing.state,
            alive=standing.alive,
            reason=standing.reason,
            heartbeat_age_s=standing.heartbeat_age_s,
            cycle=newest.n if newest else 0,
            stage=stage,
            done=done,
            total=total,
            cycles=shown,
            budgets=_budgets(self._records, stored, closed=standing.cycles),
            tokens=stored.tokens,
            cost=costs.cost,
            currency=costs.currency,
            log=last_lines(home_folder("campaigns", self._id) / LOG),
        )

    def _cycle(self, stored: Campaign, cycle: Cycle, bar: float | None) -> CycleLook:
        known = self._closed.get(cycle.n)
        if known is not None:
            return known
        slots = [one for one in self._records.generations(self._id, cycle.n) if not one.grafted]
        as_written = sum(one.valid_by == "generation" for one in slots)
        judged = sum(one.raw_candidate_id is not None for one in slots)
        metrics = self._metrics(stored, cycle)
        above = None if bar is None else sum(value >= bar for value in metrics.values())
        mean = summarise(list(metrics.values()), share=True)
        look = CycleLook(
            cycle=cycle.n,
            valid=_share(as_written, judged),
            mean=Band(n=len(metrics), value=mean.mean, low=mean.low, high=mean.high),
            share=Band() if above is None else _share(above, len(metrics)),
        )
        if cycle.ended is not None:
            self._closed[cycle.n] = look
            self._seen |= metrics.keys()
        return look

    def _metrics(self, stored: Campaign, cycle: Cycle) -> dict[str, float]:
        """Metrics of what the cycle trained, each network in the first cycle that wrote it."""
        novel = [one.candidate_id for one in self._records.generations(self._id, cycle.n) if one.novel]
        new = [key for key in dict.fromkeys(novel) if key is not None and key not in self._seen]
        trials = self._records.get_trials(new, stored.task_id, stored.protocol_hash)
        return {key: one.metric for key, one in trials.items() if one.state == "complete" and one.metric is not None}

    def _stage(self, stored: Campaign, cycle: Cycle | None) -> tuple[str, int, int]:
        """What the newest cycle is at, as far as the records tell: stage, branches done, branches in all."""
        if cycle is None:
            return "opening", 0, 0
        if cycle.ended is not None:
            return "closed", 0, 0
        slots = [one for one in self._records.generations(self._id, cycle.n) if one.answer is not None]
        wanted = (stored.config.get("campaign") or {}).get("candidates", 0)
        if len(slots) < wanted:
            return "generate", len(slots), wanted
        judged = sum(one.raw_candidate_id is not None for one in slots)
        if judged < len(slots):
            return "validate", judged, len(slots)
        if any(one.verdict is None for one in self._records.repairs(self._id, cycle.n)):
            return "repair", 0, 0
        return self._late_stage(stored, [one for one in slots if one.valid_by != "none"])

    def _late_stage(self, stored: Campaign, valid: list[Generation]) -> tuple[str, int, int]:
        if any(one.novel is None for one in valid):
            return "novelty", 0, 0
        ids = {one.candidate_id for one in valid if one.novel and one.candidate_id}
        trials = self._records.get_trials(ids, stored.task_id, stored.protocol_hash)
        done = sum(one.state in FINISHED for one in trials.values())
        return ("train", done, len(ids)) if done < len(ids) else ("tune", 0, 0)


def last_lines(path: Path, lines: int = LINES) -> tuple[str, ...]:
    """The newest lines of a log file; none where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - _TAIL)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    found = text.splitlines()[1 if start else 0 :]  # the first may be half a line
    return tuple(found[-lines:])


def _share(count: int, total: int) -> Band:
    value, low, high = wilson_interval(count, total)
    return Band(n=total, value=value, low=low, high=high)


def _budgets(records: Records, stored: Campaign, closed: int) -> tuple[BudgetLook, ...]:
    from ..graphs.sizes import campaign_sizes

    limits = stored.config.get("budget") or {}
    spent: dict[str, float] = {
        "cycles": closed,
        "candidates": stored.candidates,
        "wall_s": round(stored.wall_s, 1),
        "tokens": stored.tokens,
        "disk_mb": round(campaign_sizes(records, home_folder("campaigns", stored.id)).used, 1),
    }
    return tuple(BudgetLook(name=name, spent=spent[name], limit=limits.get(name)) for name in _BUDGETS)
