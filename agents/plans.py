"""What a turn of a conversation does, as data: a closed set of typed fields, whatever the words were."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..memory.types import Frozen, Request, RequestLimits
from ..tools.tasks import task

Answered = Literal["code", "explain", "compare", "why", "best", "list", "help"]
"""What is answered from what is on record."""

Action = Literal["design", "train", Answered, "question", "refusal"]
"""``design`` writes networks, ``train`` trains ones that were shown."""

Aim = Literal["smaller", "larger", "accurate", "faster", "wider", "narrower", "deeper", "shallower", "again"]
"""In what a variant is to differ from what it varies, beside limits, style and data set that are named."""


ReadingKind = Literal["new", "vary", "train", "back", "unclear", Answered]
"""``vary`` designs anew relative to what there is; ``back`` takes up an earlier request."""


class Reading(Frozen):
    """What a follow-up says, as a closed set of fields; a language model fills in no others.

    Attributes:
        refers: numbers of shown networks, in the order in which they are named.
        aims: in what the variant is to differ.
        factor: times the parameters of what it varies ("half the size": 0.5).
        dataset, limits, style, without: named for the variant; ``without`` is a style that is not wanted.
        like: keep the style of the network that is referred to.
        request: number of an earlier request, 1 for the first; -1: the one before the current.
        longer: more epochs than before.
        refusal: why what is said cannot be met.
    """

    kind: ReadingKind
    refers: tuple[int, ...] = ()
    aims: tuple[Aim, ...] = ()
    factor: float | None = Field(default=None, gt=0, le=1000)
    dataset: str | None = None
    limits: RequestLimits = RequestLimits()
    style: str = "any"
    without: str | None = None
    like: bool = False
    request: int | None = None
    longer: bool = False
    train: bool = False
    epochs: int | None = Field(default=None, ge=1)
    candidates: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)
    refusal: str | None = None
    notes: tuple[str, ...] = ()
    language: str = "en"


class Plan(Frozen):
    """What is designed.

    Attributes:
        styles: architecture styles asked for, in turn; ``("any",)`` leaves it to the model.
        candidates, epochs: ``None``: as configured.
        draw: 0, or how many times the same was asked for again: another draw of the same request.
        train: whether it is trained; ``None``: as configured.
        parent: number of the shown network that it varies, and ``parent_id`` its id.
        aims: in what it is to differ from that.
        within: the limits that the person named, which a variant stays within.
        said: what was asked for in words: the person's own for a request, made from these fields for a variant.
    """

    dataset: str
    limits: RequestLimits = RequestLimits()
    styles: tuple[str, ...] = ("any",)
    candidates: int | None = Field(default=None, ge=1, le=256)
    epochs: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)
    draw: int = Field(default=0, ge=0)
    train: bool | None = None
    parent: int | None = None
    parent_id: str | None = None
    aims: tuple[Aim, ...] = ()
    within: RequestLimits = RequestLimits()
    said: str = ""

    @property
    def request(self) -> Request:
        """The request that the design graph gets."""
        return Request(task=task(self.dataset), limits=self.limits, text=self.said)


class Step(Frozen):
    """What one exchange does.

    Attributes:
        plan: of a ``design`` or ``train``.
        refers: numbers of the shown networks that it is about.
        epochs: of a ``train``, where they were said.
        text: the question or the refusal itself.
        asked: what was said so far, where a question waits for the rest of it.
        understood: in words what was understood.
        instruct: whether the model reads instructions, so that it is shown the network that a variant is of.
        tokens: that understanding it cost.
        notes: what was passed over, and why.
    """

    action: Action
    plan: Plan | None = None
    refers: tuple[int, ...] = ()
    epochs: int | None = Field(default=None, ge=1)
    text: str = ""
    asked: str = ""
    understood: str = ""
    instruct: bool = False
    tokens: int = 0
    notes: tuple[str, ...] = ()
    language: str = "en"


class Known(Frozen):
    """A network that the thread has shown, as follow-ups need it.

    Attributes:
        work: number of the exchange that it was designed for; ``plan`` is that exchange's.
        epochs, protocol: that it was trained for, and the hash of the protocol that its metric was measured under.
        style: the architecture style that it was asked for, or that its figures show.
    """

    n: int
    candidate_id: str
    work: int
    run: str
    plan: Plan
    params: int | None = None
    flops: int | None = None
    metric: float | None = None
    epochs: int | None = None
    protocol: str | None = None
    style: str = "any"


class Talk(Frozen):
    """What was said before, as far as a new message can refer to it.

    Attributes:
        shown: every network that was shown, by number.
        current: numbers of those that the latest turn was about, the best first: what "it" means.
        table: numbers of those of the latest design: what "the second one" counts.
        plans: of the designs so far, oldest first, by the number of their exchange.
        plan: the current one.
        asked: what a question that waits for its answer is about.
    """

    shown: tuple[Known, ...] = ()
    current: tuple[int, ...] = ()
    table: tuple[int, ...] = ()
    plans: tuple[tuple[int, Plan], ...] = ()
    plan: Plan | None = None
    asked: str = ""
