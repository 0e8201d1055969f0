"""The part of a report that sets networks with blocks of the library beside those they were made from."""

from __future__ import annotations

from collections.abc import Iterable

from ...memory.rows import Generation
from ..statistics import summarise, wilson_interval
from .history import History
from .model import Accuracy, Rag, RagReport, Share


def rag_report(history: History) -> RagReport | None:
    """The ``rag-`` networks of a campaign; ``None`` where it has none."""
    slots = [one for one in history.generations if _blocks(history, one)]
    if not slots:
        return None
    networks = tuple(sorted(_networks(history, slots), key=lambda one: (-one.metric, one.cycle, one.slot)))
    differences = [one.difference for one in networks if one.difference is not None]
    better = sum(difference > 0 for difference in differences)
    share, low, high = wilson_interval(better, len(differences))
    return RagReport(
        written=len(slots),
        valid=sum(one.valid_by != "none" for one in slots),
        trained=len(networks),
        blocks=len({block for one in networks for block in one.blocks}),
        difference=Accuracy.model_validate(summarise(differences)._asdict()),
        better=Share(count=better, share=share, low=low, high=high),
        networks=networks,
    )


def _blocks(history: History, slot: Generation) -> tuple[str, ...]:
    candidate = history.candidates.get(slot.candidate_id or "")
    return candidate.blocks if candidate is not None else ()


def _networks(history: History, slots: Iterable[Generation]) -> Iterable[Rag]:
    for slot in slots:
        trial, candidate = history.trial(slot), history.candidates[slot.candidate_id or ""]
        if trial is None or trial.state != "complete" or trial.metric is None:
            continue
        told = _told(slot)
        parent = candidate.parents[0] if slot.grafted and candidate.parents else None
        reached = history.trials.get(parent or "")
        before = reached.metric if reached is not None else None
        yield Rag(
            id=candidate.id,
            name=candidate.name,
            cycle=slot.cycle,
            slot=slot.slot,
            blocks=candidate.blocks,
            block=told.get("block"),
            category=told.get("category"),
            stage=told.get("stage"),
            metric=trial.metric,
            parent=parent,
            parent_metric=before,
            difference=None if before is None else trial.metric - before,
            admitted=history.admitted(slot),
        )


def _told(slot: Generation) -> dict[str, str]:
    """What the grafter wrote down of a graft, by its words."""
    if not slot.grafted:
        return {}
    lines = (line.partition(": ") for line in slot.prompt.splitlines()[1:])
    return {name: value for name, _, value in lines}
