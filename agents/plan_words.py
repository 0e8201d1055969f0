"""Plans in words: what a reply says that it has understood."""

from __future__ import annotations

from ..tools.generators.headers import STYLES
from ..tools.tasks import known_datasets, task_info
from ..tools.understanding import Understood
from .plans import Plan


def describe(plan: Plan) -> str:
    """A plan in words."""
    info = task_info(plan.dataset)
    channels, height, width = info.in_shape
    parts = [f"a network for {info.title} ({channels}×{height}×{width} images, {info.classes} classes)"]
    parts += [said] if (said := limits_in_words(plan)) else []
    if len(plan.styles) > 1:
        parts.append(f"in any style but {_left_out(plan)}")
    elif plan.styles != ("any",):
        parts.append(f"style {plan.styles[0]}")
    if plan.aims:
        parts.append(" and ".join(_SAID[aim] for aim in plan.aims))
    if plan.parent is not None:
        parts.append(f"varying #{plan.parent}")
    if plan.epochs is not None:
        parts.append(f"trained for {plan.epochs} epoch{'s' if plan.epochs != 1 else ''}")
    return ", ".join(parts)


_SAID = {
    "smaller": "smaller",
    "larger": "larger",
    "accurate": "more accurate",
    "faster": "faster",
    "wider": "wider",
    "narrower": "narrower",
    "deeper": "deeper",
    "shallower": "shallower",
    "again": "another one",
}


def _left_out(plan: Plan) -> str:
    return ", ".join(style for style in STYLES if style not in plan.styles)


def limits_in_words(plan: Plan) -> str:
    least, most = plan.limits.min_params, plan.limits.max_params
    said = " and ".join(filter(None, [f"at least {least:,}" if least else "", f"at most {most:,}" if most else ""]))
    flops = f"at most {plan.limits.max_flops:,} FLOPs" if plan.limits.max_flops else ""
    return ", ".join(filter(None, [f"{said} parameters" if said else "", flops]))


def partly(understood: Understood) -> str:
    """In words what was understood of a request that lacks its data set."""
    plan = Plan(dataset=known_datasets()[0], limits=understood.limits, styles=(understood.style,))
    parts = ["a network", *filter(None, [limits_in_words(plan)])]
    if understood.style != "any":
        parts.append(f"style {understood.style}")
    return ", ".join(parts)
