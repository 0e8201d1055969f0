"""What an exchange is understood as, and what is on file and on record of it: read, not done."""

from __future__ import annotations

from collections.abc import Callable

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
from .design import design_id
from .designed import valid_generations
from .opening import shop_model
from .services import Event, no_events
from .thread_file import ThreadFile
from .workshop import Workshop


class TurnReading:
    """What the turns of one thread are about.

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

    def run(self, work: int) -> str:
        """Id of an exchange's design in the records."""
        plan = self.plan(work)
        return design_id(plan.request, self.settings_of(work), self.parent_of(work))

    def valid(self, work: int) -> list[Generation]:
        """What met the request of an exchange, each network once, by slot."""
        found = {g.candidate_id: g for g in reversed(valid_generations(self.records, self.run(work)))}
        return sorted(found.values(), key=lambda g: g.slot)

    def trials(self, work: int) -> dict[str, Trial]:
        """Finished trials of an exchange's networks under its protocol, by candidate."""
        plan = self.plan(work)
        trials = self.records.get_trials(self.ids(work), plan.request.task.id, self.protocol(plan).hash)
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

    def settings_of(self, work: int) -> Config:
        return self.settings(self.plan(work))

    def parent_of(self, work: int) -> str | None:
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

    def trainable(self, plan: Plan) -> bool:
        wanted = self.config.chat.train if plan.train is None else plan.train
        return wanted and on_disk(plan.dataset) is not None

    def ids(self, work: int) -> list[str]:
        """Ids of the networks of an exchange: those that met its request, or those that it trains."""
        step = self.understand(work)
        if step.action == "train":
            known = {one.n: one.candidate_id for one in self.file.known()}
            return list(dict.fromkeys(known[n] for n in step.refers))
        return [g.candidate_id for g in self.valid(work) if g.candidate_id]

    def runs(self, work: int) -> set[str]:
        """Designs that wrote the networks of an exchange."""
        step = self.understand(work)
        if step.action == "train":
            return {one.run for one in self.file.known() if one.n in step.refers}
        return {self.run(work)}

    def flops(self, work: int, ids: list[str]) -> list[int | None]:
        """FLOPs of networks of an exchange, where they are known."""
        if self.understand(work).action == "train":
            known = {one.candidate_id: one.flops for one in self.file.known()}
            return [known.get(key) for key in ids]
        stored = self.records.get_campaign(self.run(work))
        verdicts = self.records.get_verdicts(ids, stored.task_id, stored.limits_hash)
        return [verdicts[key].flops if key in verdicts else None for key in ids]

    def untrained(self, work: int) -> list[str]:
        """Ids of those that have no finished trial."""
        finished = self.trials(work)
        return [key for key in self.ids(work) if key not in finished]

    def asked(self, work: int, step: str) -> Approval | None:
        """What a person was asked. It stays asked whatever the settings are by now: a "no" must find its question."""
        for one in self.file.exchanges():
            approval = one.reply.approval if one.work == work and one.reply is not None else None
            if approval is not None and approval["step"] == step:
                return Approval(step=approval["step"], why=approval["why"], cost=approval["cost"])
        return None
