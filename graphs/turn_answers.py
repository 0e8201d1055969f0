"""Replies to follow-ups that need no work: they are answered from what is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agents.plan_words import describe
from ..agents.planner import EXAMPLE, FOLLOW_UPS
from ..agents.plans import Step
from .reached import against, comparable
from .showing import nearest, verdict_of
from .turn_words import built, curve, figures, one_line, table, why_failed
from .turns import Reply, Shown

if TYPE_CHECKING:
    from .turn_work import TurnWork


def recorded_reply(turn: TurnWork, work: int) -> Reply:
    """The answer to a step that only looks."""
    step = turn.understand(work)
    shown = [turn.file.shown(n) for n in step.refers]
    makers = {"code": _code, "explain": _explained, "compare": _compared, "why": _why, "best": _best, "list": _list}
    text = makers[step.action](turn, step, shown) if step.action in makers else _help()
    if step.action == "list":
        shown = [turn.file.shown(one.n) for one in turn.file.known()]
    return Reply(kind="answer", text=text, shown=tuple(shown), offers=_offers(step))


def _offers(step: Step) -> tuple[str, ...]:
    first = step.refers[0] if step.refers else 1
    if step.action == "code":
        return (f"explain {first}", "smaller", f"train {first}")
    return (f"show me the code of {first}", "smaller", "more accurate")


def _code(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    parts = []
    for one in shown:
        fence = "```"
        while fence in one.source:
            fence += "`"
        parts.append(f"**#{one.n} {one.name}**: {figures(one)}\n\n{fence}python\n{one.source.rstrip()}\n{fence}")
    return "\n\n".join(parts)


def _explained(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    return "\n\n".join(_explain(turn, one) for one in shown)


def _explain(turn: TurnWork, one: Shown) -> str:
    known = next(k for k in turn.file.known() if k.n == one.n)
    verdict, stored = verdict_of(turn, one.n), turn.records.get_campaign(known.run)
    lines = [f"**#{one.n} {one.name}**: {figures(one)}."]
    lines.append(f"Asked for: {describe(known.plan)}.")
    made_of = built(verdict.figures) if verdict is not None else ""
    if made_of:
        lines.append(f"Made of: {made_of}.")
    if known.style != "any":
        lines.append(f"Style: {known.style}.")
    written = [g for g in turn.records.generations(known.run, 1) if g.candidate_id == one.candidate_id]
    if written:
        how = {"generation": "as it was written", "cleanup": "after clean-up", "repair": "after repair"}
        tries = f" ({written[0].repair_tries} tries)" if written[0].repair_tries else ""
        lines.append(f"Valid through {one.stage} {how.get(written[0].valid_by, '')}{tries}.")
    if one.epochs:
        lines.append(f"{one.metric_name.capitalize()} after each epoch: {curve(one)}.")
    if one.parent is not None:
        lines.append(f"It varies #{one.parent}.")
    near = nearest(turn.records, one, stored.task_id, stored.protocol_hash)
    if near:
        lines.append(f"{near[:1].upper()}{near[1:]}.")
    return "\n".join(f"- {line}" if n else line for n, line in enumerate(lines))


def _compared(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    if len(shown) < 2:
        return "There is one network only; say *another one* to have something to compare."
    parts = [table(shown)]
    parts.append(_mind(turn, shown))
    known = {k.n: k for k in turn.file.known()}
    parts += [against(other, shown[0], comparable(known[other.n], known[shown[0].n])) for other in shown[1:]]
    for one in shown:
        verdict = verdict_of(turn, one.n)
        if verdict is not None and (made_of := built(verdict.figures)):
            parts.append(f"#{one.n} is made of {made_of}.")
    return "\n\n".join(filter(None, parts))


def _mind(turn: TurnWork, shown: list[Shown]) -> str:
    """A warning where metrics do not compare."""
    numbers = {one.n for one in shown if one.metric is not None}
    known = [k for k in turn.file.known() if k.n in numbers]
    if all(comparable(one, known[0]) for one in known):
        return ""
    return "Mind: they were trained under different protocols, so their metrics do not compare."


def _why(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    work = turn.latest_design()
    if work is None:
        return "Nothing was designed yet."
    run = turn.run(work)
    stored, written = turn.records.get_campaign(run), turn.records.generations(run, 1)
    failed = [g.candidate_id for g in written if g.valid_by == "none" and g.candidate_id]
    verdicts = turn.records.get_verdicts(failed, stored.task_id, stored.limits_hash)
    parts = []
    if failed:
        reasons = why_failed(verdicts[key] for key in failed if key in verdicts)
        parts.append(f"{len(failed)} of {len(written)} networks did not meet the request: {reasons}.")
    elif written:
        parts.append(f"All {len(written)} networks that were written are valid.")
    else:
        parts.append("Nothing was written for the latest request.")
    trials = turn.trials(work)
    for one in shown:
        trial = trials.get(one.candidate_id)
        if trial is not None and trial.state == "failed":
            parts.append(f"The training of #{one.n} failed: {one_line(f'{trial.error_class}: {trial.message}')}.")
    return "\n\n".join(parts)


def _best(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    trained = [one for one in shown if one.metric is not None]
    if not trained:
        return "None of them is trained, so none is known to be best: say *train them*."
    best = max(trained, key=lambda one: one.metric or 0.0)
    text = f"**#{best.n} {best.name}** of the {len(trained)} that are trained: {figures(best)}."
    return " ".join(filter(None, [text, _mind(turn, trained)]))


def _list(turn: TurnWork, step: Step, shown: list[Shown]) -> str:
    known = turn.file.known()
    return table([turn.file.shown(one.n) for one in known]) if known else "No network has been shown yet."


def _help() -> str:
    said = "\n".join(f"- {one}" for one in FOLLOW_UPS)
    return (
        f"Say what to design, e.g. *{EXAMPLE}*: a data set, limits on the parameters, a style, whether and how long to "
        f"train, how many variants. After an answer you can say, for example:\n\n{said}"
    )
