"""From what a follow-up says to what is designed: limits relative to the network that it refers to."""

from __future__ import annotations

import math

from ..memory.types import RequestLimits
from ..tools.generators.headers import STYLES
from ..tools.tasks import task
from .plans import Known, Plan, Reading, Talk

SMALLER = 0.5
"""Times the parameters of what it varies: the most that "smaller" may have."""
LARGER = 1.25
"""And the least that "larger" must have."""
FASTER = 0.75
"""Times the FLOPs of what it varies: the most that "faster" may take."""
MORE_CANDIDATES, MOST_BY_ITSELF = 2, 64
"""What is to be more accurate writes so many times the candidates, and this many at most unless more are asked for."""
WIDTHS = {"wider": 1.2, "deeper": 1.0, "narrower": 1.0, "shallower": 1.0}
"""Least parameters, or most for the last two, as a share of what is varied."""


class CannotVary(ValueError):
    """The variant cannot be designed; the message says why and what to say instead."""


def variant(reading: Reading, base: Plan, known: Known | None, candidates: int) -> Plan:
    """The plan of a variant.

    Args:
        base: what is varied.
        known: the network that is varied, where there is one.
        candidates: networks of a plan that names no number.

    Raises:
        CannotVary: the limits leave nothing, or nothing was found yet that could be varied.
    """
    dataset = reading.dataset or base.dataset
    within = _replaced(base.within, reading.limits)
    limits = _replaced(base.limits if _keeps_limits(reading) else within, reading.limits)
    limits = _sized(reading, limits, within, known)
    styles = _styles(reading, base, known)
    changes: dict[str, object] = {
        "dataset": dataset,
        "within": within,
        "limits": limits,
        "styles": styles,
        "candidates": reading.candidates or base.candidates,
        "epochs": reading.epochs or base.epochs,
        "seed": base.seed if reading.seed is None else reading.seed,
        "draw": base.draw + (1 if {"again", "accurate"} & set(reading.aims) else 0),
        "train": True if reading.train or reading.epochs or "accurate" in reading.aims else base.train,
        "parent": known.n if known else None,
        "parent_id": known.candidate_id if known else None,
        "aims": reading.aims,
    }
    if "accurate" in reading.aims and reading.candidates is None:
        more = MORE_CANDIDATES * (base.candidates or candidates)
        changes["candidates"] = min(max(MOST_BY_ITSELF, base.candidates or 0), more)
    plan = base.model_copy(update=changes)
    check_limits(plan)
    return plan.model_copy(update={"said": in_words(plan)})


def train_epochs(reading: Reading, known: Known, usual: int) -> int | None:
    """Epochs of a training that is asked for; ``None``: as usual."""
    if reading.epochs is not None:
        return reading.epochs
    return 2 * (known.epochs or usual) if reading.longer else None


def in_words(plan: Plan) -> str:
    """A variant as an instruct model reads it, made of the plan's fields alone."""
    parts = ["a variant of the network"]
    if plan.aims:
        parts.append("it should be " + ", ".join("another one" if a == "again" else _AS_SAID[a] for a in plan.aims))
    if plan.styles != ("any",) and len(plan.styles) == 1:
        parts.append(f"in the style {plan.styles[0]}")
    return "; ".join(parts)


_AS_SAID = {
    "smaller": "smaller",
    "larger": "larger",
    "accurate": "more accurate",
    "faster": "faster",
    "wider": "wider, with more channels",
    "narrower": "narrower, with fewer channels",
    "deeper": "deeper, with more layers",
    "shallower": "shallower, with fewer layers",
}


def check_limits(plan: Plan) -> None:
    """See that the limits leave something.

    Raises:
        CannotVary: they contradict each other, or are below what the classes alone need.
    """
    least, most = plan.limits.min_params, plan.limits.max_params
    classes = task(plan.dataset).out_shape[0]
    if most is not None and most < 2 * classes:
        raise CannotVary(
            f"at most {most:,} parameters cannot work for {plan.dataset}: its {classes} classes alone need at least "
            f"{2 * classes:,}"
        )
    if least is not None and most is not None and least > most:
        raise CannotVary(
            f"it would need at least {least:,} parameters, but the request allows at most {most:,}; to loosen it say, "
            f"for example, 'at most {2 * least:,} parameters'"
        )


def _keeps_limits(reading: Reading) -> bool:
    """Whether the limits of what is varied stay; those that an earlier variant added go where size is changed anew."""
    return not set(reading.aims) - {"again"}


def _replaced(old: RequestLimits, new: RequestLimits) -> RequestLimits:
    """The limits with those that are named anew; an old one that contradicts them is gone."""
    least, most = new.min_params or old.min_params, new.max_params or old.max_params
    flops = new.max_flops or old.max_flops
    if least is not None and most is not None and least > most:
        return RequestLimits(min_params=new.min_params, max_params=new.max_params, max_flops=flops)
    return RequestLimits(min_params=least, max_params=most, max_flops=flops)


def _sized(reading: Reading, limits: RequestLimits, within: RequestLimits, known: Known | None) -> RequestLimits:
    """The limits, with those that follow from the parameters of the network that is varied."""
    if "faster" in reading.aims and known is not None and known.flops is not None:
        limits = limits.model_copy(update={"max_flops": _least(limits.max_flops, math.floor(known.flops * FASTER))})
    aims = set(reading.aims) - {"again", "faster"}
    if not aims or reading.limits.max_params or reading.limits.min_params:
        return limits
    params = known.params if known else None
    if params is None:
        if "accurate" in aims:
            return limits
        params = within.max_params
        if params is None or "smaller" not in aims:
            raise CannotVary("there is no network yet that could be varied; say what to design, with other limits")
    least, most = within.min_params, within.max_params
    if "smaller" in aims:
        most = _least(most, math.floor(params * (reading.factor or SMALLER)))
        least = None if least is None or least > most else least
    elif "larger" in aims:
        factor = reading.factor or LARGER
        least = math.ceil(params * (factor if factor <= LARGER * 1.2 else factor / 1.25))
        top = None if reading.factor is None else math.floor(params * factor * 1.25)
        most = most if top is None else _least(most, top)
    elif aims & {"wider", "deeper"}:
        least = math.ceil(params * max(WIDTHS[aim] for aim in aims if aim in WIDTHS))
    elif aims & {"narrower", "shallower"}:
        most = _least(most, params)
    elif "accurate" in aims:
        # Larger networks reach more, as a rule: not below what there is, and up to what the request allows.
        least = max(least or 0, min(params, most or params)) or None
    return limits.model_copy(update={"min_params": least, "max_params": most})


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _styles(reading: Reading, base: Plan, known: Known | None) -> tuple[str, ...]:
    if reading.style != "any":
        return (reading.style,)
    if reading.without is not None:
        return tuple(style for style in STYLES if style != reading.without)
    if known is not None and known.style in STYLES and _of_a_kind(reading):
        return (known.style,)
    return base.styles


def _of_a_kind(reading: Reading) -> bool:
    """Whether the variant should stay of the kind of what it varies."""
    return reading.like or bool({"wider", "narrower", "deeper", "shallower"} & set(reading.aims))


def earlier(reading: Reading, talk: Talk) -> Plan | None:
    """The request that "go back" means; ``None``: there is none of that number."""
    requests = [plan for _, plan in talk.plans if plan.parent is None]
    if reading.request is None or reading.request == -1:
        plans = [plan for _, plan in talk.plans]
        return plans[-2] if len(plans) > 1 else None
    return requests[reading.request - 1] if 1 <= reading.request <= len(requests) else None
