"""The networks of a turn as they are shown and referred to: numbered, on the thread's file, from the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..agents.plans import Known, Plan
from ..agents.prompting import header_of
from ..memory.records import Records
from ..memory.rows import Generation
from ..memory.shingles import jaccard, shingles
from ..memory.types import Candidate, Protocol, Trial, Verdict
from ..tools.generators.headers import Header
from .reached import STYLE_FLAGS, of_figures, shows
from .turns import Shown

if TYPE_CHECKING:
    from .turn_work import TurnWork

NEAREST_AMONG: Final = 200
"""Best networks on record among which the nearest one is looked for: enough to tell, quick to compare."""


def show_design(turn: TurnWork, work: int) -> list[Shown]:
    """The best networks of a design, numbered; those that meet what was aimed at come first, then by metric."""
    plan, run, valid = turn.plan(work), turn.run(work), turn.valid(work)
    stored, records = turn.records.get_campaign(run), turn.records
    ids = [g.candidate_id for g in valid if g.candidate_id]
    candidates = records.get_candidates(ids)
    verdicts = records.get_verdicts(ids, stored.task_id, stored.limits_hash)
    trials = records.get_trials(ids, stored.task_id, stored.protocol_hash)
    made = [
        _made(plan, work, run, candidates[key], verdicts[key], trials.get(key), g, turn.protocol(plan))
        for g in valid
        if (key := g.candidate_id)
    ]
    parent = parent_verdict(turn, plan)
    missed = {key: list(of_figures(plan, verdict, parent).values()).count(False) for key, verdict in verdicts.items()}
    made.sort(key=lambda pair: (missed[pair[0].candidate_id], -1.0 if pair[0].metric is None else -pair[0].metric))
    # Untrained ones have no order but that of their slots, and a sort that is stable keeps it.
    return turn.file.show(work, run, made[: turn.config.chat.shown])


def show_trained(turn: TurnWork, work: int) -> list[Shown]:
    """The networks of a training under their own numbers, with what they reached."""
    plan = turn.plan(work)
    trials = turn.trials(work)
    known = {one.n: one for one in turn.file.known()}
    shown = []
    for n in turn.understand(work).refers:
        one, trial = turn.file.shown(n), trials.get(known[n].candidate_id)
        if trial is not None:
            name = one.metric_name
            reached = {"metric": trial.metric, "epochs": _curve(trial, name)}
            protocol = turn.protocol(plan)
            other = {"metric": trial.metric, "epochs": protocol.epochs, "protocol": protocol.hash}
            pair = (one.model_copy(update=reached), known[n].model_copy(update=other))
            one = turn.file.show(work, known[n].run, [pair])[0]
        shown.append(one)
    return shown


def _made(
    plan: Plan,
    work: int,
    run: str,
    candidate: Candidate,
    verdict: Verdict,
    trial: Trial | None,
    generation: Generation,
    protocol: Protocol,
) -> tuple[Shown, Known]:
    name, metric = plan.request.task.metric, trial.metric if trial is not None else None
    shown = Shown(
        n=0,
        candidate_id=candidate.id,
        name=candidate.name,
        source=candidate.source,
        params=verdict.params,
        flops=verdict.flops,
        stage=verdict.stage,
        metric=metric,
        metric_name=name,
        epochs=_curve(trial, name) if trial is not None else (),
        parent=plan.parent,
    )
    known = Known(
        n=0,
        candidate_id=candidate.id,
        work=work,
        run=run,
        plan=plan,
        params=verdict.params,
        flops=verdict.flops,
        metric=metric,
        epochs=protocol.epochs if trial is not None else None,
        protocol=protocol.hash if trial is not None else None,
        style=style_of(generation, verdict),
    )
    return shown, known


def _curve(trial: Trial, name: str) -> tuple[float, ...]:
    return tuple(float(e[name]) for e in trial.epochs if isinstance(e.get(name), int | float))


def style_of(generation: Generation, verdict: Verdict) -> str:
    """The style that a network was asked for; where that was left open, what its figures show."""
    line = header_of(generation.prompt)
    asked = Header.parse(line).style if line else "any"
    if asked != "any":
        return asked
    return next((style for style in STYLE_FLAGS if shows(style, verdict)), "any")


def verdict_of(turn: TurnWork, n: int) -> Verdict | None:
    """The verdict on a network that was shown."""
    known = next((one for one in turn.file.known() if one.n == n), None)
    if known is None:
        return None
    stored = turn.records.get_campaign(known.run)
    return turn.records.get_verdict(known.candidate_id, stored.task_id, stored.limits_hash)


def parent_verdict(turn: TurnWork, plan: Plan) -> Verdict | None:
    """The verdict on the network that a plan varies; ``None`` where it varies none, or one for another data set."""
    known = next((one for one in turn.file.known() if one.n == plan.parent), None)
    return verdict_of(turn, known.n) if known is not None and known.plan.dataset == plan.dataset else None


def nearest(records: Records, one: Shown, task_id: str, protocol_hash: str, among: Sequence[Shown] = ()) -> str | None:
    """The nearest other network on record for a task and its similarity, in words; ``None`` where there is none."""
    best = records.best_trials(task_id, protocol_hash, NEAREST_AMONG)
    ids = {trial.candidate_id for trial in best} | {other.candidate_id for other in among}
    others = records.get_candidates(sorted(ids - {one.candidate_id}))
    if not others:
        return None
    mine = shingles(one.source)
    similar = {key: jaccard(mine, shingles(other.source)) for key, other in others.items()}
    key = max(similar, key=lambda key: (similar[key], key))
    near = f"{others[key].name}, Jaccard similarity of the texts {similar[key]:.2f}"
    return f"nearest of {len(others)} others on record: {near}"
