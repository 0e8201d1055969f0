"""The repair agent: brings answers to a verdict, and feeds errors back to the model.

An answer is judged in the order generation → clean-up → repair, and the record says which step made it valid,
so that a valid rate always names what it counts. An answer that changes a network (see :mod:`..tools.deltas`) is
applied to it first, strictly; one that does not apply has a verdict of stage ``extract``.

A repair round asks the sandbox for hints (:mod:`..tools.hints`). An instruct model reads them; a completion model
cannot, so where a deterministic edit makes the program valid, that is the round's answer and the model is not asked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ..memory.records import Records
from ..memory.rows import Generation, RepairAttempt, RepairedBy
from ..memory.types import Candidate, Request, Verdict
from ..tools.blocks.library import BlockLibrary
from ..tools.execution import Validator
from ..tools.extraction import clean, extract
from ..tools.hints import Hinter, Hints
from .designer import CHUNK, Answer, ask
from .judging import NO_CODE, Judging, as_answered
from .models.factory import ChatModelHandle
from .rewriting import Rewriting
from .seeds import derive_seed

_log = logging.getLogger(__name__)


class RepairAgent:
    """Judges and repairs the answers of one run.

    Args:
        max_tries: repair rounds; each feeds the newest text and its error back once.
        library: of the blocks that slots were shown; a network that uses one is tagged ``rag-``.
        hinter: finds out why a candidate fails, and edits that mend it; without one there are no hints.
        delta: an instruct model answers a repair with what it changes, and not with the whole file.
    """

    def __init__(
        self,
        model: ChatModelHandle,
        records: Records,
        validator: Validator,
        request: Request,
        *,
        seed: int,
        limits_hash: str,
        max_tries: int = 2,
        library: BlockLibrary | None = None,
        hinter: Hinter | None = None,
        delta: bool = False,
    ) -> None:
        self.model = model
        self.records = records
        self.request = request
        self.seed = seed
        self.limits_hash = limits_hash
        self.max_tries = max_tries
        self.judging = Judging(records, validator, request, limits_hash=limits_hash, library=library)
        self.hinter = hinter
        self.delta = delta

    def open_slots(self, run: str, cycle: int) -> list[int]:
        """Slots whose newest text has no verdict yet."""
        answered = [g for g in self.records.generations(run, cycle) if g.answer is not None]
        fresh = {g.slot for g in answered if g.raw_candidate_id is None}
        rewritten = {a.slot for a in self.records.repairs(run, cycle) if a.verdict is None}
        return sorted(fresh | rewritten)

    def judge(self, run: str, cycle: int, slot: int) -> Verdict:
        """Bring a slot's newest text to a verdict and write it down. Judging again changes nothing."""
        verdict = self._judge(run, cycle, slot)
        about = {"campaign": run, "cycle": cycle, "stage": "validate", "slot": slot}
        _log.debug("slot %d: %s", slot, "valid" if verdict.ok else verdict.reason, extra=about)
        return verdict

    def _judge(self, run: str, cycle: int, slot: int) -> Verdict:
        generation = self._generation(run, cycle, slot)
        if generation.raw_candidate_id is None:
            return self._judge_answer(generation)
        for attempt in self.records.repairs(run, cycle):
            if attempt.slot == slot and attempt.verdict is None:
                return self._judge_attempt(generation, attempt)
        return self.verdict(generation)

    def verdict(self, generation: Generation) -> Verdict:
        """The verdict on a generation's final candidate."""
        known = generation.candidate_id and self.records.get_verdict(
            generation.candidate_id, self.request.task.id, self.limits_hash
        )
        return known or NO_CODE

    def next_round(self, run: str, cycle: int, slots: range) -> int | None:
        """The repair round that the records say is due for a batch, ``None`` when nothing is left to rewrite.

        Read off the records rather than counted in the graph's state: a round that a crash left half written, or
        written and not yet counted, is finished as it was begun.
        """
        tried = self._tried(run, cycle)
        for attempt in range(1, self.max_tries + 1):
            if any(attempt not in tried.get(g.slot, ()) for g in self._invalid(run, cycle, slots, attempt)):
                return attempt
        return None

    def rewrite(self, run: str, cycle: int, slots: range, attempt: int) -> int:
        """One repair round over the slots of a batch that were invalid before it.

        Chunks are seeded by round and place in that list, which is the same in a resumed run.

        Returns:
            Number of texts of the round.
        """
        tried = self._tried(run, cycle)
        invalid = self._invalid(run, cycle, slots, attempt)
        for start in range(0, len(invalid), CHUNK):
            chunk = invalid[start : start + CHUNK]
            if all(attempt in tried.get(g.slot, ()) for g in chunk):
                continue
            slotwise = self._looked_at(chunk, attempt)
            answers = self._answers(
                slotwise, attempt, derive_seed(self.seed, "repair", cycle, slots.start, attempt, start)
            )
            # In the order of the slots, before branches race: the first record of a program names its parent.
            for one, (answer, by) in zip(slotwise, answers, strict=True):
                self.judging.made(answer.text, one.generation, by, one.parent(by))
            rows = [
                RepairAttempt(
                    campaign_id=run,
                    cycle=cycle,
                    slot=one.generation.slot,
                    try_no=attempt,
                    error=one.verdict.reason,
                    answer=answer.text,
                    tokens_in=answer.tokens_in,
                    tokens_out=answer.tokens_out,
                    seconds=answer.seconds,
                    by=by,
                    parent=one.parent(by),
                )
                for one, (answer, by) in zip(slotwise, answers, strict=True)
            ]
            self.records.put_repairs(rows, model=self.model.name)
        return len(invalid)

    def _tried(self, run: str, cycle: int) -> dict[int, set[int]]:
        """Rounds that rewrote a slot, by slot."""
        tried: dict[int, set[int]] = {}
        for one in self.records.repairs(run, cycle):
            tried.setdefault(one.slot, set()).add(one.try_no)
        return tried

    def _invalid(self, run: str, cycle: int, slots: range, attempt: int) -> list[Generation]:
        """Generations of a batch that were invalid before a round: those that still are, or that it or a later
        one mended."""
        return [
            g
            for g in self.records.generations(run, cycle)
            if g.slot in slots
            and not g.grafted
            and (g.valid_by == "none" or (g.valid_by == "repair" and g.repair_tries >= attempt))
        ]

    def _looked_at(self, chunk: Sequence[Generation], attempt: int) -> list[Rewriting]:
        """The slots of a chunk with their verdicts and hints, looked at side by side."""

        def one(generation: Generation) -> Rewriting:
            verdict, hints = self.verdict(generation), Hints()
            known = self.records.get_candidate(generation.candidate_id) if generation.candidate_id else None
            if self.hinter is not None and known is not None:
                hints, _ = self.hinter.mend(known.source, self.request.task, verdict, self.request.limits)
            meant = self._meant_for(generation, verdict, attempt)
            base = self._base(generation, verdict, meant)
            code = as_answered(known.source) if known else ""
            looked = Rewriting(generation, verdict, hints, code, base, meant)
            if base is not None and not self.model.has_room(looked.delta_prompt(self.request, base).messages):
                return replace(looked, base=None)
            return looked

        with ThreadPoolExecutor(max_workers=self.hinter.workers if self.hinter else 1) as pool:
            return list(pool.map(one, chunk))

    def _answers(self, slotwise: Sequence[Rewriting], attempt: int, seed: int) -> list[tuple[Answer, RepairedBy]]:
        """An answer per slot: the mended program for a model that cannot read hints, else the model's."""
        by_hint = self.model.style == "completion"
        asked = [one for one in slotwise if not (by_hint and one.hints.mended)]
        prompts = [one.prompt(self.model, self.request, attempt) for one in asked]
        written = iter(ask(self.model, prompts, seed) if asked else ())
        return [
            (Answer(one.hints.mended, 0, 0, 0.0), "hint") if by_hint and one.hints.mended else (next(written), "model")
            for one in slotwise
        ]

    def _judge_answer(self, generation: Generation) -> Verdict:
        answer = generation.answer or ""
        if generation.parent is not None:
            made, refused = self.judging.made(answer, generation, "model", generation.parent)
            raw = cleaned = final = made
            verdict = self.judging.refused(made, refused) if refused else self.judging.validate(made)
            valid_by = "generation" if verdict.ok else "none"
        else:
            block = answer if generation.grafted else extract(answer)
            raw = cleaned = final = self.judging.candidate(block if block is not None else answer, generation)
            verdict = self.judging.validate(raw) if block is not None else self.judging.refused(raw, NO_CODE)
            valid_by = "generation" if verdict.ok else "none"
            if not verdict.ok:
                cleaned = self.judging.candidate(clean(answer).source, generation)
                if cleaned.id != raw.id and cleaned.source.strip():
                    verdict = self.judging.validate(cleaned)
                    final, valid_by = cleaned, "cleanup" if verdict.ok else "none"
        self.records.update_generation(
            generation.campaign_id,
            generation.cycle,
            generation.slot,
            raw_candidate_id=raw.id,
            cleaned_candidate_id=cleaned.id,
            candidate_id=final.id,
            valid_by=valid_by,
        )
        return verdict

    def _judge_attempt(self, generation: Generation, attempt: RepairAttempt) -> Verdict:
        candidate, refused = self.judging.made(attempt.answer or "", generation, attempt.by, attempt.parent)
        verdict = self.judging.refused(candidate, refused) if refused else self.judging.validate(candidate)
        # The generation first: were the attempt closed before it, a crash between the two would lose the repair.
        changes: dict[str, object] = {"repair_tries": attempt.try_no}
        if generation.valid_by == "none":
            changes |= {"candidate_id": candidate.id, "valid_by": "repair" if verdict.ok else "none"}
        self.records.update_generation(generation.campaign_id, generation.cycle, generation.slot, **changes)
        self.records.judge_repair(attempt.model_copy(update={"candidate_id": candidate.id, "verdict": verdict}))
        return verdict

    def _generation(self, run: str, cycle: int, slot: int) -> Generation:
        generation = self.records.get_generation(run, cycle, slot)
        if generation is None:
            raise LookupError(f"run {run} has no answer for cycle {cycle}, slot {slot}")
        return generation

    def _meant_for(self, generation: Generation, verdict: Verdict, attempt: int) -> str | None:
        """Id of the network that a slot's blocks were meant for; ``None`` where its text is no such blocks."""
        if verdict.stage != "extract":
            return None
        repairs = self.records.repairs(generation.campaign_id, generation.cycle)
        own = [one for one in repairs if one.slot == generation.slot and one.try_no < attempt]
        return max(own, key=lambda one: one.try_no).parent if own else generation.parent

    def _base(self, generation: Generation, verdict: Verdict, meant: str | None) -> Candidate | None:
        """The network that a repair changes, ``None`` where a whole file is asked for.

        It is the failing one; where blocks could not be applied, that which they were meant for.
        """
        if not self.delta or self.model.style == "completion":
            return None
        key = meant if verdict.stage == "extract" else generation.candidate_id
        return self.judging.known(key) if key is not None else None
