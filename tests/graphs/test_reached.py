"""What is said of a variant: achieved, missed, or not known."""

from __future__ import annotations

from typing import Any

import pytest
from netwright.agents.plans import Known, Plan
from netwright.graphs.reached import against, comparable, of_figures, of_training, verdict_in_words
from netwright.graphs.turns import Shown
from netwright.memory.types import Verdict
from netwright.tools.generators.headers import STYLES

KEY = "a" * 64


def verdict(params: int = 1000, flops: int = 5000, **figures: Any) -> Verdict:
    held = {"conv_count": 2, "linear_count": 2, "depth": 6, **figures}
    return Verdict(stage="backward", ok=True, params=params, flops=flops, figures=held)


def plan(**fields: Any) -> Plan:
    return Plan.model_validate({"dataset": "digits", "parent": 1, **fields})


@pytest.mark.parametrize(
    ("aim", "mine", "missed"),
    [
        ("smaller", verdict(params=500), ""),
        ("smaller", verdict(params=1000), "It is not smaller."),
        ("larger", verdict(params=900), "It is not larger."),
        ("faster", verdict(flops=6000), "It is not cheaper in FLOPs."),
        ("deeper", verdict(depth=7), ""),
        ("deeper", verdict(depth=6), "It is not deeper."),
        ("deeper", verdict(depth=None), "Nothing measured tells whether it is deeper."),
        ("shallower", verdict(depth=9), "It is not shallower."),
        ("wider", verdict(params=1200), ""),
        ("wider", verdict(params=1200, conv_count=6), "It is not wider (by parameters per layer)."),
        ("narrower", verdict(params=1000, linear_count=1), "It is not narrower (by parameters per layer)."),
    ],
)
def test_aims_are_held_against_the_figures(aim: str, mine: Verdict, missed: str) -> None:
    assert verdict_in_words(of_figures(plan(aims=[aim]), mine, verdict())) == missed


@pytest.mark.parametrize(
    ("styles", "figures", "told"),
    [
        (("attention",), {"has_attention": True}, ""),
        (("attention",), {"has_attention": False}, "It is not of style attention."),
        (("mixer",), {}, "Nothing measured tells whether it is of style mixer."),
        (tuple(s for s in STYLES if s != "residual"), {"has_residual": True}, "It is not without residual."),
        (tuple(s for s in STYLES if s != "residual"), {"has_residual": False}, ""),
        (("any",), {}, ""),
    ],
)
def test_styles_are_held_against_the_figures(styles: tuple[str, ...], figures: dict[str, bool], told: str) -> None:
    assert verdict_in_words(of_figures(plan(styles=styles), verdict(**figures), None)) == told


def known(n: int, metric: float | None, protocol: str | None, epochs: int | None = 1) -> Known:
    return Known(n=n, candidate_id=KEY, work=1, run="r", plan=plan(), metric=metric, protocol=protocol, epochs=epochs)


def test_more_accurate_is_claimed_under_one_protocol_alone() -> None:
    wanted = plan(aims=["accurate"])
    assert of_training(wanted, known(2, 0.9, "p"), known(1, 0.8, "p")) == {"more accurate": True}
    assert of_training(wanted, known(2, 0.7, "p"), known(1, 0.8, "p")) == {"more accurate": False}
    for one, other in ((known(2, 0.9, "q"), known(1, 0.8, "p")), (known(2, None, None), known(1, 0.8, "p"))):
        assert verdict_in_words(of_training(wanted, one, other)).startswith("Nothing measured tells")
    assert of_training(plan(aims=["smaller"]), known(2, 0.9, "p"), known(1, 0.8, "p")) == {}
    assert not comparable(known(2, 0.9, None, 3), known(1, 0.8, None, 1)), "of an earlier version, by their epochs"
    assert comparable(known(2, 0.9, None), known(1, 0.8, "p"))


def test_metrics_of_two_protocols_are_not_subtracted() -> None:
    one, other = (Shown(n=n, candidate_id=KEY, name="x", source="", stage="backward", metric=0.5 * n) for n in (2, 1))
    assert against(one, other, True) == "#2 against #1: accuracy +0.5000."
    assert "+0.5" not in against(one, other, False)
    assert "does not compare" in against(one, other, False)
