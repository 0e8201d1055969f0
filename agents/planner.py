"""The planner: from one message and what was said before to the one step that answers it."""

from __future__ import annotations

from typing import Any

from ..memory.types import RequestLimits
from ..tools.tasks import known_datasets, task_info
from ..tools.understanding import Understood, Wishes, understand
from .asking import Told
from .filling import filled, filled_reading
from .follow_ups import read_follow_up
from .plan_words import describe, limits_in_words, partly
from .plans import Known, Plan, Reading, Step, Talk
from .referring import referred
from .sentences import sentence
from .variants import CannotVary, earlier, train_epochs, variant

EXAMPLE = "a CIFAR-10 classifier under 200k parameters"
FOLLOW_UPS = (
    "smaller",
    "half the size",
    "more accurate",
    "use attention",
    "without residual",
    "like the second one but wider",
    "show me the code of 1",
    "train it for 3 epochs",
    "explain the first",
    "compare 1 and 2",
    "why did it fail",
    "another one",
    "for CIFAR-100 instead",
    "under 50k",
    "go back to the first request",
)
"""Follow-ups as they can be said."""


def plan_step(text: str, talk: Talk, told: Told | None = None, *, candidates: int = 8, epochs: int = 1) -> Step:
    """What to do about a message.

    Args:
        text: what the person wrote.
        talk: what it may refer to.
        told: what an instruct model says that it means. What is read here for certain stands, refusals above all; the
            model fills in what was left open.
        candidates: networks of a request that names no number; ``epochs`` of its training.
    """
    understood = understand(text)
    if told is not None:
        understood = filled(understood, told, text)
    if talk.asked and understood.request is not None:
        return _completed(text, understood, talk)
    reading = read_follow_up(text, talk)
    if told is not None:
        reading = filled_reading(reading, told)
    if talk.asked and reading.kind in ("new", "unclear"):
        return _completed(text, understood, talk)
    if reading.kind == "new":
        return step_of(text, understood)
    return follow_step(text, reading, talk, candidates, epochs)


def step_of(text: str, understood: Understood) -> Step:
    """The step that a request on its own leads to."""
    common: dict[str, Any] = {"notes": understood.notes, "language": understood.language}
    if understood.refusal is not None:
        return Step(action="refusal", text=understood.refusal, **common)
    if understood.request is None:
        return Step(
            action="question",
            text=ask_dataset(understood.language),
            asked=text,
            understood=partly(understood),
            **common,
        )
    wishes = understood.wishes
    plan = Plan(
        dataset=understood.request.task.dataset,
        limits=understood.request.limits,
        within=understood.request.limits,
        styles=(understood.style,),
        candidates=wishes.candidates,
        epochs=wishes.epochs,
        seed=wishes.seed,
        train=wishes.train or None,
        said=text.strip(),
    )
    return Step(action="design", plan=plan, understood=describe(plan), **common)


def follow_step(text: str, reading: Reading, talk: Talk, candidates: int, epochs: int) -> Step:
    """The step that a follow-up leads to."""
    common: dict[str, Any] = {"notes": reading.notes, "language": reading.language}
    if reading.refusal is not None:
        return Step(action="refusal", text=reading.refusal, **common)
    if reading.kind == "unclear":
        return Step(action="question", text=ask_again(), **common)
    if reading.kind in ("help", "list"):
        return Step(action=reading.kind, **common)
    named = referred(reading, talk)
    if named is None:
        return Step(action="question", text=ask_which(reading.refers, talk), **common)
    if reading.kind == "vary":
        return _vary(reading, talk, named, candidates, common)
    if reading.kind == "back":
        return _back(reading, talk, named, common)
    return _about(reading, talk, named, epochs, common)


def _vary(reading: Reading, talk: Talk, named: list[Known], candidates: int, common: dict[str, Any]) -> Step:
    assert talk.plan is not None  # there is something to follow up
    known = named[0] if named else None
    base = known.plan if known is not None and reading.refers else talk.plan
    try:
        plan = variant(reading, base, known, candidates)
    except CannotVary as error:
        return Step(action="refusal", text=str(error), **common)
    return Step(action="design", plan=plan, understood=describe(plan), refers=tuple(k.n for k in named[:1]), **common)


def _back(reading: Reading, talk: Talk, named: list[Known], common: dict[str, Any]) -> Step:
    plan = named[0].plan if reading.refers and reading.request is None and named else earlier(reading, talk)
    if plan is None:
        count = len([plan for _, plan in talk.plans if plan.parent is None])
        said = f"There were {count} requests so far" if count != 1 else "There was one request so far"
        return Step(action="question", text=f"{said}; which one do you mean?", **common)
    return Step(action="design", plan=plan, understood=describe(plan), **common)


def _about(reading: Reading, talk: Talk, named: list[Known], epochs: int, common: dict[str, Any]) -> Step:
    """Training, and what is answered from the records."""
    shown = {one.n: one for one in talk.shown}
    if reading.kind == "compare" and len(reading.refers) < 2:
        named = [*named[:1], *(shown[n] for n in talk.current if n in shown and (not named or n != named[0].n))]
        named = named[: 2 if reading.refers else None]
    if reading.kind in ("best", "why") and not reading.refers:
        named = [shown[n] for n in talk.current if n in shown]
    if not named and reading.kind != "why":
        return Step(action="question", text="No network has been shown yet. Say what to design.", **common)
    refers = tuple(one.n for one in named)
    if reading.kind == "train":
        first = named[0]
        plan = first.plan.model_copy(update={"epochs": train_epochs(reading, first, epochs) or first.plan.epochs})
        same = [one for one in named if one.plan.dataset == plan.dataset]
        said = f"training {', '.join(f'#{one.n}' for one in same)} on {task_info(plan.dataset).title}"
        length = f" for {plan.epochs} epoch{'s' if plan.epochs != 1 else ''}" if plan.epochs else ""
        refers = tuple(one.n for one in same)
        return Step(action="train", plan=plan, refers=refers, understood=f"{said}{length}", **common)
    return Step.model_validate({"action": reading.kind, "refers": refers, **common})


def _completed(text: str, answer: Understood, talk: Talk) -> Step:
    """The request that a question was asked about, with the answer to it."""
    before = understand(talk.asked)
    if answer.request is None:
        if answer.refusal is not None:
            return Step(action="question", text=f"{answer.refusal}. {ask_dataset(before.language)}", asked=talk.asked)
        # What else was said counts too: "under 20k" where the data set was asked for.
        says = (answer.limits, answer.style, answer.wishes) != (RequestLimits(), "any", Wishes())
        asked = f"{talk.asked.strip()}; {text.strip()}" if says else talk.asked
        so_far = partly(understand(asked)) if says else ""
        return Step(
            action="question", text=ask_dataset(before.language), asked=asked, understood=so_far, notes=answer.notes
        )
    step = step_of(text, answer)
    assert step.plan is not None  # a request was understood
    limits = step.plan.limits if step.plan.limits != RequestLimits() else before.limits
    changes = {
        "limits": limits,
        "within": limits,
        "styles": step.plan.styles if answer.style != "any" else (before.style,),
        "candidates": step.plan.candidates or before.wishes.candidates,
        "epochs": step.plan.epochs or before.wishes.epochs,
        "seed": before.wishes.seed if step.plan.seed is None else step.plan.seed,
        "train": step.plan.train or before.wishes.train or None,
        "said": f"{talk.asked.strip()} ({text.strip()})",
    }
    plan = step.plan.model_copy(update=changes)
    notes = tuple(dict.fromkeys((*before.notes, *step.notes)))
    # Limits were read without a data set; now it is known how many parameters its classes need at least.
    checked = understand(f"{plan.dataset}, {limits_in_words(plan)}") if limits_in_words(plan) else answer
    if checked.refusal is not None:
        return Step(action="refusal", text=checked.refusal, notes=notes, language=step.language)
    # "CIFAR-10" is of no language: what was asked first tells.
    language = before.language if step.language == "en" else step.language
    changed = {"plan": plan, "understood": describe(plan), "notes": notes, "language": language}
    return step.model_copy(update=changed)


def ask_dataset(language: str = "en") -> str:
    """The question for the one thing that no request can do without."""
    return sentence("dataset", language, known=", ".join(known_datasets()))


def ask_again() -> str:
    """The question after a follow-up that says nothing known."""
    said = ", ".join(f"“{one}”" for one in FOLLOW_UPS)
    return f"I did not understand that. You can say {said}, or a new request such as “{EXAMPLE}”."


def ask_which(asked: tuple[int, ...], talk: Talk) -> str:
    """The question after a follow-up that names a network that was not shown."""
    shown = [one.n for one in talk.shown]
    unknown = ", ".join(f"#{n}" for n in asked if n not in shown)
    if not shown:
        return "No network has been shown yet. Say what to design."
    return f"I have shown no network {unknown}; there are #1 to #{max(shown)}. Which one do you mean?"
