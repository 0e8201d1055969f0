"""The answer to a design request, as the records hold it: the best network, or how far the tries got."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..memory.records import Records
from ..memory.rows import Generation
from ..memory.types import STAGES, Candidate, Request, Trial, Verdict

REASONS = 3
"""Reasons that are told when nothing was valid, the most frequent first."""


@dataclass(frozen=True)
class Designed:
    """The answer to a request; ``candidate`` is ``None`` when none could be found, and ``explanation`` says why.

    Attributes:
        written, valid: candidates of the model, and how many of them met the request.
        finished: ``False`` if the work was stopped before its end; then there is no candidate yet.
    """

    request: Request
    candidate: Candidate | None
    verdict: Verdict | None
    trial: Trial | None
    written: int
    valid: int
    explanation: str
    finished: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        verdict = self.verdict
        return {
            "request": self.request.model_dump(mode="json"),
            "candidate": {"id": self.candidate.id, "source": self.candidate.source} if self.candidate else None,
            "verdict": {**verdict.model_dump(mode="json"), "reason": verdict.reason} if verdict else None,
            "trial": self.trial.model_dump(mode="json") if self.trial else None,
            "written": self.written,
            "valid": self.valid,
            "explanation": self.explanation,
            "finished": self.finished,
        }


def valid_generations(records: Records, run: str) -> list[Generation]:
    """What the model wrote for a request that met it, by slot."""
    return [g for g in records.generations(run, 1) if g.valid_by != "none"]


def trials_of(records: Records, run: str, generations: list[Generation]) -> dict[str, Trial]:
    """The trials of candidates under the request's protocol, by candidate."""
    stored = records.get_campaign(run)
    ids = [g.candidate_id for g in generations if g.candidate_id]
    return records.get_trials(ids, stored.task_id, stored.protocol_hash)


def answer_of(request: Request, records: Records, run: str, *, trained: bool) -> Designed:
    """The answer of a request whose work is done.

    Args:
        trained: choose the candidate with the best trial instead of the first valid one.
    """
    written, valid = records.generations(run, 1), valid_generations(records, run)
    if not valid:
        return Designed(request, None, None, None, len(written), 0, _why_nothing(records, run, written))
    trials = trials_of(records, run, valid) if trained else {}
    best = min(valid, key=lambda g: (-_metric(trials.get(g.candidate_id or "")), g.slot))
    assert best.candidate_id is not None  # a valid generation has its candidate
    stored = records.get_campaign(run)
    candidate = records.get_candidate(best.candidate_id)
    verdict = records.get_verdict(best.candidate_id, stored.task_id, stored.limits_hash)
    assert candidate is not None  # recorded before the generation was called valid
    assert verdict is not None
    trial, most = trials.get(candidate.id), request.limits.max_params
    text = (
        f"{candidate.name} for {request.task.dataset}: valid through {verdict.stage} (by {best.valid_by}), "
        f"{verdict.params or 0:,} parameters{f' of at most {most:,}' if most else ''}, {verdict.flops or 0:,} FLOPs; "
        f"{len(valid)} of {len(written)} candidates are valid"
    )
    if trial is not None:
        score = f"{request.task.metric} {trial.metric:.4f}" if trial.metric is not None else f"training {trial.state}"
        text += f"; {score} under protocol {trial.protocol_hash}"
    return Designed(request, candidate, verdict, trial, len(written), len(valid), text)


def unfinished(request: Request, records: Records, run: str, reason: str) -> Designed:
    """What is known of a request whose work was stopped: no answer yet, because another one may turn out better."""
    written, valid = len(records.generations(run, 1)), len(valid_generations(records, run))
    text = (
        f"stopped before the end ({reason}): {written} candidates written, {valid} of them valid so far; "
        "the same request goes on from here"
    )
    return Designed(request, None, None, None, written, valid, text, finished=False)


def _metric(trial: Trial | None) -> float:
    return trial.metric if trial is not None and trial.metric is not None else -1.0


def _why_nothing(records: Records, run: str, written: list[Generation]) -> str:
    """How far the best try got, and what stopped the tries, by how often it did."""
    stored = records.get_campaign(run)
    known = records.get_verdicts(
        (g.candidate_id for g in written if g.candidate_id), stored.task_id, stored.limits_hash
    )
    verdicts = [known[g.candidate_id] for g in written if g.candidate_id in known]
    if not verdicts:
        return "no candidate was written, the budget of candidates allows none; raise budget.candidates"
    furthest = max(verdicts, key=lambda v: STAGES.index(v.stage))
    classes = Counter((v.stage, v.error_class) for v in verdicts)
    reasons = []
    for (stage, error_class), count in classes.most_common(REASONS):
        texts = Counter(v.reason for v in verdicts if (v.stage, v.error_class) == (stage, error_class))
        reasons.append(f"{count} × {texts.most_common(1)[0][0]}")
    rest = len(verdicts) - sum(count for _, count in classes.most_common(REASONS))
    more = f"; {rest} for other reasons" if rest else ""
    return (
        f"none of {len(written)} candidates met the request. The best try got as far as the stage {furthest.stage} of "
        f"{', '.join(STAGES)}. What stopped them, most frequent first: {'; '.join(reasons)}{more}. "
        "Loosen the limits, or ask with another --seed or more --candidates"
    )
