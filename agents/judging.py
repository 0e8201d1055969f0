"""From an answer to a verdict: the candidate that it makes, of a network or of nothing, and how far that gets."""

from __future__ import annotations

from ..memory.records import Records
from ..memory.rows import Generation, RepairedBy
from ..memory.types import Candidate, Origin, Request, Verdict, candidate_id
from ..tools.blocks.library import BlockLibrary
from ..tools.blocks.usage import used_blocks
from ..tools.deltas import DeltaError, changed
from ..tools.execution import Validator
from ..tools.extraction import clean
from ..tools.outcomes import text as one_line

_REFUSED = "# does not apply to "

NO_CODE = Verdict(ok=False, stage="extract", error_class="NoCode", message="the answer holds no code block")


def as_answered(source: str) -> str:
    """The answer behind a candidate that :meth:`Judging.made` of a change that does not apply."""
    return source.partition("\n")[2] if source.startswith(_REFUSED) else source


class Judging:
    """Makes candidates of answers, has them validated and writes both down. Doing it again changes nothing.

    Args:
        limits_hash: of the limits under which verdicts are kept.
        library: of the blocks that slots were shown; a network that uses one is tagged ``rag-``.
    """

    def __init__(
        self,
        records: Records,
        validator: Validator,
        request: Request,
        *,
        limits_hash: str,
        library: BlockLibrary | None = None,
    ) -> None:
        self.records = records
        self.validator = validator
        self.request = request
        self.limits_hash = limits_hash
        self.library = library

    def known(self, key: str) -> Candidate:
        known = self.records.get_candidate(key)
        if known is None:
            raise LookupError(f"candidate {key} is named by an answer and not in the records")
        return known

    def made(
        self, answer: str, generation: Generation, by: RepairedBy, parent: str | None
    ) -> tuple[Candidate, Verdict | None]:
        """The candidate that an answer makes of a network or of nothing; a verdict where it makes none."""
        refused = None
        source = answer
        if by == "model" and parent is not None:
            try:
                source = changed(self.known(parent).source, answer)
            except DeltaError as error:
                # Kept with the network that it was to change: the verdict is on the pair, not on the text alone.
                source = f"{_REFUSED}{parent}\n{answer}"
                refused = Verdict(
                    ok=False, stage="extract", error_class=error.error_class, message=one_line(str(error))
                )
        elif by == "model":
            source = clean(answer).source
            refused = None if source.strip() else NO_CODE
        return self.candidate(source, generation, parent or generation.candidate_id), refused

    def candidate(self, source: str, generation: Generation, parent: str | None = None) -> Candidate:
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

    def validate(self, candidate: Candidate) -> Verdict:
        known = self.records.get_verdict(candidate.id, self.request.task.id, self.limits_hash)
        if known is not None:
            return known
        verdict = self.validator.validate(candidate.source, self.request.task, self.request.limits)
        self.records.put_verdict(candidate.id, self.request.task.id, verdict, self.limits_hash)
        return verdict

    def refused(self, candidate: Candidate, verdict: Verdict) -> Verdict:
        self.records.put_verdict(candidate.id, self.request.task.id, verdict, self.limits_hash)
        return verdict
