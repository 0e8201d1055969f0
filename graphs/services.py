"""What the nodes of a campaign work with: agents, budgets, clocks. Lives in the graph's context, never in its state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from langgraph.runtime import RunControl

from ..agents.designer import Designer
from ..agents.evaluator import EvaluatorAgent
from ..agents.grafter import Grafter
from ..agents.learner import Learner
from ..agents.predictor import PredictorAgent
from ..agents.repair import RepairAgent
from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Cycle, now
from ..tools.statistics import CyclePoint, should_stop
from .config import Config
from .sizes import campaign_sizes

SPENT = "budget: "
"""How the reason begins when a spent budget ends a campaign."""


@dataclass(frozen=True)
class Event:
    """Progress of a campaign, for whoever shows it.

    ``begin`` opens a stage with ``total`` branches, ``done`` closes one of them, ``cycle`` closes a cycle.
    """

    kind: Literal["begin", "done", "cycle"]
    cycle: int
    stage: str = ""
    total: int = 1


def no_events(event: Event) -> None:
    """Shows nothing."""


@dataclass
class WritingServices:
    """What a graph needs that writes candidates and brings them to a verdict."""

    config: Config
    records: Records
    designer: Designer
    repairer: RepairAgent
    notify: Callable[[Event], None] = field(default=no_events, kw_only=True)
    control: RunControl = field(default_factory=RunControl, kw_only=True)
    clock: StageClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = StageClock(self.records)

    @property
    def stopping(self) -> bool:
        """Whether a signal or a spent budget asked to stop at the next safe point."""
        return self.control.drain_requested

    @contextmanager
    def branch(self, run: str, cycle: int, name: str) -> Iterator[None]:
        """Counts a stage's wall time, once for branches that run side by side, and tells of each one's end."""
        with self.clock.measure(run, cycle, name):
            yield
        self.notify(Event("done", cycle, name))

    @contextmanager
    def stage(self, run: str, cycle: int, name: str) -> Iterator[None]:
        """A stage that is one piece of work: tells of its beginning too."""
        self.notify(Event("begin", cycle, name))
        with self.branch(run, cycle, name):
            yield

    def ready_model(self, run: str, cycle: int) -> None:
        """Make the model ready to write for a cycle; a design request uses it as it was opened."""

    def graft(self, run: str, cycle: int, batch: int) -> None:
        """Put blocks into networks of earlier cycles; a design request has none."""


@dataclass
class Services(WritingServices):
    """What the campaign graph needs: more agents, and the campaign's own bookkeeping."""

    evaluator: EvaluatorAgent
    learner: Learner
    grafter: Grafter | None = None
    predictor: PredictorAgent | None = None

    def open_cycle(self, run: str, cycle: int) -> None:
        """Write the cycle down and put on the adapter that it samples from."""
        adapter = self.learner.newest()
        self.records.put_cycle(
            Cycle(
                campaign_id=run,
                n=cycle,
                adapter=str(adapter) if adapter else None,
                threshold=self.evaluator.threshold_of(run),
            )
        )

    def ready_model(self, run: str, cycle: int) -> None:
        """Put on the adapter that the cycle is on record with: a resumed cycle goes on as it was begun."""
        stored = next(c for c in self.records.cycles(run) if c.n == cycle).adapter
        self.learner.put_on(Path(stored) if stored else None)

    def graft(self, run: str, cycle: int, batch: int) -> None:
        """Let the grafter fill its slots of the batch."""
        slots = self.designer.grafted_slots(run, cycle, batch)
        if self.grafter is not None and slots:
            with self.stage(run, cycle, "graft"):
                self.grafter.write_batch(run, cycle, slots)

    def predict(self, run: str, cycle: int) -> None:
        """Let the predictor, if there is one, decide which of the new networks are trained.

        Not before the campaign has a threshold: a cycle that is to set it is trained whole.
        """
        if self.predictor is not None and self.evaluator.threshold_of(run) is not None:
            with self.stage(run, cycle, "predict"):
                new = [g.candidate_id for g in self.evaluator.novel(run, cycle) if g.candidate_id]
                self.predictor.decide(run, cycle, new)

    def over(self, run: str, cycle: int) -> str | None:
        """Why the campaign ends before this cycle, or ``None``: the stopping rule, or a spent budget.

        Asked at the start of a cycle alone, so that a campaign that had ended ends again when it is resumed.
        """
        rule = self.config.campaign.stopping
        if rule.enabled and should_stop(self.figures(run, cycle - 1), delta=rule.delta, cycles=rule.cycles):
            return (
                f"stopping rule: less than {rule.delta:g} gained over {rule.cycles} cycles, "
                "share above threshold stable"
            )
        return self.budget_spent(run, cycle)

    def budget_spent(self, run: str, cycle: int) -> str | None:
        """Why no further work may start, or ``None``."""
        budget, spent = self.config.budget, self.records.get_campaign(run)
        if budget.cycles is not None and cycle > budget.cycles:
            return f"{SPENT}{budget.cycles} cycles"
        limits = {"candidates": budget.candidates, "wall_s": budget.wall_s, "tokens": budget.tokens}
        for name, limit in limits.items():
            if limit is not None and getattr(spent, name) >= limit:
                return f"{SPENT}{limit:g} {'seconds of wall time' if name == 'wall_s' else name}"
        if budget.disk_mb is not None:
            used = campaign_sizes(self.records, home_folder("campaigns", run)).used
            if used >= budget.disk_mb:
                return f"{SPENT}{budget.disk_mb:g} MiB of disk"
        return None

    def wants_more(self, run: str, cycle: int, batch: int) -> bool:
        """Dynamic sampling (section 3.1): whether the cycle is to write another batch."""
        rule = self.config.campaign.dynamic
        if rule.from_cycle is None or cycle < rule.from_cycle or batch + 1 >= rule.max_batches:
            return False
        bar = self.evaluator.threshold_of(run)
        admitted = [a for a in self.records.admissions(run, cycle) if a.admitted]
        # Without a threshold (campaign.admit: all) more are admitted than reach it.
        found = sum(bar is None or a.metric is None or a.metric >= bar for a in admitted)
        return found < rule.at_least and self.budget_spent(run, cycle) is None

    def close_cycle(self, run: str, cycle: int) -> None:
        """Mark the cycle complete."""
        if next(c for c in self.records.cycles(run) if c.n == cycle).ended is None:
            self.records.update_cycle(run, cycle, state="complete", ended=now())
        self.notify(Event("cycle", cycle))

    def figures(self, run: str, up_to: int) -> list[CyclePoint]:
        """Mean accuracy and share above threshold of each cycle, for the stopping rule.

        As in the report, a network counts in the first cycle that decided on it.
        """
        history = []
        seen: set[str] = set()
        threshold = self.evaluator.threshold_of(run)
        for cycle in range(1, up_to + 1):
            decided = [a for a in self.records.admissions(run, cycle) if a.candidate_id not in seen]
            seen.update(a.candidate_id for a in decided)
            metrics = [a.metric for a in decided if a.metric is not None]
            above = sum(threshold is not None and m >= threshold for m in metrics)
            mean = sum(metrics) / len(metrics) if metrics else 0.0
            history.append(CyclePoint(mean=mean, above=above, trained=len(metrics)))
        return history


class StageClock:
    """Wall time by stage and cycle. Branches that overlap count once; every total is stored when it grows."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._active: dict[tuple[str, int, str], tuple[int, float]] = {}

    @contextmanager
    def measure(self, run: str, cycle: int, name: str) -> Iterator[None]:
        key = (run, cycle, name)
        with self._lock:
            count, since = self._active.get(key, (0, time.perf_counter()))
            self._active[key] = (count + 1, since)
        try:
            yield
        finally:
            with self._lock:
                count, since = self._active.pop(key)
                if count > 1:
                    self._active[key] = (count - 1, since)
                else:
                    self._store(run, cycle, name, time.perf_counter() - since)

    def _store(self, run: str, cycle: int, name: str, seconds: float) -> None:
        stored = next(c for c in self._records.cycles(run) if c.n == cycle).timings.get(name, 0.0)
        self._records.update_cycle(run, cycle, timings={name: round(stored + seconds, 3)})
