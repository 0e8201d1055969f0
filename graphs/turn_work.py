"""What the nodes of the conversation's graph do: each method once per exchange, whatever stops in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from typing import TypeVar

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import RunControl

from ..agents.evaluator import EvaluatorAgent
from ..memory.home import home_folder
from ..tools.datasets import on_disk
from .chat import Approval
from .costs import spending_approval, training_approval
from .design import run_design
from .locking import CampaignBusy, one_process
from .opening import shop_sandbox, shop_trainer
from .services import Event
from .turn_answers import recorded_reply
from .turn_reading import TurnReading
from .turn_replies import design_reply, question_reply, refusal_reply, train_reply
from .turns import Reply

T = TypeVar("T")
BUSY_WAIT_S = 0.5
"""Seconds between two looks at a request that another conversation works on."""


class TurnWork(TurnReading):
    """The work of one thread's turns."""

    def begin(self, k: int, notify: Callable[[Event], None], control: RunControl) -> None:
        """Take up an exchange: its answer goes to ``k``."""
        self._k, self._notify, self.control = k, notify, control

    def spending(self, work: int) -> Approval | None:
        """What must be approved before the model is asked."""
        return self.asked(work, "tokens") or spending_approval(self.settings_of(work))

    def design(self, work: int) -> bool:
        """Write networks until a valid one is there; whether it came to its end."""
        plan, config = self.plan(work), self.settings_of(work)
        self._notify(Event("begin", 0, "open"))
        if self.trainable(plan):
            shop_sandbox(self.shop, config, plan.dataset)  # one sandbox for both, opened once
        while True:
            try:
                ended = _apart(
                    lambda: run_design(
                        plan.request,
                        config,
                        self.records,
                        parent=self.parent_of(work),
                        control=self.control,
                        notify=self._notify,
                        workshop=self.shop,
                    )
                ).finished
                # A request has its place in the records now, where what understanding it cost belongs too.
                key = f"understand/{self.thread}/{work}"
                spent = self.understand(work).tokens
                self.records.spend(
                    self.run(work), key=key, agent="interpreter", model=self.config.model.name, tokens=spent
                )
                return ended
            except CampaignBusy:
                if self.control.drain_requested:
                    return False
                time.sleep(BUSY_WAIT_S)

    def trains(self, work: int) -> bool:
        """Whether there is something to train that is not trained yet."""
        step = self.understand(work)
        wanted = step.action == "train" or self.trainable(self.plan(work))
        return wanted and on_disk(self.plan(work).dataset) is not None and bool(self.untrained(work))

    def training(self, work: int) -> Approval | None:
        """What must be approved before networks are trained."""
        plan, config = self.plan(work), self.settings_of(work)
        left = self.untrained(work)
        return self.asked(work, "train") or training_approval(config, plan.request.task, self.flops(work, left))

    def train(self, work: int) -> bool:
        """Train what is to be trained; whether it came to its end."""
        plan, config = self.plan(work), self.settings_of(work)
        trainer = shop_trainer(self.shop, config, plan.request.task, self.records)
        self.records.add_task(plan.request.task)
        self.records.add_protocol(trainer.protocol)
        while True:
            try:
                return self._trained(work, trainer)
            except CampaignBusy:
                if self.control.drain_requested:
                    return False
                time.sleep(BUSY_WAIT_S)

    def _trained(self, work: int, trainer: EvaluatorAgent) -> bool:
        """Train while this process holds the designs of the networks: others see by that that it lives.

        Raises:
            CampaignBusy: another process works on one of them.
        """
        with ExitStack() as stack:
            for run in sorted(self.runs(work)):  # in one order, so that two never wait for each other
                stack.enter_context(one_process(home_folder("designs", run), run, "design"))
            left = self.untrained(work)  # looked at now: who held it before may have trained them
            self._notify(Event("begin", 1, "train", len(left)))
            return self._train_all(trainer, left)

    def _train_all(self, trainer: EvaluatorAgent, left: list[str]) -> bool:
        def one(key: str) -> bool:
            ended = trainer.train_candidate(key, lambda: self.control.drain_requested) is not None
            self._notify(Event("done", 1, "train"))
            return ended

        with ThreadPoolExecutor(max_workers=max(1, len(left))) as pool:
            return all(list(pool.map(one, left)))

    def answer(self, work: int, *, trained: bool, spent: bool) -> None:
        """Write the reply down."""
        self.file.keep_reply(self._k, self.reply(work, trained=trained, spent=spent))

    def reply(self, work: int, *, trained: bool = True, spent: bool = True) -> Reply:
        """What is said about an exchange as the records now are."""
        step = self.understand(work)
        if step.action == "design":
            return design_reply(self, work, trained=trained, spent=spent)
        if step.action == "train":
            return train_reply(self, work, allowed=trained)
        if step.action == "question":
            return question_reply(step)
        return refusal_reply(step) if step.action == "refusal" else recorded_reply(self, work)


def _apart(work: Callable[[], T]) -> T:
    """Run a graph of its own within a node: LangGraph would else take it for a part of the graph that runs."""
    context = copy_context()
    context.run(var_child_runnable_config.set, None)
    return context.run(work)
