"""A campaign's records read once, and the questions that a report asks of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from ...memory.records import Records, RecordsError
from ...memory.rows import Admission, Campaign, Cycle, Generation, Prediction, RepairAttempt
from ...memory.types import Candidate, Protocol, Task, Trial, Verdict
from .model import ErrorCount

_EXAMPLE_CHARS = 200


@dataclass(frozen=True)
class History:
    """Everything a report needs of one campaign.

    Attributes:
        verdicts, trials, candidates: by candidate id.
        admissions: by (cycle, candidate id).
    """

    campaign: Campaign
    task: Task
    protocol: Protocol
    cycles: tuple[Cycle, ...]
    generations: tuple[Generation, ...]
    repairs: tuple[RepairAttempt, ...]
    admissions: dict[tuple[int, str], Admission]
    verdicts: dict[str, Verdict]
    trials: dict[str, Trial]
    candidates: dict[str, Candidate]
    predictions: tuple[Prediction, ...] = ()

    @classmethod
    def read(cls, records: Records, campaign_id: str) -> History:
        """Read a campaign.

        Raises:
            RecordsError: there is no such campaign.
        """
        campaign = records.get_campaign(campaign_id)
        task = records.get_task(campaign.task_id)
        protocol = records.get_protocol(campaign.protocol_hash)
        if task is None or protocol is None:
            raise RecordsError(f"the task or protocol of campaign {campaign_id} is missing from the records")
        generations = records.generations(campaign_id)
        written = {key for one in generations for key in (one.raw_candidate_id, one.cleaned_candidate_id) if key}
        final = [one.candidate_id for one in generations if one.candidate_id]
        return cls(
            campaign=campaign,
            task=task,
            protocol=protocol,
            cycles=tuple(records.cycles(campaign_id)),
            generations=tuple(generations),
            repairs=tuple(records.repairs(campaign_id)),
            admissions={(one.cycle, one.candidate_id): one for one in records.admissions(campaign_id)},
            verdicts=records.get_verdicts(written.union(final), task.id, campaign.limits_hash),
            trials=records.get_trials(final, task.id, campaign.protocol_hash),
            candidates=records.get_candidates(final),
            predictions=tuple(records.predictions(campaign_id)),
        )

    def in_cycle(self, cycle: int) -> list[Generation]:
        """Generations of one cycle, by slot."""
        return [one for one in self.generations if one.cycle == cycle]

    @cached_property
    def first_slots(self) -> tuple[Generation, ...]:
        """One slot for each valid candidate: the first that was decided on, else the first that wrote it."""
        owners: dict[str, Generation] = {}
        for one in self.generations:
            key = one.candidate_id
            if key is None or one.valid_by == "none":
                continue
            # What was passed over as a near copy in one cycle may be new, and decided on, in a later one.
            decided = (one.cycle, key) in self.admissions
            if key not in owners or (decided and (owners[key].cycle, key) not in self.admissions):
                owners[key] = one
        return tuple(sorted(owners.values(), key=lambda one: (one.cycle, one.slot)))

    @cached_property
    def _owners(self) -> frozenset[tuple[int, int]]:
        return frozenset((one.cycle, one.slot) for one in self.first_slots)

    def owns(self, generation: Generation) -> bool:
        """Whether a slot is the one that its candidate's trial and admission count for; a copy's is not."""
        return (generation.cycle, generation.slot) in self._owners

    def admitted(self, generation: Generation) -> bool:
        """Whether the campaign admitted what a slot holds."""
        found = self.admissions.get((generation.cycle, generation.candidate_id or ""))
        return found is not None and found.admitted and self.owns(generation)

    @cached_property
    def entered(self) -> Counter[int]:
        """How many networks each cycle brought into the corpus, which holds a network once: without a novelty filter
        a copy is admitted again."""
        first: dict[str, int] = {}
        for (cycle, key), one in sorted(self.admissions.items()):
            if one.admitted:
                first.setdefault(key, cycle)
        return Counter(first.values())

    def trial(self, generation: Generation) -> Trial | None:
        """The trial of what a slot holds, as far as this campaign trained it.

        Records may be shared: what this campaign passed over, as a duplicate or for what was predicted of it, may
        have a trial of another one.
        """
        key = generation.candidate_id or ""
        duplicate = generation.novel is False and (generation.cycle, key) not in self.admissions
        passed_over = duplicate or key in self._predicted_low
        return self.trials.get(key) if self.owns(generation) and not passed_over else None

    @cached_property
    def _predicted_low(self) -> frozenset[str]:
        return frozenset(one.candidate_id for one in self.predictions if not one.kept)

    def raw_errors(self) -> tuple[ErrorCount, ...]:
        """What stopped candidates as the model wrote them."""
        wrong = [one for one in self.generations if one.valid_by != "generation"]
        return self._count([(one.raw_candidate_id, one.answer) for one in wrong])

    def final_errors(self) -> tuple[ErrorCount, ...]:
        """What stopped the candidates that neither clean-up nor repair could save."""
        wrong = [one for one in self.generations if one.valid_by == "none"]
        return self._count([(one.candidate_id, one.answer) for one in wrong])

    def _count(self, stopped: list[tuple[str | None, str | None]]) -> tuple[ErrorCount, ...]:
        counts: Counter[tuple[str, str]] = Counter()
        examples: dict[tuple[str, str], str] = {}
        for key, answer in stopped:
            if answer is None:
                continue  # the model has not answered yet
            verdict = self.verdicts.get(key or "")
            if verdict is not None and verdict.ok:
                continue
            if key is None:
                kind, message = ("extract", "NoCode"), "the answer holds no code"
            elif verdict is None:
                kind, message = ("extract", "NotJudged"), "no verdict is on record"
            else:
                kind = (verdict.stage, verdict.error_class or "unknown")
                message = verdict.message or ""
            counts[kind] += 1
            examples.setdefault(kind, message[:_EXAMPLE_CHARS])
        return tuple(
            ErrorCount(stage=stage, error_class=name, count=count, example=examples[(stage, name)])
            for (stage, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )
