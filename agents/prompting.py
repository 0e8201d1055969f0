"""Prompts as messages, from the texts in ``prompts/``; one way for instruct models, one for completion models.

A *chat* model gets the contract, the task and the limits in words (appendix I of *From Memorization to
Creativity*). A *completion* model (``netwright-nano``) is conditioned on one header line instead.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from ..memory.block_types import Block
from ..memory.types import Request, Verdict
from ..tools.generators.headers import BUCKETS, Header, buckets_under
from ..tools.understanding import wished_style

SHOWN_ANSWER: Final = 4_000
"""Characters of an answer that could not be applied which its writer is shown again."""


@dataclass(frozen=True)
class Exemplar:
    """A network shown to the designer: its code and what it reached; ``trained`` is false where that is not known."""

    candidate_id: str
    code: str
    metric: float
    trained: bool = True

    def reached(self, metric: str) -> str:
        """What it reached, in words."""
        return f"reached {metric} = {self.metric:.3f}" if self.trained else "was not trained yet"


@dataclass(frozen=True)
class Prompt:
    """What is sent to the model. ``kept`` is the start of the file that the model only continues."""

    messages: tuple[BaseMessage, ...]
    kept: str = ""

    @property
    def text(self) -> str:
        """The prompt as it is kept in the records."""
        return "\n\n".join(f"[{m.type}]\n{m.text}" for m in self.messages)


@cache
def prompt_text(name: str) -> str:
    """The text of ``prompts/<name>.md``."""
    return (files(__package__) / "prompts" / f"{name}.md").read_text(encoding="utf-8")


def header_for(request: Request, rng: random.Random, style: str = "any") -> Header:
    """A header that asks for what the request asks for; the parameter bucket is drawn below its limit.

    Args:
        style: a style name, or ``any`` to leave the choice to the model unless the request names one.
    """
    channels, height, width = request.task.in_shape
    most, least = request.limits.max_params, request.limits.min_params
    if most is None and least is None:
        bucket = "any"
    else:
        bucket = rng.choice(_buckets(least, most))
    wanted = wished_style(request.text) if style == "any" else style
    return Header((channels, height, width), request.task.out_shape[0], bucket, wanted)


def _buckets(least: int | None, most: int | None) -> list[str]:
    below = list(buckets_under(most)) if most is not None else [b for b in BUCKETS if b != "any"]
    under_least = set(buckets_under(least)) if least is not None else set()
    return [b for b in below if b not in under_least] or below[-1:] or ["any"]


def completion_prompt(request: Request, rng: random.Random, style: str = "any") -> Prompt:
    """The prompt of a completion model: the header line alone."""
    return Prompt((HumanMessage(header_for(request, rng, style).render()),))


def header_of(prompt: str) -> str:
    """The header line in the recorded text of a completion model's prompt."""
    return next((line for line in prompt.splitlines() if line.startswith("# task=")), "")


def begin_again(header: str) -> Prompt:
    """The prompt of a completion model by a header line that was used before."""
    return Prompt((HumanMessage(header),))


def shown_exemplar(metric: str, exemplar: Exemplar) -> str:
    """An exemplar as a chat model reads it."""
    return prompt_text("exemplar").format(reached=exemplar.reached(metric), code=exemplar.code.strip())


def shown_block(block: Block) -> str:
    """A block as a chat model reads it: what it is, the shapes it ran on, how it was built, its whole file."""
    facts = [f"a {block.category} block of {block.package}, `{block.name}{block.signature}`"]
    check = block.check
    if check is not None and check.inputs and check.outputs:
        before, after = (", ".join(map(str, shapes)) for shapes in (check.inputs, check.outputs))
        facts.append(f"built with {check.arguments or {}} it maps {before} to {after}")
    return prompt_text("block").format(name=block.name, facts="; ".join(facts), code=block.text.strip())


def chat_prompt(request: Request, exemplars: Sequence[Exemplar] = (), blocks: Sequence[Block] = ()) -> Prompt:
    """The prompt of an instruct model: contract, task, limits, and exemplars and blocks if there are any."""
    shown = "".join(shown_exemplar(request.task.metric, one) for one in exemplars)
    shown += "".join(shown_block(one) for one in blocks)
    wishes = f"- what was asked for: {request.text}\n" if request.text else ""
    user = prompt_text("designer_user").format(**_facts(request), wishes=wishes, exemplars=shown)
    return Prompt((SystemMessage(prompt_text("designer_system").strip()), HumanMessage(user.strip())))


def chat_repair_prompt(
    request: Request, code: str, verdict: Verdict, hints: str = "", *, delta: bool = False
) -> Prompt:
    """The failing file and its error, fed back to an instruct model.

    Args:
        hints: what the sandbox found out about the failure, in words.
        delta: the answer is to be blocks that change the file, and not the whole file.
    """
    where = f" (line {verdict.line})" if verdict.line else ""
    user = prompt_text("delta_repair_user" if delta else "repair_user").format(
        **_facts(request),
        stage=verdict.stage,
        error_class=verdict.error_class,
        message=verdict.message,
        where=where,
        hints=f"{hints}\n" if hints else "",
        code=code.rstrip("\n") if delta else code.strip(),
    )
    system = "delta_system" if delta else "designer_system"
    return Prompt((SystemMessage(prompt_text(system).strip()), HumanMessage(user.strip())))


def delta_prompt(
    request: Request, parent: Exemplar, exemplars: Sequence[Exemplar] = (), blocks: Sequence[Block] = ()
) -> Prompt:
    """The prompt of an instruct model that is to change a network: contract, task, limits and the network.

    The text of the network stands there unchanged: blocks must quote it to the character.
    """
    shown = "".join(shown_exemplar(request.task.metric, one) for one in exemplars)
    shown += "".join(shown_block(one) for one in blocks)
    user = prompt_text("delta_user").format(
        **_facts(request),
        wishes=f"- what was asked for: {request.text}\n" if request.text else "",
        reached=parent.reached(request.task.metric),
        code=parent.code.rstrip("\n"),
        exemplars=shown,
    )
    return Prompt((SystemMessage(prompt_text("delta_system").strip()), HumanMessage(user.strip())))


def delta_again_prompt(request: Request, parent: str, answer: str, verdict: Verdict) -> Prompt:
    """Blocks that do not apply, the reason, and the file that they were meant for."""
    user = prompt_text("delta_again_user").format(
        **_facts(request),
        error_class=verdict.error_class,
        message=verdict.message,
        answer=answer[:SHOWN_ANSWER].strip(),
        code=parent.rstrip("\n"),
    )
    return Prompt((SystemMessage(prompt_text("delta_system").strip()), HumanMessage(user.strip())))


def completion_repair_prompt(header: str, code: str, verdict: Verdict, attempt: int) -> Prompt:
    """The part of the file before the error, for a completion model to write on from.

    Such a model cannot read an error message, but it can be set back to the place where things went
    wrong: first to the failing line, then to the head of the class that holds it.
    """
    lines = code.splitlines(keepends=True)
    line = verdict.line if verdict.line and 1 < verdict.line <= len(lines) else len(lines) // 2 + 1
    cut = line - 1
    if attempt > 1:
        heads = [n for n, text in enumerate(lines[:line]) if text.startswith("class ")]
        cut = heads[-1] if heads else 0
    # Without its last line break: the model goes on with a token that starts by one.
    kept = "".join(lines[:cut]).rstrip("\n")
    messages: list[BaseMessage] = [HumanMessage(header)]
    if kept:
        messages.append(AIMessage(kept))
    return Prompt(tuple(messages), kept)


def skeleton_prompt(request: Request, masked: str) -> str:
    """What a chat model is asked that fills in a masked skeleton (*LEMUR 2*, supplement 6.1), in our own words."""
    return prompt_text("skeleton_user").format(**_facts(request), masked_code=masked.strip()).strip()


def _facts(request: Request) -> dict[str, object]:
    channels, height, width = request.task.in_shape
    most, least = request.limits.max_params, request.limits.min_params
    bounds = [f"at least {least:,}" if least else "", f"at most {most:,}" if most else ""]
    budget = " and ".join(b for b in bounds if b)
    flops = request.limits.max_flops
    operations = f"; at most {flops:,} FLOPs (two per multiply-add) in a forward pass of one image" if flops else ""
    return {
        "dataset": request.task.dataset,
        "kind": request.task.kind,
        "metric": request.task.metric,
        "channels": channels,
        "height": height,
        "width": width,
        "classes": request.task.out_shape[0],
        "budget": (f"{budget} parameters" if budget else "none, but keep it small") + operations,
    }
