"""The morning report: what a night found, what failed and why, what kept it from working, what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ...memory.records import Records
from .advice import Night, advise
from .history import History
from .model import CampaignReport
from .morning_model import FailureClass, FoundNetwork, Interruption, Morning
from .text import shown

FOUND: Final = 10
"""Networks that are shown beside those of the front."""
FAILURES: Final = 8
"""Classes of failures that are shown of each step, the most frequent first."""

SETTINGS_FILE: Final = "config.yaml"
NETWORKS_FOLDER: Final = "networks"


def morning_report(
    report: CampaignReport, records: Records, interruptions: Sequence[Interruption], *, folder: Path, disk_mb: float
) -> Morning:
    """A campaign's night.

    Args:
        interruptions: as its journal has them, in order.
        folder: where the report will lie, with the settings and the networks that it names beside it.
        disk_mb: what the campaign takes.
    """
    history = History.read(records, report.campaign)
    found, failures = _found(history), _failures(report, history)
    night = Night(str(folder / SETTINGS_FILE), failures, interruptions, found, str(folder))
    written = sum(one.generated - one.grafted for one in report.cycles)
    valid = sum(one.valid.generation.count for one in report.cycles)
    return Morning(
        campaign=report.campaign,
        dataset=report.task.dataset,
        metric=report.task.metric,
        state=report.state,
        reason=report.stop_reason or "",
        begun=report.created,
        ended=report.updated,
        wall_s=report.spent.wall_s,
        waited_s=sum(one.seconds or 0.0 for one in interruptions if one.what == "waited"),
        tokens=report.spent.tokens,
        candidates=report.spent.candidates,
        cycles=len(report.cycles),
        valid=valid / written if written else None,
        trained=sum(one.trained for one in report.cycles),
        failed_trials=sum(one.failed_trials for one in report.cycles),
        admitted=sum(one.admitted for one in report.cycles),
        means=tuple(one.accuracy.mean for one in report.cycles),
        disk_mb=disk_mb,
        found=found,
        failures=failures,
        interruptions=tuple(interruptions),
        advice=advise(report, night),
    )


def _found(history: History) -> tuple[FoundNetwork, ...]:
    """The best by metric, then what else is on the front of metric against parameters."""
    scored = []
    for one in history.first_slots:
        trial = history.trial(one)
        if trial is not None and trial.metric is not None:
            verdict = history.verdicts.get(one.candidate_id or "")
            scored.append((trial.metric, one, verdict))
    scored.sort(key=lambda item: (-item[0], item[1].cycle, item[1].slot))
    sizes = ((one.candidate_id or "", metric, verdict.params) for metric, one, verdict in scored if verdict)
    front = set(_front(sizes))
    networks = []
    for place, (metric, one, verdict) in enumerate(scored):
        on_front = (one.candidate_id or "") in front
        if place >= FOUND and not on_front:
            continue
        candidate = history.candidates[one.candidate_id or ""]
        networks.append(
            FoundNetwork(
                id=candidate.id,
                name=candidate.name,
                cycle=one.cycle,
                metric=metric,
                params=verdict.params if verdict else None,
                flops=verdict.flops if verdict else None,
                front=on_front,
                file=f"{NETWORKS_FOLDER}/{candidate.id[:16]}.py",
                code=candidate.source,
            )
        )
    return tuple(networks)


def _front(scored: Iterable[tuple[str, float, int | None]]) -> Iterable[str]:
    """Of networks that come best first: each that is smaller than all before it."""
    least: float = float("inf")
    for key, _, params in scored:
        if params is not None and params < least:
            least = params
            yield key


def _failures(report: CampaignReport, history: History) -> tuple[FailureClass, ...]:
    writing = [
        FailureClass(
            step="writing", error_class=f"{one.stage}: {one.error_class}", count=one.count, example=one.example
        )
        for one in report.errors.final[:FAILURES]
    ]
    failed = [t for t in map(history.trial, history.first_slots) if t is not None and t.state == "failed"]
    classes = Counter(one.error_class or "unknown" for one in failed)
    examples = {one.error_class or "unknown": one.message or "" for one in failed}
    training = [
        FailureClass(step="training", error_class=name, count=count, example=shown(examples[name]))
        for name, count in classes.most_common(FAILURES)
    ]
    return (*writing, *training)
