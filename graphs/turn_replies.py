"""The replies: what is said at the end of a turn, from what the records and the thread's file hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..agents.plans import Plan, Step
from ..agents.sentences import sentence
from ..tools.datasets import how_to_get, on_disk
from ..tools.tasks import task_info
from .designed import answer_of
from .reached import against, comparable, of_figures, of_training, verdict_in_words
from .showing import nearest, parent_verdict, show_design, show_trained, verdict_of
from .turn_words import curve, epochs, figures, measured, table, tally
from .turns import Reply, Shown

if TYPE_CHECKING:
    from .turn_work import TurnWork


def design_reply(turn: TurnWork, work: int, *, trained: bool, spent: bool) -> Reply:
    """The answer to a request: what was understood, what came out, in numbers, and what can be said next."""
    step, plan = turn.understand(work), turn.plan(work)
    head = _head(step)
    if not spent:
        text = _joined(*head, "Nothing was designed: asking the model was not approved.")
        return Reply(kind="answer", text=text, understood=step.understood, offers=("again",))
    run, shown = turn.run(work), show_design(turn, work)
    if not shown:
        told = answer_of(plan.request, turn.records, run, trained=False).explanation
        told = told.replace("ask with another --seed or more --candidates", "say 'again' or '32 candidates'")
        again = ("again", "32 candidates")
        return Reply(kind="answer", text=_joined(*head, told), understood=step.understood, offers=again, run=run)
    best = shown[0]
    parts = [*head, _tally(turn, work), _training(turn, work, allowed=trained), table(shown), _best(turn, work, shown)]
    parts.append(_reached(turn, plan, best))
    offers = offers_for(plan, best)
    parts.append(f"You can say: {', '.join(f'*{one}*' for one in offers)}.")
    return Reply(
        kind="answer", text=_joined(*parts), understood=step.understood, shown=tuple(shown), offers=offers, run=run
    )


def train_reply(turn: TurnWork, work: int, *, allowed: bool) -> Reply:
    """The answer to a training of networks that were shown."""
    step, plan = turn.understand(work), turn.plan(work)
    shown, trials = show_trained(turn, work), turn.trials(work)
    parts = _head(step)
    if not trials:
        parts.append(_training(turn, work, allowed=allowed))
    else:
        parts += [f"Under {measured(turn.protocol(plan), plan.dataset)}:", table(shown)]
        for one in shown:
            trial = trials.get(one.candidate_id)
            line = f"#{one.n}: {figures(one, trial)}"
            parts.append(f"{line}; after each epoch {curve(one)}." if len(one.epochs) > 1 else f"{line}.")
    longer = 2 * turn.protocol(plan).epochs
    offers = (f"train it for {longer} epochs", "more accurate", "smaller")
    return Reply(kind="answer", text=_joined(*parts), understood=step.understood, shown=tuple(shown), offers=offers)


def question_reply(step: Step) -> Reply:
    """What is missing or was not understood."""
    understood = f"Understood so far: {step.understood}." if step.understood else ""
    offers = ("digits", "CIFAR-10", "Fashion-MNIST") if step.asked else ("smaller", "more accurate", "another one")
    return Reply(
        kind="question", text=_joined(understood, *step.notes, step.text), understood=step.understood, offers=offers
    )


def refusal_reply(step: Step) -> Reply:
    """Why it cannot be met."""
    sentence = f"{step.text[:1].upper()}{step.text[1:]}"
    return Reply(kind="refusal", text=_joined(*step.notes, f"That cannot be designed. {sentence}."))


def approval_reply(turn: TurnWork, work: int, asked: dict[str, Any]) -> Reply:
    """What is asked before an expensive step, with the networks that are there already."""
    step, training = turn.understand(work), asked["step"] == "train"
    shown, parts = [], _head(step)
    if training and step.action == "design":
        shown = show_design(turn, work)
        parts += [_tally(turn, work), table(shown)]
    elif training:
        shown = [turn.file.shown(n) for n in step.refers]
    what = "Shall I train" if training else "Shall I spend tokens"
    parts.append(f"**{what}?** {asked['why']}: {asked['cost']}. {sentence('decide', step.language)}")
    return Reply(
        kind="approval",
        text=_joined(*parts),
        understood=step.understood,
        shown=tuple(shown),
        offers=("yes", "no"),
        run=turn.run(work) if shown and step.action == "design" else None,
        approval=dict(asked),
    )


def stopped_reply(reason: str | None) -> Reply:
    """The turn was stopped at a safe point."""
    text = f"Stopped ({reason or 'asked to'}). What was done is kept; say “go on” to go on from there."
    return Reply(kind="stopped", text=text, offers=("go on",))


def cut_off_reply() -> Reply:
    """The process ended within the turn, and something else was said since."""
    return Reply(kind="stopped", text="This turn was cut off; say “go on” to go on with it.", offers=("go on",))


def failed_reply(error: Exception) -> Reply:
    """Something broke."""
    said = str(error).strip()[:1000] or "no message"
    own = type(error).__module__.partition(".")[0] == __name__.partition(".")[0]
    text = said if own else f"{type(error).__name__}: {said}"
    return Reply(kind="failed", text=f"That failed: {text}. Say “go on” to try again.", offers=("go on",))


def offers_for(plan: Plan, best: Shown) -> tuple[str, ...]:
    """Follow-ups that make sense after an answer, word for word."""
    style = "use attention" if plan.styles != ("attention",) else "use residual"
    offers = ["smaller", "more accurate", style, "another one", f"show me the code of {best.n}"]
    if best.metric is None and on_disk(plan.dataset) is not None:
        offers.insert(0, f"train {best.n}")
    return tuple(offers)


def _head(step: Step) -> list[str]:
    return [f"**Understood**: {step.understood}.", *step.notes]


def _tally(turn: TurnWork, work: int) -> str:
    """How many were written and valid, and what stopped the others."""
    run = turn.run(work)
    stored, written = turn.records.get_campaign(run), turn.records.generations(run, 1)
    failed = [g.candidate_id for g in written if g.valid_by == "none" and g.candidate_id]
    verdicts = turn.records.get_verdicts(failed, stored.task_id, stored.limits_hash)
    by = Counter(str(g.valid_by) for g in written if g.valid_by != "none")
    return tally(len(written), by, [verdicts[key] for key in failed if key in verdicts])


def _training(turn: TurnWork, work: int, *, allowed: bool) -> str:
    """How the networks were trained, or why they were not."""
    plan = turn.plan(work)
    if turn.trials(work):
        return f"Trained under {measured(turn.protocol(plan), plan.dataset)}."
    title = task_info(plan.dataset).title
    if not allowed:
        return "Not trained: it was not approved."
    if on_disk(plan.dataset) is None:
        return f"Not trained: {title} is not on this machine ({how_to_get(plan.dataset)})."
    return "Not trained: `chat.train` is off, so say *train it*."


def _best(turn: TurnWork, work: int, shown: list[Shown]) -> str:
    best, plan = shown[0], turn.plan(work)
    near = nearest(turn.records, best, plan.request.task.id, turn.protocol(plan).hash, shown)
    trial = turn.trials(work).get(best.candidate_id)
    parts = [figures(best, trial), *([near] if near else [])]
    if len(best.epochs) > 1:
        parts.append(f"after each of {epochs(len(best.epochs))} {curve(best)}")
    word = "Best" if best.metric is not None else "First"
    return f"**{word}: #{best.n} {best.name}**: {'; '.join(parts)}."


def _reached(turn: TurnWork, plan: Plan, best: Shown) -> str:
    """The best network against what it varies, and what of the wish is not so, or not known."""
    known = {one.n: one for one in turn.file.known()}
    verdict, parent = verdict_of(turn, best.n), parent_verdict(turn, plan)
    assert verdict is not None  # it was shown
    found, text = of_figures(plan, verdict, parent), ""
    if parent is not None and plan.parent is not None:
        mine, other = known[best.n], known[plan.parent]
        found |= of_training(plan, mine, other)
        text = against(best, turn.file.shown(plan.parent), comparable(mine, other))
    return " ".join(filter(None, [text, verdict_in_words(found)]))


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
