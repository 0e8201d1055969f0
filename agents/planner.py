"""The planner: from one message and what was said before to the one step that answers it."""

from __future__ import annotations

from typing import Any

from ..tools.tasks import known_datasets, task_info
from ..tools.understanding import Understood, understand
from .plans import Plan, Step, Talk

EXAMPLE = "a CIFAR-10 classifier under 200k parameters"


def plan_step(text: str, talk: Talk) -> Step:
    """What to do about a message; deterministic.

    Args:
        text: what the person wrote.
        talk: what it may refer to.
    """
    understood = understand(text)
    if talk.asked:
        return _completed(text, understood, talk)
    return step_of(text, understood)


def step_of(text: str, understood: Understood) -> Step:
    """The step that a request on its own leads to."""
    common: dict[str, Any] = {"notes": understood.notes, "language": understood.language}
    if understood.refusal is not None:
        return Step(action="refusal", text=understood.refusal, **common)
    if understood.request is None:
        return Step(action="question", text=ask_dataset(), asked=text, understood=_partly(understood), **common)
    wishes = understood.wishes
    plan = Plan(
        dataset=understood.request.task.dataset,
        limits=understood.request.limits,
        styles=(understood.style,),
        candidates=wishes.candidates,
        epochs=wishes.epochs,
        seed=wishes.seed,
        train=wishes.train or None,
        said=text.strip(),
    )
    return Step(action="design", plan=plan, understood=describe(plan), **common)


def _completed(text: str, answer: Understood, talk: Talk) -> Step:
    """The request that a question was asked about, with the answer to it."""
    before = understand(talk.asked)
    if answer.request is None:
        return Step(action="question", text=ask_dataset(), asked=talk.asked, notes=answer.notes)
    both = f"{talk.asked.strip()} ({text.strip()})"
    step = step_of(text, answer)
    assert step.plan is not None  # a request was understood
    limits = step.plan.limits if step.plan.limits != type(step.plan.limits)() else before.limits
    styles = step.plan.styles if answer.style != "any" else (before.style,)
    changes = {
        "limits": limits,
        "styles": styles,
        "candidates": step.plan.candidates or before.wishes.candidates,
        "epochs": step.plan.epochs or before.wishes.epochs,
        "seed": before.wishes.seed if step.plan.seed is None else step.plan.seed,
        "train": step.plan.train or before.wishes.train or None,
        "said": both,
    }
    plan = step.plan.model_copy(update=changes)
    return step.model_copy(update={"plan": plan, "understood": describe(plan)})


def ask_dataset() -> str:
    """The question for the one thing that no request can do without."""
    return f"For which data set? I know {', '.join(known_datasets())}."


def describe(plan: Plan) -> str:
    """A plan in words."""
    info = task_info(plan.dataset)
    channels, height, width = info.in_shape
    parts = [f"a network for {info.title} ({channels}×{height}×{width} images, {info.classes} classes)"]
    parts += describe_limits(plan)
    if plan.styles != ("any",):
        parts.append(f"style {' or '.join(plan.styles)}")
    if plan.epochs is not None:
        parts.append(f"trained for {plan.epochs} epoch{'s' if plan.epochs != 1 else ''}")
    return ", ".join(parts)


def describe_limits(plan: Plan) -> list[str]:
    """The limits of a plan in words."""
    least, most = plan.limits.min_params, plan.limits.max_params
    parts = [f"at least {least:,}" if least else "", f"at most {most:,}" if most else ""]
    said = " and ".join(part for part in parts if part)
    return [f"{said} parameters"] if said else []


def _partly(understood: Understood) -> str:
    """In words what was understood of a request that lacks its data set."""
    plan = Plan(dataset=known_datasets()[0], limits=understood.limits, styles=(understood.style,))
    parts = describe_limits(plan)
    if understood.style != "any":
        parts.append(f"style {understood.style}")
    return ", ".join(["a network", *parts])
