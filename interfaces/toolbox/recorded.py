"""Tools that read the records: networks that fit filters, and all that is known of one."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, model_validator

from ...memory.candidate_query import (
    Filter,
    Order,
    Row,
    count_networks,
    find_networks,
    results_of,
    trials_of,
    verdicts_of,
)
from ...memory.types import Origin
from ...tools.registry import Arguments, Context, Result
from .base import TOOLS
from .shared import Shared, shared_of
from .words import CandidateId, MaxParams, MinParams, info_of, shortened

MOST_ROWS: Final = 100
_MOST_DETAILS: Final = 20


class QueryRecordsArguments(Arguments):
    """Arguments of ``query_records``."""

    dataset: str | None = Field(default=None, max_length=40, description="Only networks of this data set; null: all.")
    metric: str | None = Field(default=None, max_length=40, description="Only results in this metric, e.g. accuracy.")
    min_metric: float | None = Field(default=None, ge=0, le=1, description="Least metric reached, 0 to 1.")
    max_metric: float | None = Field(default=None, ge=0, le=1, description="Most metric reached, 0 to 1.")
    min_params: MinParams = None
    max_params: MaxParams = None
    origin: Origin | None = Field(
        default=None, description="How networks came to be: llm- by a language model, hand- given, rag- with a block."
    )
    campaign: str | None = Field(
        default=None, max_length=64, description="Only what this campaign or design wrote; see list_campaigns."
    )
    trained: bool | None = Field(default=None, description="true: only trained ones; false: only untrained ones.")
    order: Order = Field(
        default="metric", description="metric: the best first; params: the smallest first; newest: the newest first."
    )
    limit: int = Field(default=20, ge=1, le=MOST_ROWS, description="How many to return.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="How many to skip, for the next page.")

    @model_validator(mode="after")
    def _not_empty(self) -> QueryRecordsArguments:
        if self.min_metric is not None and self.max_metric is not None and self.min_metric > self.max_metric:
            raise ValueError("min_metric is above max_metric")
        if self.min_params is not None and self.max_params is not None and self.min_params > self.max_params:
            raise ValueError("min_params is above max_params")
        return self


class RecordedNetwork(Result):
    """One network and one result of it."""

    candidate_id: str
    name: str
    dataset: str | None
    metric_name: str | None
    metric: float | None = Field(description="What it reached after training, 0 to 1; null: not trained.")
    epochs: int
    params: int | None
    flops: int | None
    protocol_hash: str | None = Field(description="Results compare only under the same protocol.")
    parents: tuple[str, ...]
    created: str


class QueryRecordsResult(Result):
    """Networks that fit."""

    total: int = Field(description="How many fit in all.")
    networks: tuple[RecordedNetwork, ...]


def recorded(row: Row) -> RecordedNetwork:
    """A row of the query as tools answer it."""
    names = ("dataset", "metric_name", "metric", "epochs", "params", "flops", "protocol_hash", "parents")
    return RecordedNetwork(
        candidate_id=row.id,
        name=f"{row.origin}{row.id[:12]}",
        created=row.created.isoformat(timespec="seconds"),
        **{name: getattr(row, name) for name in names},
    )


@TOOLS.tool(title="Query the records")
def query_records(arguments: QueryRecordsArguments, context: Context) -> QueryRecordsResult:
    """Find networks that were made before, by data set, accuracy, size, origin or campaign; without their source.

    Use it before designing something new, to compare what was reached, or to find the best network under a limit.
    get_candidate returns the source and all results of one of them. A network has a row for each task and protocol.
    """
    if arguments.dataset is not None:
        info_of(arguments.dataset)
    wanted = Filter(
        dataset=arguments.dataset,
        metric=arguments.metric,
        least_metric=arguments.min_metric,
        most_metric=arguments.max_metric,
        least_params=arguments.min_params,
        most_params=arguments.max_params,
        origin=arguments.origin,
        campaign=arguments.campaign,
        trained=arguments.trained,
    )
    records = shared_of(context).records
    rows = find_networks(records, wanted, order=arguments.order, limit=arguments.limit, offset=arguments.offset)
    return QueryRecordsResult(total=count_networks(records, wanted), networks=tuple(map(recorded, rows)))


class GetCandidateArguments(Arguments):
    """Arguments of ``get_candidate``."""

    candidate_id: CandidateId


class CandidateDetails(Result):
    """All that is known of one network."""

    candidate_id: str
    name: str
    origin: str
    source: str
    parents: tuple[str, ...] = Field(description="Ids of the networks that it was made from.")
    blocks: tuple[str, ...] = Field(description="Ids of blocks of the library in it.")
    results: tuple[RecordedNetwork, ...] = Field(description="Its results, best first.")
    verdicts: tuple[dict[str, Any], ...] = Field(description="How far it got on each task.")
    trials: tuple[dict[str, Any], ...] = Field(description="Its trainings with the metric after each epoch.")


@TOOLS.tool(title="Get a network with all that is known of it")
def get_candidate(arguments: GetCandidateArguments, context: Context) -> CandidateDetails:
    """Return the source of a network on record, where it comes from, its verdicts and its trainings.

    Takes the id from query_records, evaluate, design or repair; the first eight digits are enough.
    """
    return candidate_details(shared_of(context), arguments.candidate_id)


def candidate_details(shared: Shared, wanted: str) -> CandidateDetails:
    """All that is known of a network.

    Raises:
        ToolError: there is none of this id or name.
    """
    candidate = shared.candidate(wanted)
    verdicts = verdicts_of(shared.records, candidate.id)[:_MOST_DETAILS]
    trials = trials_of(shared.records, candidate.id)[:_MOST_DETAILS]
    return CandidateDetails(
        candidate_id=candidate.id,
        name=candidate.name,
        origin=candidate.origin,
        source=candidate.source,
        parents=candidate.parents,
        blocks=candidate.blocks,
        results=tuple(map(recorded, results_of(shared.records, candidate.id, limit=_MOST_DETAILS))),
        verdicts=tuple(
            {
                "task": task,
                "valid": one.ok,
                "stage": one.stage,
                "reason": shortened(one.reason),
                "params": one.params,
                "flops": one.flops,
            }
            for task, one in verdicts
        ),
        trials=tuple(one.model_dump(mode="json", exclude={"candidate_id"}) for one in trials),
    )
