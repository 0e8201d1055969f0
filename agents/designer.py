"""The designer: asks the model for networks, one answer per slot, and keeps every answer in the records."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..memory.records import Records
from ..memory.rows import Generation
from ..memory.types import Request
from ..tools.generators.headers import EACH, STYLES
from .models.factory import ChatModelHandle
from .prompting import Prompt, chat_prompt, completion_prompt, delta_prompt
from .retriever import Retriever, Shown
from .seeds import derive_seed

CHUNK = 32
"""Answers asked for at once. Also the grain of a resume: a chunk is written whole or not at all."""


@dataclass(frozen=True)
class Answer:
    """One answer of the model, ``kept`` included, with what it cost."""

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float


@dataclass(frozen=True)
class Asked:
    """What one slot is asked: ``parent`` is the id of the network that the answer is to change."""

    prompt: Prompt
    shown: Shown = field(default_factory=Shown)
    parent: str | None = None


def ask(model: ChatModelHandle, prompts: Sequence[Prompt], seed: int) -> list[Answer]:
    """Answers to ``prompts`` in their order, as one batch."""
    begun = time.perf_counter()
    messages = model.ask([list(p.messages) for p in prompts], seed=seed)
    each = (time.perf_counter() - begun) / max(1, len(prompts))
    answers = []
    for prompt, message in zip(prompts, messages, strict=True):
        usage = getattr(message, "usage_metadata", None) or {}
        text = prompt.kept + message.text
        answers.append(Answer(text, usage.get("input_tokens", 0), usage.get("output_tokens", 0), each))
    return answers


class Designer:
    """Writes candidates for a request.

    Args:
        model: an opened chat model.
        records: where answers are kept.
        request: the task and its limits.
        seed: the campaign's seed.
        size: candidates per batch.
        style: architecture style asked of a completion model; ``any`` leaves it to the model. Of several, and of all
            with ``each``, every slot asks for the next, so that a tuned model cannot fall back on the one it does best.
        retriever: of the networks and blocks that an instruct model is shown.
        grafts: slots at the end of each batch that are left to the grafter.
        delta: an instruct model is shown a network of the records and answers with what it changes; where there is
            none yet, with a whole file.
    """

    def __init__(
        self,
        model: ChatModelHandle,
        records: Records,
        request: Request,
        *,
        seed: int,
        size: int,
        style: str | Sequence[str] = "any",
        retriever: Retriever,
        grafts: int = 0,
        most: int | None = None,
        delta: bool = False,
    ) -> None:
        self.model = model
        self.records = records
        self.request = request
        self.seed = seed
        self.size = size
        self.styles = STYLES if style == EACH else (style,) if isinstance(style, str) else tuple(style)
        self.most = most
        self.retriever = retriever
        self.grafts = grafts
        self.delta = delta

    def slots(self, run: str, cycle: int, batch: int) -> range:
        """The slots of a batch; fewer than ``size`` when the candidate budget ends within it."""
        count = self.size + self.grafts
        first = batch * count
        if self.most is not None:
            earlier = [g for g in self.records.generations(run) if (g.cycle, g.slot) < (cycle, first)]
            before = len(earlier)
            count = max(0, min(count, self.most - before))
        return range(first, first + count)

    def grafted_slots(self, run: str, cycle: int, batch: int) -> range:
        """Those slots of a batch that the grafter fills; they come after the model's."""
        slots = self.slots(run, cycle, batch)
        return slots[self.size :]

    def write_batch(self, run: str, cycle: int, batch: int) -> None:
        """Let the model answer for every slot of the batch that has no answer yet.

        Chunks are seeded by their place, so a resumed run writes the same answers as an undisturbed one.
        """
        slots = self.slots(run, cycle, batch)[: self.size]
        known = {g.slot for g in self.records.generations(run, cycle)}
        for start in range(slots.start, slots.stop, CHUNK):
            chunk = range(start, min(start + CHUNK, slots.stop))
            if all(slot in known for slot in chunk):
                continue
            seed = derive_seed(self.seed, "write", cycle, start)
            written = [self._prompt(cycle, slot) for slot in chunk]
            answers = ask(self.model, [one.prompt for one in written], seed)
            rows = [
                Generation(
                    campaign_id=run,
                    cycle=cycle,
                    slot=slot,
                    seed=seed,
                    prompt=asked.prompt.text,
                    answer=answer.text,
                    tokens_in=answer.tokens_in,
                    tokens_out=answer.tokens_out,
                    seconds=answer.seconds,
                    exemplars=tuple(one.candidate_id for one in asked.shown.exemplars),
                    blocks=tuple(one.id for one in asked.shown.blocks),
                    parent=asked.parent,
                )
                for slot, asked, answer in zip(chunk, written, answers, strict=True)
            ]
            self.records.put_generations(rows, model=self.model.name)

    def _prompt(self, cycle: int, slot: int) -> Asked:
        rng = random.Random(derive_seed(self.seed, "prompt", cycle, slot))
        if self.model.style == "completion":
            return Asked(completion_prompt(self.request, rng, self.styles[slot % len(self.styles)]))
        parent = self.retriever.parent(rng) if self.delta else None
        shown = self.retriever.shown(self.request, rng, parent)
        if parent is None:
            return Asked(chat_prompt(self.request, shown.exemplars, shown.blocks), shown)
        prompt = delta_prompt(self.request, parent, shown.exemplars, shown.blocks)
        return Asked(prompt, shown, parent.candidate_id)
