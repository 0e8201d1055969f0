"""The repair agent: brings answers to a verdict, and feeds errors back to the model.

An answer is judged in the order generation → clean-up → repair, and the record says which step made it valid,
so that a valid rate always names what it counts.
"""

from __future__ import annotations

from ..memory.records import Records
from ..memory.rows import Generation, RepairAttempt
from ..memory.types import Candidate, Origin, Request, Verdict, candidate_id
from ..tools.blocks.library import BlockLibrary
from ..tools.blocks.usage import used_blocks
from ..tools.execution import Validator
from ..tools.extraction import clean, extract
from .designer import CHUNK, ask
from .models.factory import ChatModelHandle
from .prompting import (
    Prompt,
    begin_again,
    chat_prompt,
    chat_repair_prompt,
    completion_repair_prompt,
    header_of,
)
from .seeds import derive_seed

NO_CODE = Verdict(ok=False, stage="extract", error_class="NoCode", message="the answer holds no code block")


class RepairAgent:
    """Judges and repairs the answers of one run.

    Args:
        max_tries: repair rounds; each feeds the newest text and its error back once.
        library: of the blocks that slots were shown; a network that uses one is tagged ``rag-``.
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
    ) -> None:
        self.model = model
        self.records = records
        self.validator = validator
        self.request = request
        self.seed = seed
        self.limits_hash = limits_hash
        self.max_tries = max_tries
        self.library = library

    def open_slots(self, run: str, cycle: int) -> list[int]:
        """Slots whose newest text has no verdict yet."""
        answered = [g for g in self.records.generations(run, cycle) if g.answer is not None]
        fresh = {g.slot for g in answered if g.raw_candidate_id is None}
        rewritten = {a.slot for a in self.records.repairs(run, cycle) if a.verdict is None}
        return sorted(fresh | rewritten)

    def judge(self, run: str, cycle: int, slot: int) -> Verdict:
        """Bring a slot's newest text to a verdict and write it down. Judging again changes nothing."""
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
            verdicts = [self.verdict(g) for g in chunk]
            prompts = [self._prompt(g, v, attempt) for g, v in zip(chunk, verdicts, strict=True)]
            seed = derive_seed(self.seed, "repair", cycle, slots.start, attempt, start)
            answers = ask(self.model, prompts, seed)
            # In the order of the slots, before branches race: the first record of a program names its parent.
            for generation, answer in zip(chunk, answers, strict=True):
                self._rewritten(answer.text, generation)
            rows = [
                RepairAttempt(
                    campaign_id=run,
                    cycle=cycle,
                    slot=generation.slot,
                    try_no=attempt,
                    error=verdict.reason,
                    answer=answer.text,
                    tokens_in=answer.tokens_in,
                    tokens_out=answer.tokens_out,
                    seconds=answer.seconds,
                )
                for generation, verdict, answer in zip(chunk, verdicts, answers, strict=True)
            ]
            self.records.put_repairs(rows)
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

    def _judge_answer(self, generation: Generation) -> Verdict:
        answer = generation.answer or ""
        block = answer if generation.grafted else extract(answer)
        raw = self._candidate(block if block is not None else answer, generation)
        verdict = self._validate(raw) if block is not None else self._no_code(raw)
        final, valid_by = raw, "generation" if verdict.ok else "none"
        cleaned = raw
        if not verdict.ok:
            cleaned = self._candidate(clean(answer).source, generation)
            if cleaned.id != raw.id and cleaned.source.strip():
                verdict = self._validate(cleaned)
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
        candidate = self._rewritten(attempt.answer or "", generation)
        verdict = self._validate(candidate) if candidate.source.strip() else self._no_code(candidate)
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

    def _rewritten(self, answer: str, generation: Generation) -> Candidate:
        """The candidate that a repair round made of a generation's newest one."""
        return self._candidate(clean(answer).source, generation, parent=generation.candidate_id)

    def _candidate(self, source: str, generation: Generation, parent: str | None = None) -> Candidate:
        blocks = self._used(source, generation)
        parents = (parent,) if parent and parent != candidate_id(source) else ()
        origin: Origin = "rag-" if blocks else "llm-"
        candidate = Candidate(source=source, origin=origin, parents=parents, blocks=blocks)
        self.records.add_candidate(candidate)
        return candidate

    def _used(self, source: str, generation: Generation) -> tuple[str, ...]:
        """Ids of the blocks that the slot was shown and that the program uses."""
        if self.library is None or not generation.blocks or generation.grafted:
            return ()  # a graft was written down with its blocks before it was judged
        known = self.library.get_many(generation.blocks)
        return used_blocks(source, [known[key] for key in generation.blocks if key in known])

    def _validate(self, candidate: Candidate) -> Verdict:
        known = self.records.get_verdict(candidate.id, self.request.task.id, self.limits_hash)
        if known is not None:
            return known
        verdict = self.validator.validate(candidate.source, self.request.task, self.request.limits)
        self.records.put_verdict(candidate.id, self.request.task.id, verdict, self.limits_hash)
        return verdict

    def _no_code(self, candidate: Candidate) -> Verdict:
        self.records.put_verdict(candidate.id, self.request.task.id, NO_CODE, self.limits_hash)
        return NO_CODE

    def _prompt(self, generation: Generation, verdict: Verdict, attempt: int) -> Prompt:
        known = self.records.get_candidate(generation.candidate_id) if generation.candidate_id else None
        code = known.source if known else ""
        header = header_of(generation.prompt)
        if self.model.style == "completion":
            prompt, afresh = completion_repair_prompt(header, code, verdict, attempt), begin_again(header)
        else:
            prompt, afresh = chat_repair_prompt(self.request, code, verdict), chat_prompt(self.request)
        # A text that leaves no room for an answer cannot be fed back: the slot is written anew.
        return prompt if self.model.has_room(prompt.messages) else afresh
