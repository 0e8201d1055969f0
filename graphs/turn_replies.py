"""The words of the replies, from what the records hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..agents.plans import Known, Step
from .designed import answer_of
from .turns import Reply, Shown

if TYPE_CHECKING:
    from .turn_work import TurnWork

OFFERS = ("smaller", "more accurate", "use attention", "another one", "show me the code")


def design_reply(turn: TurnWork, work: int, *, trained: bool, spent: bool) -> Reply:
    """The answer to a request: what was understood, what came out, in numbers."""
    step = turn.understand(work)
    plan = step.plan
    assert plan is not None  # of a design
    head = [f"**Understood**: {step.understood}.", *step.notes]
    if not spent:
        text = "\n\n".join([*head, "Nothing was designed: asking the model was not approved."])
        return Reply(kind="answer", text=text, understood=step.understood)
    run, shown = turn.run(work), show(turn, work)
    designed = answer_of(plan.request, turn.records, run, trained=False)
    if not shown:
        return Reply(
            kind="answer", text="\n\n".join([*head, designed.explanation]), understood=step.understood, run=run
        )
    told = [f"{designed.written} written, {designed.valid} valid."]
    if not trained:
        told.append("They were not trained: it was not approved.")
    return Reply(
        kind="answer",
        text="\n\n".join([*head, *told, table(shown)]),
        understood=step.understood,
        shown=tuple(shown),
        offers=OFFERS,
        run=run,
    )


def show(turn: TurnWork, work: int) -> list[Shown]:
    """The best networks of an exchange, numbered and on file."""
    plan, run, records = turn.understand(work).plan, turn.run(work), turn.records
    assert plan is not None  # of a design
    valid, stored = turn.valid(work), records.get_campaign(turn.run(work))
    ids = [g.candidate_id for g in valid if g.candidate_id]
    candidates = records.get_candidates(ids)
    verdicts = records.get_verdicts(ids, stored.task_id, stored.limits_hash)
    trials = records.get_trials(ids, stored.task_id, stored.protocol_hash)
    metric_name = plan.request.task.metric
    made: list[tuple[Shown, Known]] = []
    for key in ids:
        verdict, trial = verdicts[key], trials.get(key)
        metric = trial.metric if trial is not None else None
        one = Shown(
            n=0,
            candidate_id=key,
            name=candidates[key].name,
            source=candidates[key].source,
            params=verdict.params,
            flops=verdict.flops,
            stage=verdict.stage,
            metric=metric,
            metric_name=metric_name,
            epochs=tuple(e[metric_name] for e in trial.epochs if metric_name in e) if trial else (),
            parent=plan.parent,
        )
        known = Known(
            n=0,
            candidate_id=key,
            work=work,
            run=run,
            plan=plan,
            params=one.params,
            flops=one.flops,
            metric=metric,
        )
        made.append((one, known))
    made.sort(key=lambda pair: -1.0 if pair[0].metric is None else pair[0].metric, reverse=True)
    return turn.file.show(work, run, made[: turn.config.chat.shown])


def table(shown: list[Shown]) -> str:
    """The networks as a Markdown table."""
    lines = [f"| # | network | parameters | FLOPs | {shown[0].metric_name} |", "|---|---|---|---|---|"]
    for one in shown:
        metric = "–" if one.metric is None else f"{one.metric:.4f}"
        lines.append(f"| {one.n} | {one.name} | {one.params or 0:,} | {one.flops or 0:,} | {metric} |")
    return "\n".join(lines)


def plain_reply(step: Step) -> Reply:
    """A question or a refusal."""
    understood = f"Understood so far: {step.understood}." if step.understood else ""
    text = "\n\n".join(part for part in (understood, *step.notes, step.text) if part)
    return Reply(kind="question" if step.action == "question" else "refusal", text=text, understood=step.understood)


def approval_reply(turn: TurnWork, work: int, asked: Any) -> Reply:
    """What is asked before an expensive step, with the networks that are there already."""
    step = turn.understand(work)
    shown = show(turn, work) if asked["step"] == "train" else []
    head = f"**Understood**: {step.understood}." if step.understood else ""
    what = "Train" if asked["step"] == "train" else "Spend tokens"
    question = f"{what}? {asked['why']}: {asked['cost']}. Say yes or no."
    parts = [part for part in (head, table(shown) if shown else "", question) if part]
    return Reply(
        kind="approval",
        text="\n\n".join(parts),
        understood=step.understood,
        shown=tuple(shown),
        offers=("yes", "no"),
        run=turn.run(work) if shown else None,
        approval=dict(asked),
    )


def stopped_reply(reason: str | None) -> Reply:
    """The turn was stopped at a safe point."""
    text = f"Stopped ({reason or 'asked to'}). What is done is kept; say 'go on' to go on."
    return Reply(kind="stopped", text=text, offers=("go on",))


def cut_off_reply() -> Reply:
    """The process ended within the turn, and something else was said since."""
    return Reply(kind="stopped", text="This turn was cut off; 'go on' goes on with it.", offers=("go on",))


def failed_reply(error: Exception) -> Reply:
    """Something broke."""
    text = f"That failed: {type(error).__name__}: {str(error)[:1000]}. Say 'go on' to try again."
    return Reply(kind="failed", text=text, offers=("go on",))
