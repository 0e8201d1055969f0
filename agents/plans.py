"""What a turn of a conversation does, as data: a closed set of typed fields, whatever the words were."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..memory.types import Frozen, Request, RequestLimits
from ..tools.tasks import task

Action = Literal["design", "train", "code", "explain", "compare", "why", "best", "list", "help", "question", "refusal"]
"""``design`` writes networks, ``train`` trains ones that were shown; the others answer from what is on record."""

Aim = Literal["smaller", "larger", "accurate", "faster", "wider", "deeper", "style", "limits", "dataset", "again", ""]
"""In what a variant differs from what it varies."""


class Plan(Frozen):
    """What is designed.

    Attributes:
        styles: architecture styles asked for, in turn; ``("any",)`` leaves it to the model.
        candidates, epochs: ``None``: as configured.
        draw: 0, or how many times the same was asked for again: another draw of the same request.
        train: whether it is trained; ``None``: as configured.
        parent: number of the shown network that it varies, and ``parent_id`` its id.
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
    aim: Aim = ""
    said: str = ""

    @property
    def request(self) -> Request:
        """The request that the design graph gets."""
        return Request(task=task(self.dataset), limits=self.limits, text=self.said)


class Step(Frozen):
    """What one exchange does.

    Attributes:
        plan: of a ``design``, and the one that is current after any other step.
        refers: numbers of the shown networks that it is about.
        epochs: of a ``train``, where they were said.
        text: the question or the refusal itself.
        asked: what was said so far, where a question waits for the rest of it.
        understood: in words what was understood.
        notes: what was passed over, and why.
    """

    action: Action
    plan: Plan | None = None
    refers: tuple[int, ...] = ()
    epochs: int | None = Field(default=None, ge=1)
    text: str = ""
    asked: str = ""
    understood: str = ""
    notes: tuple[str, ...] = ()
    language: str = "en"


class Known(Frozen):
    """A network that the thread has shown, as follow-ups need it.

    Attributes:
        work: number of the exchange that it was designed for; ``plan`` is that exchange's.
        style: the architecture style that it was asked for or seems to have.
    """

    n: int
    candidate_id: str
    work: int
    run: str
    plan: Plan
    params: int | None = None
    flops: int | None = None
    metric: float | None = None
    style: str = "any"


class Talk(Frozen):
    """What was said before, as far as a new message can refer to it.

    Attributes:
        shown: every network that was shown, by number.
        current: numbers of those of the latest turn that showed any, the best first.
        plans: of the designs so far, oldest first, by the number of their exchange.
        plan: the current one.
        asked: what a question that waits for its answer is about.
    """

    shown: tuple[Known, ...] = ()
    current: tuple[int, ...] = ()
    plans: tuple[tuple[int, Plan], ...] = ()
    plan: Plan | None = None
    asked: str = ""
