"""Tools that compare networks: is one new, and which of many are the same."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator, model_validator

from ...memory.home import home_folder
from ...memory.novelty import NEAR_DUPLICATE, novelty_against
from ...memory.types import candidate_id
from ...tools.registry import Arguments, Context, Result, ToolError
from .base import TOOLS
from .shared import Shared, shared_of
from .words import AboutNetwork, CandidateId, Dataset, Source, shortened, task_of

MOST_COMPARED: Final = 200
_MOST_TEXT: Final = 2 * 1024 * 1024
_MOST_TOLD: Final = 500


class CheckNoveltyArguments(AboutNetwork):
    """Arguments of ``check_novelty``."""

    dataset: Dataset = "digits"
    structural: bool = Field(
        default=True, description="Compare computation graphs too, in the sandbox; false: the texts alone."
    )


class Novelty(Result):
    """Whether a network is new."""

    novel: bool
    kind: str | None = Field(description="exact: the same text; corpus: near text; graph: the same computation.")
    similarity: float = Field(description=f"Jaccard similarity of the texts, 0 to 1; new below {NEAR_DUPLICATE}.")
    nearest: str | None = Field(description="Id of the nearest network on record.")
    known: int = Field(description="Networks on record that it was compared with.")


@TOOLS.tool(title="Check whether a network is new")
def check_novelty(arguments: CheckNoveltyArguments, context: Context) -> Novelty:
    """Find out whether a network is new among all on record, by its text and by its computation graph.

    Use it before training: a duplicate is not worth an epoch. Answers with the nearest network known, whose results
    get_candidate tells. A network on record is compared with all others.
    """
    from ...tools.dedup.graphs import Tracer

    shared = shared_of(context)
    source, task = shared.source(arguments.source, arguments.candidate_id), task_of(arguments.dataset)
    tracer = Tracer(shared.sandbox, task, shared.graphs) if arguments.structural else None
    structure = tracer.trace(source).fingerprint if tracer else None
    with shared.novelty_lock:
        index = shared.known
        _look_at_new(shared)
        own = candidate_id(source)
        against = index
        if own in index:
            against = index.fresh()
            for key, text in _others(shared, own).items():
                against.add(key, text)
        traced = (lambda key, text: tracer.trace(text).fingerprint) if tracer else None
        found = novelty_against(against, index.fresh(), source, structure, traced)
        known = len(against)
    return Novelty(
        novel=found.novel, kind=found.kind, similarity=round(found.jaccard, 4), nearest=found.nearest, known=known
    )


def _look_at_new(shared: Shared) -> None:
    """Add to the index what was put on record since the last time."""
    index = shared.known
    new = [key for key in shared.records.candidate_tasks() if key not in index]
    for key, candidate in shared.records.get_candidates(new).items():
        index.add(key, candidate.source)


def _others(shared: Shared, own: str) -> dict[str, str]:
    ids = [key for key in shared.records.candidate_tasks() if key != own]
    return {key: one.source for key, one in shared.records.get_candidates(ids).items()}


class DeduplicateArguments(Arguments):
    """Arguments of ``deduplicate``."""

    sources: tuple[Source, ...] = Field(
        default=(), max_length=MOST_COMPARED, description="Networks as texts; the answer names them by place, 0 first."
    )
    candidate_ids: tuple[CandidateId, ...] = Field(
        default=(), max_length=MOST_COMPARED, description="Networks on record, by id, beside or instead of sources."
    )
    all_records: bool = Field(default=False, description="Compare every network on record instead.")
    structural: bool = Field(default=True, description="Compare computation graphs too, in the sandbox.")
    threshold: float = Field(
        default=NEAR_DUPLICATE, ge=0.85, le=1, description="Similarity of texts from which two networks are one."
    )
    dataset: Dataset = "cifar10"

    @field_validator("sources")
    @classmethod
    def _bounded(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if sum(map(len, sources)) > _MOST_TEXT:
            raise ValueError(f"the sources have more than {_MOST_TEXT:,} characters together")
        return sources

    @model_validator(mode="after")
    def _something(self) -> DeduplicateArguments:
        named = len(self.sources) + len(self.candidate_ids)
        if self.all_records and named:
            raise ValueError("all_records compares what is on record: leave out sources and candidate_ids")
        if not self.all_records and named < 2:
            raise ValueError("name at least two networks, by sources or candidate_ids, or set all_records")
        return self


class Duplicate(Result):
    """A network that is another one."""

    key: str = Field(description="source-0, source-1, … or the id of a network on record.")
    duplicate_of: str
    stage: str = Field(description="exact, lexical (near text) or structural (the same computation graph).")
    similarity: float
    reason: str


class Deduplicated(Result):
    """Which of many networks are the same."""

    networks: int
    kept: int
    kept_keys: tuple[str, ...] = Field(description=f"The first {_MOST_TOLD} that are kept.")
    duplicates: tuple[Duplicate, ...] = Field(description=f"The first {_MOST_TOLD}.")


@TOOLS.tool(title="Find duplicates among networks", kind="job")
def deduplicate(arguments: DeduplicateArguments, context: Context) -> Deduplicated:
    """Find which of many networks are the same: equal text, near text, or the same computation graph.

    Keeps one network of each group and says of every other one which it duplicates and why.
    """
    from ...tools.dedup.items import Item
    from ...tools.dedup.run import Structural, deduplicate, record_items
    from ...tools.execution import validation_image

    shared = shared_of(context)
    if arguments.all_records:
        items = record_items(shared.records)
        if not items:
            raise ToolError("there is no network on record yet: design or evaluate some first")
    else:
        named = {f"source-{at:03}": text for at, text in enumerate(arguments.sources)}
        found = [shared.candidate(key) for key in arguments.candidate_ids]
        named |= {one.id: one.source for one in found}
        items = [Item(key=key, text=named[key]) for key in sorted(named)]
    structural = None
    if arguments.structural:
        structural = Structural(lambda: shared.open_sandbox(validation_image()), task_of(arguments.dataset))

    def progress(stage: str, done: int, total: int) -> None:
        context.check()
        context.report(done, total, stage)

    result = deduplicate(
        items,
        home_folder("dedup"),
        structural=structural,
        threshold=arguments.threshold,
        progress=progress,
    )
    kept = [one.key for one in result.found if one.kept]
    dropped = [
        Duplicate(
            key=one.key,
            duplicate_of=one.duplicate_of or "",
            stage=one.stage or "",
            similarity=round(one.similarity, 4),
            reason=shortened(one.reason, 300),
        )
        for one in result.found
        if not one.kept
    ]
    return Deduplicated(
        networks=len(items),
        kept=len(kept),
        kept_keys=tuple(kept[:_MOST_TOLD]),
        duplicates=tuple(dropped[:_MOST_TOLD]),
    )
