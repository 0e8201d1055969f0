"""What the nodes of the conversation's graph do: each method once per exchange, whatever stops in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import RunControl

from ..agents.asking import Asked, ask_model
from ..agents.models.config import NANO
from ..agents.models.factory import ChatModelHandle
from ..agents.planner import plan_step
from ..agents.plans import Plan, Step, Talk
from ..memory.records import Records
from ..memory.rows import Generation
from ..memory.trial_records import FINISHED
from ..memory.types import Protocol, Trial
from ..tools.datasets import on_disk
from ..tools.protocols import default_protocol
from .asked import chosen_protocol
from .chat import Approval
from .config import Config
from .costs import spending_approval, training_approval
from .design import design_id, run_design
from .designed import valid_generations
from .locking import CampaignBusy
from .opening import shop_model, shop_sandbox, shop_trainer
from .services import Event, no_events
from .thread_file import ThreadFile
from .turn_answers import recorded_reply
from .turn_replies import design_reply, question_reply, refusal_reply, train_reply
from .turns import Reply
from .workshop import Workshop

T = TypeVar("T")
BUSY_WAIT_S = 0.5
"""Seconds between two looks at a request that another conversation works on."""


class TurnWork:
    """The work of one thread's turns.

    Args:
        file: the thread's own.
        shop: the open model and sandbox.
    """

    def __init__(self, thread: str, config: Config, records: Records, file: ThreadFile, shop: Workshop) -> None:
        self.thread = thread
        self.config = config
        self.records = records
        self.file = file
        self.shop = shop
        self.control = RunControl()
        self._notify: Callable[[Event], None] = no_events
        self._k = 0

    def begin(self, k: int, notify: Callable[[Event], None], control: RunControl) -> None:
        """Take up an exchange: its answer goes to ``k``."""
        self._k, self._notify, self.control = k, notify, control

    def understand(self, work: int) -> Step:
        """Decide what is done, once."""
        exchange = self.file.exchange(work)
        if exchange.step is not None:
            return exchange.step
        self._notify(Event("begin", 0, "understand"))
        return self.file.keep_step(work, self._step(exchange.said, self.talk(work)))

    def _step(self, said: str, talk: Talk) -> Step:
        usual = self.config.protocol.epochs or (default_protocol(talk.plan.dataset).epochs if talk.plan else 1)
        model = self._instruct_model()
        asked = ask_model(model, said, talk, self.config.campaign.seed) if model is not None else Asked(None)
        step = plan_step(said, talk, asked.told, candidates=self.config.chat.candidates, epochs=usual)
        return step.model_copy(update={"instruct": model is not None, "tokens": asked.tokens})

    def talk(self, work: int) -> Talk:
        """What was said before an exchange."""
        earlier = [one for one in self.file.exchanges() if one.k < work]
        plans = [
            (one.k, one.step.plan) for one in earlier if one.step and one.step.action == "design" and one.step.plan
        ]
        last = next((one for one in reversed(earlier) if one.k == one.work), None)
        shown = self.file.known()
        replies = [(one, one.reply.shown) for one in reversed(earlier) if one.reply and one.reply.shown]
        designs = {k for k, _ in plans}
        return Talk(
            shown=tuple(shown),
            current=tuple(one.n for one in next((said for _, said in replies), ())),
            table=tuple(one.n for one in next((said for other, said in replies if other.work in designs), ())),
            plans=tuple(plans),
            plan=plans[-1][1] if plans else None,
            asked=last.step.asked if last and last.step else "",
        )

    def settings(self, plan: Plan) -> Config:
        """The configuration that a plan is designed under."""
        chat = self.config.chat
        campaign = self.config.campaign.model_copy(
            update={
                "candidates": plan.candidates or chat.candidates,
                "seed": (self.config.campaign.seed if plan.seed is None else plan.seed) + plan.draw,
                "style": plan.styles if len(plan.styles) > 1 else plan.styles[0],
            }
        )
        protocol = self.config.protocol
        if plan.epochs is not None:
            protocol = protocol.model_copy(update={"epochs": plan.epochs})
        return self.config.model_copy(update={"campaign": campaign, "protocol": protocol})

    def spending(self, work: int) -> Approval | None:
        """What must be approved before the model is asked."""
        return spending_approval(self._settings(work))

    def design(self, work: int) -> bool:
        """Write networks until a valid one is there; whether it came to its end."""
        plan, config = self.plan(work), self._settings(work)
        self._notify(Event("begin", 0, "open"))
        if self._trainable(plan):
            shop_sandbox(self.shop, config, plan.dataset)  # one sandbox for both, opened once
        while True:
            try:
                ended = _apart(
                    lambda: run_design(
                        plan.request,
                        config,
                        self.records,
                        parent=self._parent(work),
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
        wanted = step.action == "train" or self._trainable(self.plan(work))
        return wanted and on_disk(self.plan(work).dataset) is not None and bool(self._untrained(work))

    def training(self, work: int) -> Approval | None:
        """What must be approved before networks are trained."""
        plan, config = self.plan(work), self._settings(work)
        return training_approval(config, plan.request.task, self._flops(work, self._untrained(work)))

    def train(self, work: int) -> bool:
        """Train what is to be trained; whether it came to its end."""
        plan, config = self.plan(work), self._settings(work)
        trainer = shop_trainer(self.shop, config, plan.request.task, self.records)
        left = self._untrained(work)
        self.records.add_task(plan.request.task)
        self.records.add_protocol(trainer.protocol)
        self._notify(Event("begin", 1, "train", len(left)))

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

    def run(self, work: int) -> str:
        """Id of an exchange's design in the records."""
        plan = self.plan(work)
        return design_id(plan.request, self._settings(work), self._parent(work))

    def valid(self, work: int) -> list[Generation]:
        """What met the request of an exchange, each network once, by slot."""
        found = {g.candidate_id: g for g in reversed(valid_generations(self.records, self.run(work)))}
        return sorted(found.values(), key=lambda g: g.slot)

    def trials(self, work: int) -> dict[str, Trial]:
        """Finished trials of an exchange's networks under its protocol, by candidate."""
        plan = self.plan(work)
        trials = self.records.get_trials(self._ids(work), plan.request.task.id, self.protocol(plan).hash)
        return {key: trial for key, trial in trials.items() if trial.state in FINISHED}

    def protocol(self, plan: Plan) -> Protocol:
        """The protocol under which a plan's networks are trained."""
        return chosen_protocol(self.settings(plan), plan.dataset)

    def plan(self, work: int) -> Plan:
        """The plan of an exchange that designs or trains."""
        plan = self.understand(work).plan
        assert plan is not None  # of every step that leads here
        return plan

    def latest_design(self) -> int | None:
        """The newest exchange that designed something."""
        designs = [one.k for one in self.file.exchanges() if one.step and one.step.action == "design"]
        return designs[-1] if designs else None

    def _settings(self, work: int) -> Config:
        return self.settings(self.plan(work))

    def _parent(self, work: int) -> str | None:
        """The network that an instruct model is shown and varies; another draw of a request varies none."""
        step, plan = self.understand(work), self.plan(work)
        if not step.instruct or plan.parent is None or "again" in plan.aims:
            return None
        known = next(one for one in self.file.known() if one.n == plan.parent)
        return plan.parent_id if known.plan.dataset == plan.dataset else None

    def _instruct_model(self) -> ChatModelHandle | None:
        """The model, if it reads instructions; the embedded one need not be opened to tell that it does not."""
        if self.config.model.name == NANO and self.config.model.path is None:
            return None
        model = shop_model(self.shop, self.config)
        return model if model.style == "chat" else None

    def _trainable(self, plan: Plan) -> bool:
        wanted = self.config.chat.train if plan.train is None else plan.train
        return wanted and on_disk(plan.dataset) is not None

    def _ids(self, work: int) -> list[str]:
        """Ids of the networks of an exchange: those that met its request, or those that it trains."""
        step = self.understand(work)
        if step.action == "train":
            known = {one.n: one.candidate_id for one in self.file.known()}
            return list(dict.fromkeys(known[n] for n in step.refers))
        return [g.candidate_id for g in self.valid(work) if g.candidate_id]

    def _flops(self, work: int, ids: list[str]) -> list[int | None]:
        """FLOPs of networks of an exchange, where they are known."""
        if self.understand(work).action == "train":
            known = {one.candidate_id: one.flops for one in self.file.known()}
            return [known.get(key) for key in ids]
        stored = self.records.get_campaign(self.run(work))
        verdicts = self.records.get_verdicts(ids, stored.task_id, stored.limits_hash)
        return [verdicts[key].flops if key in verdicts else None for key in ids]

    def _untrained(self, work: int) -> list[str]:
        """Ids of those that have no finished trial."""
        finished = self.trials(work)
        return [key for key in self._ids(work) if key not in finished]


def _apart(work: Callable[[], T]) -> T:
    """Run a graph of its own within a node: LangGraph would else take it for a part of the graph that runs."""
    context = copy_context()
    context.run(var_child_runnable_config.set, None)
    return context.run(work)
