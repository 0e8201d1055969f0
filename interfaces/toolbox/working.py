"""Tools that work on a network that there is, as jobs: evaluate, repair."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ...memory.types import Request, Trial, candidate_id
from ...tools.registry import Context, Result
from .base import TOOLS
from .networks import Judgement, judgement
from .shared import Shared, shared_of
from .words import (
    AboutNetwork,
    Dataset,
    MaxParams,
    MinParams,
    ProtocolName,
    Seed,
    info_of,
    limits_of,
    protocol_of,
    shortened,
    task_of,
)


class EvaluateArguments(AboutNetwork):
    """Arguments of ``evaluate``."""

    dataset: Dataset = "digits"
    protocol: ProtocolName = None
    epochs: int | None = Field(default=None, ge=1, le=1000, description="Epochs instead of the protocol's.")
    batch: int | None = Field(default=None, ge=1, le=65536, description="Batch size instead of the protocol's.")
    lr: float | None = Field(default=None, gt=0, le=100, description="Learning rate instead of the protocol's.")
    momentum: float | None = Field(default=None, ge=0, lt=1, description="Momentum instead of the protocol's.")
    train_limit: int | None = Field(default=None, ge=1, description="Use only so many training images; null: all.")
    time_limit_s: float | None = Field(
        default=None, gt=0, le=86_400, description="CPU seconds that the training may take; null: the protocol's."
    )
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1, description="Seed instead of the protocol's.")


class Evaluation(Result):
    """What a network reached."""

    verdict: Judgement | None = Field(description="null where the trial is from the records and the verdict is not.")
    state: str = Field(description="complete, failed (the training), or invalid (it was not trained).")
    metric: float | None = Field(description="Of the test split after the last epoch, 0 to 1.")
    metric_name: str
    epochs: tuple[float, ...] = Field(description="The metric after each epoch, where known.")
    error: str | None = Field(default=None, description="Why the training failed.")
    protocol: str
    protocol_hash: str = Field(description="Results compare only under the same protocol.")
    cpu_s: float = 0.0
    cached: bool = Field(default=False, description="It was on record already and not trained again.")


@TOOLS.tool(title="Train and score a network", kind="job", writes=True)
def evaluate(arguments: EvaluateArguments, context: Context) -> Evaluation:
    """Train one network on a data set in a sandbox and measure it on the test split; the result goes on record.

    Takes seconds (digits) to many minutes. Validate first: an invalid network is not trained. A network that was
    trained under the same protocol before is answered from the records at once. Compare results only if their
    protocol_hash is equal.
    """
    shared = shared_of(context)
    source, info = shared.source(arguments.source, arguments.candidate_id), info_of(arguments.dataset)
    changes = arguments.model_dump(exclude={"source", "candidate_id", "dataset", "protocol"})
    chosen = protocol_of(arguments.dataset, arguments.protocol, changes)
    told = {"metric_name": info.task.metric, "protocol": chosen.name, "protocol_hash": chosen.hash}
    stored = shared.records.get_trial(candidate_id(source), info.task.id, chosen.hash)
    # A pruned trial says that another was better, not what this network reaches.
    if stored is not None and stored.state in ("complete", "failed"):
        return _evaluation(None, stored, told, cached=True)
    context.report(0, 3, "preparing the data and the sandbox")
    return _trained(source, arguments.dataset, chosen, shared, context, told)


def _trained(
    source: str, dataset: str, chosen: Any, shared: Shared, context: Context, told: dict[str, Any]
) -> Evaluation:
    from ...tools.devices import find_devices
    from ...tools.execution import Validator
    from ...tools.result_cache import train_once
    from ...tools.training import Evaluator, evaluation_image, seen_task

    config, task = shared.config, task_of(dataset)
    devices = find_devices(config.evaluation.device, config.evaluation.gpu_memory_mb, {})
    image = evaluation_image([dataset], transforms=[chosen.transform], devices=devices)
    with shared.open_sandbox(image, 1) as sandbox:
        context.check()
        context.report(1, 3, "validating")
        verdict = Validator(sandbox, config.sandbox.validation).validate(source, seen_task(task, chosen))
        judged = judgement(source, verdict)
        if not verdict.ok:
            return Evaluation(verdict=judged, state="invalid", metric=None, epochs=(), error=judged.reason, **told)
        context.check()
        context.report(2, 3, f"training on {dataset}, epochs: {chosen.epochs}")
        evaluator = Evaluator(sandbox, config.evaluation.memory_mb, devices)
        result = train_once(evaluator, shared.records, source, task, chosen)
        if seen_task(task, chosen) == task:  # verdicts on record are about the data set's own shape
            shared.records.put_verdict(result.trial.candidate_id, task.id, verdict)
    context.report(3, 3, "done")
    return _evaluation(judged, result.trial, told, cached=result.cached)


def _evaluation(verdict: Judgement | None, trial: Trial, told: dict[str, Any], *, cached: bool) -> Evaluation:
    error = None if trial.state == "complete" else shortened(f"{trial.error_class}: {trial.message}")
    epochs = tuple(float(one["accuracy"]) for one in trial.epochs if one.get("accuracy") is not None)
    return Evaluation(
        verdict=verdict,
        state=trial.state,
        metric=trial.metric,
        epochs=epochs,
        error=error,
        cpu_s=round(trial.cpu_s, 2),
        cached=cached,
        **told,
    )


class RepairArguments(AboutNetwork):
    """Arguments of ``repair``."""

    dataset: Dataset = "digits"
    max_params: MaxParams = None
    min_params: MinParams = None
    tries: int = Field(default=2, ge=1, le=5, description="Rounds of repair.")
    seed: Seed = 0


class Repair(Result):
    """What came of a repair."""

    valid: bool
    by: str = Field(description="generation: it was valid; cleanup or repair: that made it valid; none: nothing did.")
    before: Judgement = Field(description="The network as it was given.")
    after: Judgement
    source: str = Field(description="The newest text: the mended network if valid.")
    candidate_id: str
    tries: int = Field(description="Rounds that were needed.")
    errors: tuple[str, ...] = Field(description="What each round was given to mend.")
    run: str = Field(description="Under this name all tries are on record.")


@TOOLS.tool(title="Repair a network", kind="job", writes=True)
def repair(arguments: RepairArguments, context: Context) -> Repair:
    """Mend a network that does not validate: clean up its text, look for the cause in a sandbox, edit or rewrite it.

    Use it for a file with an error that validate reports (syntax, names, shapes, contract, too many parameters). Tries
    deterministic edits first, then the configured language model. Returns the mended source, or the newest try with
    the error that is left. The result is a candidate on record with the given one as its parent.
    """
    from ...graphs.config import load_config
    from ...graphs.repairing import repair_source

    shared = shared_of(context)
    source = shared.source(arguments.source, arguments.candidate_id)
    limits = limits_of(arguments.max_params, arguments.min_params)
    settings = [f"campaign.repair_tries={arguments.tries}", f"campaign.seed={arguments.seed}"]
    config = load_config(overrides=[*shared.settings, *settings])
    steps = 0

    def progress(what: str) -> None:
        nonlocal steps
        context.report(steps, 2 + 2 * arguments.tries, what)
        steps += 1

    done = repair_source(
        source,
        Request(task=task_of(arguments.dataset), limits=limits),
        config,
        shared.records,
        stopping=context.cancelled.is_set,
        progress=progress,
    )
    if not done.finished:
        context.check()
    return Repair(
        valid=done.verdict.ok,
        by=done.by,
        before=judgement(source, done.before),
        after=judgement(done.candidate.source, done.verdict),
        source=done.candidate.source,
        candidate_id=done.candidate.id,
        tries=done.tries,
        errors=tuple(shortened(one) for one in done.errors),
        run=done.run,
    )
