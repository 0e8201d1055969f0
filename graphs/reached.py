"""Whether a network is what was asked for, as far as its figures and its training tell: said, not hoped."""

from __future__ import annotations

from typing import Final

from ..agents.plans import Known, Plan
from ..memory.types import Verdict
from ..tools.generators.headers import STYLES
from .turns import Shown

Reached = dict[str, bool | None]
"""What was asked for, in words, and whether it is so; ``None``: nothing tells."""

STYLE_FLAGS: Final = {
    "dense": "is_densenet_like",
    "inception": "is_inception_like",
    "depthwise": "is_mobilenet_like",
    "attention": "has_attention",
    "residual": "has_residual",
}
"""Styles that a network's figures show; the more telling first."""


def of_figures(plan: Plan, verdict: Verdict, parent: Verdict | None) -> Reached:
    """What the figures of a network tell of its plan.

    Args:
        parent: verdict on the network that it varies; ``None``: it varies none, or one for another data set.
    """
    found = _styles(plan, verdict)
    if parent is None:
        return found
    params, flops = _above(verdict.params, parent.params), _above(verdict.flops, parent.flops)
    depth, width = _above(_depth(verdict), _depth(parent)), _above(_width(verdict), _width(parent))
    told: dict[str, tuple[str, int | None, int]] = {
        "smaller": ("smaller", params, -1),
        "larger": ("larger", params, 1),
        "faster": ("cheaper in FLOPs", flops, -1),
        "wider": ("wider (by parameters per layer)", width, 1),
        "narrower": ("narrower (by parameters per layer)", width, -1),
        "deeper": ("deeper", depth, 1),
        "shallower": ("shallower", depth, -1),
    }
    for aim in plan.aims:
        if aim in told:
            words, sign, wanted = told[aim]
            found[words] = None if sign is None else sign == wanted
    return found


def of_training(plan: Plan, one: Known, parent: Known) -> Reached:
    """Whether a network is more accurate than what it varies, where that was asked for."""
    if "accurate" not in plan.aims:
        return {}
    known = one.metric is not None and parent.metric is not None and comparable(one, parent)
    return {"more accurate": (one.metric or 0.0) > (parent.metric or 0.0) if known else None}


def comparable(one: Known, other: Known) -> bool:
    """Whether two metrics compare: they were measured under the same protocol."""
    if one.protocol is not None and other.protocol is not None:
        return one.protocol == other.protocol
    return one.epochs == other.epochs  # shown by an earlier version, which did not note it


def against(one: Shown, other: Shown, same_protocol: bool) -> str:
    """One network against another, in ratios and differences."""
    ratios = (("parameters", one.params, other.params), ("FLOPs", one.flops, other.flops))
    said = [f"{mine / theirs:.2f} × the {what}" for what, mine, theirs in ratios if mine and theirs]
    if one.metric is not None and other.metric is not None:
        difference = f"{one.metric_name} {one.metric - other.metric:+.4f}"
        apart = f"{one.metric_name} measured under another protocol, which does not compare"
        said.append(difference if same_protocol else apart)
    return f"#{one.n} against #{other.n}: {', '.join(said)}." if said else ""


def verdict_in_words(reached: Reached) -> str:
    """What was asked for and is not so, and what nobody can tell; empty where all is as it was asked for."""
    missed = [words for words, met in reached.items() if met is False]
    unknown = [words for words, met in reached.items() if met is None]
    parts = [f"It is not {' and not '.join(missed)}."] if missed else []
    if unknown:
        parts.append(f"Nothing measured tells whether it is {' or '.join(unknown)}.")
    return " ".join(parts)


def _styles(plan: Plan, verdict: Verdict) -> Reached:
    """Of a style that was named, or left out."""
    if len(plan.styles) > 1:
        left_out = [style for style in STYLES if style not in plan.styles]
        return {f"without {style}": None if (has := shows(style, verdict)) is None else not has for style in left_out}
    return {f"of style {style}": shows(style, verdict) for style in plan.styles if style in STYLES}


def shows(style: str, verdict: Verdict) -> bool | None:
    """Whether a network's figures show a style; ``None``: no figure tells that style."""
    value = verdict.figures.get(STYLE_FLAGS.get(style, ""))
    return value if isinstance(value, bool) else None


def _above(mine: float | None, theirs: float | None) -> int | None:
    return None if mine is None or theirs is None else (mine > theirs) - (mine < theirs)


def _depth(verdict: Verdict) -> int | None:
    depth = verdict.figures.get("depth")
    return depth if isinstance(depth, int) else None


def _width(verdict: Verdict) -> float | None:
    """Parameters of a convolution or linear layer, on average: no figure tells the channels themselves."""
    counts = [verdict.figures.get(name) for name in ("conv_count", "linear_count")]
    layers = sum(count for count in counts if isinstance(count, int))
    return verdict.params / layers if verdict.params and layers else None
