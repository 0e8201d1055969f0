"""The part of a report that sets networks with blocks of the library beside those they were made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from ...memory.rows import PASSED_OVER, Generation
from ..statistics import summarise, wilson_interval
from .history import History
from .model import Accuracy, PassedOver, Rag, RagGroup, RagReport, Share


def rag_report(history: History) -> RagReport | None:
    """The ``rag-`` networks of a campaign; ``None`` where none was made or tried."""
    slots = [one for one in history.generations if _blocks(history, one)]
    empty = sum(one.empty for one in history.generations)
    if not slots and not empty:
        return None
    networks = tuple(sorted(_networks(history, slots), key=lambda one: (-one.metric, one.cycle, one.slot)))
    return RagReport(
        written=len(slots),
        valid=sum(one.valid_by != "none" for one in slots),
        trained=len(networks),
        blocks=len({block for one in networks for block in one.blocks}),
        difference=_differences(networks),
        better=_better(networks),
        by_category=_groups(networks, lambda one: one.category),
        by_block=_groups(networks, lambda one: one.block),
        networks=networks,
        empty=empty,
        passed_over=tuple(_passed_over(history.generations)),
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


def _groups(networks: Iterable[Rag], name: Callable[[Rag], str | None]) -> tuple[RagGroup, ...]:
    """Grafts by what they have in common; networks of a model that used a block itself have no parent to compare."""
    groups: dict[str, list[Rag]] = defaultdict(list)
    for one in networks:
        key = name(one)
        if key is not None:
            groups[key].append(one)
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        RagGroup(
            name=key,
            networks=len(members),
            blocks=len({block for one in members for block in one.blocks}),
            metric=_summary([one.metric for one in members]),
            difference=_differences(members),
            better=_better(members),
        )
        for key, members in ranked
    )


def _differences(networks: Iterable[Rag]) -> Accuracy:
    return _summary([one.difference for one in networks if one.difference is not None])


def _summary(values: Sequence[float]) -> Accuracy:
    return Accuracy.model_validate(summarise(values)._asdict())


def _better(networks: Iterable[Rag]) -> Share:
    known = [one.difference > 0 for one in networks if one.difference is not None]
    share, low, high = wilson_interval(sum(known), len(known))
    return Share(count=sum(known), share=share, low=low, high=high)


def _told(slot: Generation) -> dict[str, str]:
    """What the grafter wrote down of a graft, by its words."""
    if not slot.grafted:
        return {}
    lines = (line.partition(": ") for line in slot.prompt.splitlines()[1:] if not line.startswith(PASSED_OVER))
    return {name: value for name, _, value in lines}


def _passed_over(generations: Iterable[Generation]) -> Iterable[PassedOver]:
    for slot in generations:
        for line in slot.prompt.splitlines()[1:] if slot.grafted else ():
            if line.startswith(PASSED_OVER):
                block, _, reason = line.removeprefix(PASSED_OVER).partition(": ")
                yield PassedOver(cycle=slot.cycle, slot=slot.slot, block=block, reason=reason)
