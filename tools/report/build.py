"""A campaign's report out of the records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ... import __version__
from ...memory.records import Records
from ...memory.rows import Campaign, Cycle, Generation
from ..accounting import Costs, Price, costs_of
from ..statistics import summarise, wilson_interval
from .foreseen import foreseen
from .history import History
from .model import (
    Accuracy,
    BestNetwork,
    CampaignReport,
    CandidateLine,
    CycleReport,
    Descent,
    Errors,
    Rate,
    Share,
    Spent,
    ValidRates,
)
from .rag import rag_report

BEST: Final = 5  # networks shown with their code


def campaign_report(records: Records, campaign_id: str) -> CampaignReport:
    """The report of a campaign as far as it has come.

    Raises:
        RecordsError: there is no such campaign.
    """
    history = History.read(records, campaign_id)
    campaign = history.campaign
    return CampaignReport(
        campaign=campaign.id,
        version=__version__,
        state=campaign.state,
        stop_reason=campaign.stop_reason,
        created=campaign.created,
        updated=campaign.updated,
        seed=campaign.seed,
        config=campaign.config,
        task=history.task,
        protocol=history.protocol,
        protocol_hash=campaign.protocol_hash,
        machine=campaign.machine,
        spent=Spent(wall_s=campaign.wall_s, tokens=campaign.tokens, candidates=campaign.candidates),
        costs=campaign_costs(records, campaign),
        initial_corpus=campaign.initial_corpus,
        cycles=tuple(_cycles(history)),
        errors=Errors(raw=history.raw_errors(), final=history.final_errors()),
        best=tuple(_best(history)),
        lineage=tuple(_lineage(history)),
        rag=rag_report(history),
        candidates=tuple(_line(history, one) for one in history.generations),
    )


def campaign_costs(records: Records, campaign: Campaign) -> Costs:
    """Tokens of a campaign by agent and model, at the prices of its configuration."""
    settings = campaign.config.get("accounting") or {}
    prices = {name: Price.model_validate(price) for name, price in (settings.get("prices") or {}).items()}
    return costs_of(records.accounts(campaign.id), prices, settings.get("currency", "USD"))


def _cycles(history: History) -> Iterable[CycleReport]:
    corpus = history.campaign.initial_corpus
    threshold = next((one.threshold for one in history.cycles if one.threshold is not None), None)
    for cycle in history.cycles:
        slots = history.in_cycle(cycle.n)
        report = _cycle(history, cycle, slots, threshold, corpus)
        corpus = report.corpus
        yield report


def _cycle(
    history: History,
    cycle: Cycle,
    slots: list[Generation],
    threshold: float | None,
    corpus: int,
) -> CycleReport:
    trials = [trial for trial in map(history.trial, slots) if trial is not None]
    values = [trial.metric for trial in trials if trial.state == "complete" and trial.metric is not None]
    bar = cycle.threshold if cycle.threshold is not None else threshold
    admitted = history.entered[cycle.n]
    kinds = [one.nearest_kind for one in slots if one.novel is False]
    repairs = [one for one in history.repairs if one.cycle == cycle.n]
    return CycleReport(
        cycle=cycle.n,
        state=cycle.state,
        adapter=cycle.adapter,
        threshold=bar,
        generated=sum(not one.empty for one in slots),
        grafted=sum(one.grafted and not one.empty for one in slots),
        valid=_valid([one for one in slots if not one.grafted]),
        trained=len(values),
        failed_trials=sum(trial.state == "failed" for trial in trials),
        accuracy=Accuracy.model_validate(summarise(values, share=True)._asdict()),
        above_threshold=_above(values, bar),
        novel=sum(one.novel is True for one in slots),
        duplicates=len(kinds),
        duplicates_by={kind: kinds.count(kind) for kind in ("exact", "corpus", "cycle", "graph")},
        admitted=admitted,
        corpus=corpus + admitted,
        seconds=cycle.timings,
        tokens=sum(one.tokens_in + one.tokens_out for one in slots)
        + sum(one.tokens_in + one.tokens_out for one in repairs),
        repaired_by_hint=sum(one.by == "hint" and one.verdict is not None and one.verdict.ok for one in repairs),
        values=tuple(values),
        foreseen=foreseen(history, cycle.n),
    )


def _valid(slots: list[Generation]) -> ValidRates:
    """Each step counts what it and the steps before it made valid."""
    steps = [one.valid_by for one in slots]
    raw = steps.count("generation")
    cleaned = raw + steps.count("cleanup")
    repaired = cleaned + steps.count("repair")
    return ValidRates(
        generation=_rate(raw, len(slots)),
        cleanup=_rate(cleaned, len(slots)),
        repair=_rate(repaired, len(slots)),
    )


def _rate(count: int, total: int) -> Rate:
    rate, low, high = wilson_interval(count, total)
    return Rate(count=count, rate=rate, low=low, high=high)


def _above(values: list[float], threshold: float | None) -> Share:
    if threshold is None:
        return Share(count=0, share=None, low=None, high=None)
    count = sum(value >= threshold for value in values)
    share, low, high = wilson_interval(count, len(values))
    return Share(count=count, share=share, low=low, high=high)


def _metric(history: History, generation: Generation) -> float | None:
    trial = history.trial(generation)
    return None if trial is None else trial.metric


def _best(history: History) -> Iterable[BestNetwork]:
    scored = [(_metric(history, one), one) for one in history.first_slots]
    ranked = sorted(
        ((metric, one) for metric, one in scored if metric is not None),
        key=lambda item: (-item[0], item[1].cycle, item[1].slot),
    )
    for metric, one in ranked[:BEST]:
        candidate = history.candidates[one.candidate_id or ""]
        verdict = history.verdicts.get(candidate.id)
        yield BestNetwork(
            id=candidate.id,
            name=candidate.name,
            cycle=one.cycle,
            slot=one.slot,
            metric=metric,
            params=verdict.params if verdict else None,
            flops=verdict.flops if verdict else None,
            origin=candidate.origin,
            valid_by=one.valid_by,
            prompt=one.prompt,
            code=candidate.source,
            jaccard=one.jaccard,
            nearest=one.nearest,
        )


def _lineage(history: History) -> Iterable[Descent]:
    adapters = {cycle.n: cycle.adapter for cycle in history.cycles}
    for one in history.first_slots:
        if not history.admitted(one):
            continue
        candidate = history.candidates[one.candidate_id or ""]
        yield Descent(
            id=candidate.id,
            cycle=one.cycle,
            slot=one.slot,
            origin=candidate.origin,
            metric=_metric(history, one),
            adapter=adapters.get(one.cycle),
            parents=candidate.parents,
            written_as=one.raw_candidate_id if one.raw_candidate_id != candidate.id else None,
            nearest=one.nearest,
            jaccard=one.jaccard,
        )


def _line(history: History, generation: Generation) -> CandidateLine:
    return CandidateLine(
        cycle=generation.cycle,
        slot=generation.slot,
        id=generation.candidate_id,
        valid_by=generation.valid_by,
        novel=generation.novel,
        metric=_metric(history, generation),
        admitted=history.admitted(generation),
    )
