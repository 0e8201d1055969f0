"""Design a network for a request in words: a job of the toolbox."""

from __future__ import annotations

from pydantic import Field

from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .networks import Judgement, judgement
from .shared import shared_of, watching
from .words import Seed

_LOOK_S = 1.0


class DesignArguments(Arguments):
    """Arguments of ``design``."""

    request: str = Field(
        min_length=1,
        max_length=4000,
        description="What to design in words: data set, parameter limit, style. For example: a residual CIFAR-10 "
        "classifier under 200k parameters.",
    )
    train: bool = Field(default=False, description="Train the valid networks and answer with the best one.")
    candidates: int = Field(default=8, ge=1, le=64, description="Networks written per round.")
    seed: Seed = 0


class Design(Result):
    """The answer to a design request."""

    found: bool
    explanation: str = Field(description="In words: what was found, or why nothing was.")
    understood: str = Field(description="The data set and limits that the request was understood as.")
    candidate_id: str | None = None
    source: str | None = None
    verdict: Judgement | None = None
    metric: float | None = Field(default=None, description="After training, if it was asked for.")
    written: int = Field(description="Networks that the language model wrote.")
    valid: int = Field(description="How many of them met the request.")
    run: str = Field(description="Under this name all of them are on record: query_records with it as campaign.")


@TOOLS.tool(title="Design a network for a request", kind="job", writes=True)
def design(arguments: DesignArguments, context: Context) -> Design:
    """Let language-model agents design a network for a request in words, and validate, repair and train it.

    The request must name a known data set (list_datasets) and may name a parameter limit and a style. Answers with a
    network that meets it, or says why none does. The same request and seed give the same answer; one that was stopped
    goes on when it is asked again.
    """
    from ...tools.requests import parse_request

    request = parse_request(arguments.request)  # before the seconds that the next imports take

    from langgraph.runtime import RunControl

    from ...graphs.config import load_config
    from ...graphs.design import design_id, run_design

    shared = shared_of(context)
    settings = [f"campaign.seed={arguments.seed}", f"campaign.candidates={arguments.candidates}"]
    config = load_config(overrides=[*shared.settings, *settings])
    run, control = design_id(request, config), RunControl()
    expected = arguments.candidates

    def look() -> tuple[float, float | None, str]:
        if context.cancelled.is_set():
            control.request_drain("cancelled by the caller")
        rows = shared.records.generations(run, 1)
        judged = sum(one.raw_candidate_id is not None for one in rows)
        valid = sum(one.valid_by != "none" for one in rows)
        told = f"{len(rows)} networks written, {judged} judged, {valid} valid"
        return len(rows) + judged, max(2.0 * expected, len(rows) + judged + 1.0), told

    with watching(context, look, _LOOK_S):
        done = run_design(request, config, shared.records, train=arguments.train, control=control)
    if not done.finished:
        context.check()
        raise ToolError(done.explanation)
    limits = request.limits.model_dump(exclude_none=True)
    candidate, verdict = done.candidate, done.verdict
    return Design(
        found=candidate is not None,
        explanation=done.explanation,
        understood=f"{request.task.kind} on {request.task.dataset}, {limits or 'no limits'}",
        candidate_id=candidate.id if candidate else None,
        source=candidate.source if candidate else None,
        verdict=judgement(candidate.source, verdict) if candidate and verdict else None,
        metric=done.trial.metric if done.trial else None,
        written=done.written,
        valid=done.valid,
        run=run,
    )
