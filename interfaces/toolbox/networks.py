"""Tools about single networks that answer at once: validate, predict, generate, and which data sets there are."""

from __future__ import annotations

import random
from typing import Any

from pydantic import Field

from ...memory.types import STAGES, Verdict, candidate_id
from ...tools.generators.headers import ANY, STYLES, Header, buckets_under
from ...tools.protocols import default_protocol, known_protocols, protocol, source_of
from ...tools.registry import Arguments, Context, Result, ToolError
from ...tools.tasks import known_datasets, task_info
from .base import TOOLS
from .shared import shared_of
from .words import (
    AboutNetwork,
    Dataset,
    MaxParams,
    MinParams,
    ProtocolName,
    Seed,
    Source,
    info_of,
    limits_of,
    protocol_of,
    shortened,
    task_of,
)

_TRIES = 10
"""Programs that are written for each that is asked for, until one is below the limit."""


class Judgement(Result):
    """How far a network got in the sandbox."""

    valid: bool = Field(description="It passed every stage.")
    candidate_id: str = Field(description="SHA-256 of the normalised source: equal networks have equal ids.")
    stage: str = Field(description=f"Last stage passed if valid, else the one that stopped it: {', '.join(STAGES)}.")
    reason: str = Field(description="One line: ok, or stage, error and message.")
    error_class: str | None = None
    line: int | None = Field(default=None, description="Line of the source at which it failed, where known.")
    params: int | None = Field(default=None, description="Trainable and frozen parameters.")
    flops: int | None = Field(default=None, description="Multiply-adds times two of one image's forward pass.")
    figures: dict[str, Any] = Field(default_factory=dict, description="Static figures: depth, counts of layers, flags.")
    seconds: float = 0.0


def judgement(source: str, verdict: Verdict) -> Judgement:
    """A verdict as tools answer it."""
    return Judgement(
        valid=verdict.ok,
        candidate_id=candidate_id(source),
        stage=verdict.stage,
        reason=shortened(verdict.reason),
        error_class=verdict.error_class,
        line=verdict.line,
        params=verdict.params,
        flops=verdict.flops,
        figures=verdict.figures,
        seconds=round(verdict.seconds, 3),
    )


class ValidateArguments(AboutNetwork):
    """Arguments of ``validate``."""

    dataset: Dataset = "digits"
    max_params: MaxParams = None
    min_params: MinParams = None


@TOOLS.tool(title="Validate a network")
def validate(arguments: ValidateArguments, context: Context) -> Judgement:
    """Find out whether a PyTorch network works, without training it: about a second.

    The source is built and run forward and backward in a sandbox, with inputs of the data set's shape. Use it after
    every change to a network and before evaluate. The answer says how far it got, why it stopped and at which line,
    and how many parameters and FLOPs it has. It never fails because of what the source does: a broken or hostile file
    has a verdict too. Nothing is put on record.
    """
    shared = shared_of(context)
    source = shared.source(arguments.source, arguments.candidate_id)
    limits = limits_of(arguments.max_params, arguments.min_params)
    return judgement(source, shared.validator.validate(source, task_of(arguments.dataset), limits))


class PredictArguments(AboutNetwork):
    """Arguments of ``predict``."""

    dataset: Dataset = "digits"
    protocol: ProtocolName = None
    seed: Seed = 0


class Predicted(Result):
    """What a network will probably reach."""

    verdict: Judgement
    metric: float | None = Field(description="Predicted metric in [0, 1]; null for an invalid network.")
    low: float | None = Field(description="Lower end of the interval.")
    high: float | None = Field(description="Upper end of the interval.")
    reached: float | None = Field(description="What it really reached, if it was trained before.")
    learned_from: int = Field(description="Networks on record that the prediction was learned from.")


@TOOLS.tool(title="Predict a network's accuracy")
def predict(arguments: PredictArguments, context: Context) -> Predicted:
    """Estimate what a network would reach when it is trained, without training it.

    Learned from the networks on record that were trained under the same protocol, of which it needs some dozens. Use
    it to choose which of many networks to evaluate; to know what one really reaches, use evaluate.
    """
    from ...tools.prediction.examples import example_of, known_examples
    from ...tools.prediction.model import Predictor
    from ...tools.result_cache import find_result
    from ...tools.training import seen_task

    shared = shared_of(context)
    source, task = shared.source(arguments.source, arguments.candidate_id), task_of(arguments.dataset)
    chosen = protocol_of(arguments.dataset, arguments.protocol, {})
    known = known_examples(shared.records, task, chosen)
    verdict = shared.validator.validate(source, seen_task(task, chosen))
    told: dict[str, Any] = {"metric": None, "low": None, "high": None, "reached": None}
    if verdict.ok:
        found = Predictor(known, arguments.seed).predict([example_of(shared.records, source, verdict, task, chosen)])[0]
        stored = find_result(shared.records, source, task, chosen)
        told = {**found._asdict(), "reached": None if stored is None else stored.metric}
    return Predicted(verdict=judgement(source, verdict), learned_from=len(known), **told)


class GenerateArguments(Arguments):
    """Arguments of ``generate``."""

    dataset: Dataset = "digits"
    count: int = Field(default=1, ge=1, le=20, description="How many networks.")
    style: str = Field(
        default=ANY,
        description="Architecture style; any: of all.",
        pattern=f"^({'|'.join((ANY, *STYLES))})$",
        json_schema_extra={"enum": [ANY, *STYLES]},
    )
    max_params: MaxParams = None
    seed: Seed = 0


class Generated(Result):
    """One network of the program generator."""

    candidate_id: str
    style: str
    params: int
    source: Source


class GeneratedMany(Result):
    """Networks of the program generator."""

    networks: tuple[Generated, ...]


@TOOLS.tool(title="Generate networks without a language model")
def generate(arguments: GenerateArguments, context: Context) -> GeneratedMany:
    """Write complete, working networks with a random program generator: no language model, milliseconds each.

    Use it for starting points, baselines and comparisons, or to see what a valid network file looks like. What it
    writes follows textbook patterns; for a network made for a request, use design.
    """
    from ...tools.generators.programs import random_program

    info, rng = info_of(arguments.dataset), random.Random(f"generate {arguments.seed}")
    most = arguments.max_params
    buckets = buckets_under(most) if most is not None else (ANY,)
    made: list[Generated] = []
    for _ in range(arguments.count * _TRIES):
        context.check()
        wish = Header(info.in_shape, info.classes, rng.choice(buckets), arguments.style)
        program = random_program(rng, wish)
        if most is None or program.params <= most:
            key = candidate_id(program.source)
            made.append(Generated(candidate_id=key, style=program.style, params=program.params, source=program.source))
        if len(made) == arguments.count:
            return GeneratedMany(networks=tuple(made))
    raise ToolError(f"the generator writes hardly any networks below {most or 0:,} parameters: ask for 3,000 or more")


class ListDatasetsArguments(Arguments):
    """``list_datasets`` takes no arguments."""


class KnownDataset(Result):
    """A data set."""

    name: str
    title: str
    in_shape: tuple[int, ...] = Field(description="Channels, height and width of an image.")
    classes: int
    train_size: int
    test_size: int
    threshold: float = Field(description="Accuracy from which campaigns admit a network, if not told otherwise.")
    protocol: str = Field(description="Its own training protocol.")


class NamedProtocol(Result):
    """A training protocol."""

    name: str
    epochs: int
    batch: int
    lr: float
    source: str = Field(description="Where its constants are from.")


class KnownDatasets(Result):
    """What networks can be designed for, and how they are trained."""

    datasets: tuple[KnownDataset, ...]
    protocols: tuple[NamedProtocol, ...]


@TOOLS.tool(title="List data sets and training protocols")
def list_datasets(arguments: ListDatasetsArguments, context: Context) -> KnownDatasets:
    """List the data sets that networks can be designed for, with their shapes, and the training protocols.

    Call it first when it is not clear which data set a person means, or which names other tools take.
    """
    infos = [task_info(name) for name in known_datasets()]
    names = ("title", "in_shape", "classes", "train_size", "test_size", "threshold")
    return KnownDatasets(
        datasets=tuple(
            KnownDataset(
                name=one.dataset,
                protocol=default_protocol(one.dataset).name,
                **{name: getattr(one, name) for name in names},
            )
            for one in infos
        ),
        protocols=tuple(
            NamedProtocol(name=one.name, epochs=one.epochs, batch=one.batch, lr=one.lr, source=source_of(one.name))
            for one in map(protocol, known_protocols())
        ),
    )
