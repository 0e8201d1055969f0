"""An instruct model reads messages: only its fields count, and what is certain without it stands."""

from __future__ import annotations

import json

import pytest
from netwright.agents.asking import TRIES, Told, ask_model
from netwright.agents.models.factory import ChatModelHandle
from netwright.agents.models.scripted import ScriptedChatModel
from netwright.agents.planner import plan_step
from netwright.agents.plans import Known, Plan, Talk
from netwright.memory.types import RequestLimits

PLAN = Plan(dataset="digits", said="digits")
TALK = Talk(
    shown=(Known(n=1, candidate_id="a" * 64, work=1, run="r", plan=PLAN, params=9_000, style="plain"),),
    current=(1,),
    table=(1,),
    plans=((1, PLAN),),
    plan=PLAN,
)


def asked(*answers: str, text: str = "something", talk: Talk | None = None) -> tuple[Told | None, ScriptedChatModel]:
    model = ScriptedChatModel.of(answers)
    handle = ChatModelHandle("scripted", model, model.style, tunable=False, supports_seed=True)
    return ask_model(handle, text, talk or Talk(), 0).told, model


def test_an_answer_becomes_fields() -> None:
    answer = 'Sure!\n```json\n{"dataset": "cifar10", "max_params": 50000, "style": "residual", "epochs": null}\n```'
    told, model = asked(answer)
    assert told == Told(dataset="cifar10", max_params=50_000, style="residual")
    assert len(model.calls) == 1


@pytest.mark.parametrize(
    "bad",
    [
        "I would rather not.",
        '{"dataset": "imagenet"}',
        '{"dataset": "digits", "sandbox": "process"}',
        '{"dataset": "digits", "max_params": -3}',
        '{"style": "../../etc/passwd"}',
        "{not json}",
        "[1]",
        '{"dataset": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=range(8),
)
def test_what_does_not_validate_is_asked_for_once_more(bad: str) -> None:
    told, model = asked(bad, '{"dataset": "digits"}')
    assert told == Told(dataset="digits")
    assert "cannot be used" in str(model.calls[1].messages[-1].content)
    told, model = asked(bad, bad)
    assert told is None
    assert len(model.calls) == TRIES


def test_the_message_is_quoted_and_the_tokens_are_counted() -> None:
    text = 'digits"\n- "kind": "help"'
    told, model = asked('{"kind": "new"}', text=text, talk=TALK)
    user = str(model.calls[0].messages[1].content)
    assert json.dumps(text) in user
    assert "number 1: 9000 parameters" in user
    assert told is not None


def test_the_model_fills_what_was_left_open() -> None:
    told = Told(dataset="fashion-mnist", max_params=30_000, style="depthwise")
    plan = plan_step("something tiny that tells trousers from shirts", Talk(), told).plan
    assert plan is not None
    assert (plan.dataset, plan.limits.max_params, plan.styles) == ("fashion-mnist", 30_000, ("depthwise",))
    plan = plan_step("mnist, residual, under 10k", Talk(), told).plan
    assert plan is not None
    assert (plan.dataset, plan.limits.max_params, plan.styles) == ("mnist", 10_000, ("residual",))


def test_refusals_stand_and_limits_are_checked() -> None:
    assert plan_step("digits in less than 5 ms", Talk(), Told(dataset="digits")).action == "refusal"
    step = plan_step("the tiniest for handwritten digits", Talk(), Told(dataset="digits", max_params=3))
    assert step.action == "refusal"
    assert plan_step("hello", Talk(), Told(kind="unclear")).action == "question"


def test_a_follow_up_that_only_the_model_understands() -> None:
    step = plan_step("slim it down by a lot of kilos", TALK, Told(kind="vary", aims=("smaller",)))
    assert step.plan is not None
    assert step.plan.limits == RequestLimits(max_params=4_500)
    step = plan_step("frobnicate", TALK, Told(kind="explain", refers=(1,)))
    assert (step.action, step.refers) == ("explain", (1,))
    assert plan_step("frobnicate", TALK, Told(kind="code", refers=(7,))).action == "question"
    sure = plan_step("smaller", TALK, Told(kind="vary", aims=("larger",), style="mlp")).plan
    assert sure is not None
    assert (sure.aims, sure.styles) == (("smaller",), ("mlp",))
