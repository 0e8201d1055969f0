"""What to try next, read off a campaign's numbers by rules: each says why, and the command."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from .model import CampaignReport, CycleReport
from .morning_model import Advice, FailureClass, FoundNetwork, Interruption
from .text import duration

_LAST: Final = 3
"""Cycles that count as the newest."""
_VALID_LOW: Final = 0.5
_DUPLICATES_HIGH: Final = 0.4
_FAILED_HIGH: Final = 0.2
_BAR_HIGH: Final = 0.02
_BAR_LOW: Final = 0.8
_WAITED_MUCH: Final = 0.05
_BUDGETS: Final = {
    "cycles": "cycles",
    "candidates": "candidates",
    "wall": "wall_s",
    "tokens": "tokens",
    "disk": "disk_mb",
}
_SLOW: Final = ("CpuLimit", "Timeout")

Rule = Callable[[CampaignReport, "Night"], Iterable[Advice]]


class Night:
    """What the rules look at beside the report.

    Args:
        settings: file with the campaign's configuration, for commands that begin another one.
    """

    def __init__(
        self,
        settings: str,
        failures: Sequence[FailureClass],
        interruptions: Sequence[Interruption],
        found: Sequence[FoundNetwork],
        folder: str,
    ) -> None:
        self.settings = settings
        self.failures = failures
        self.interruptions = interruptions
        self.found = found
        self.folder = folder

    def again(self, *fields: str) -> str:
        """The command of another campaign with the same settings but for some."""
        parts = "".join(f" --set {shlex.quote(field)}" for field in fields)
        return f"netwright campaign run -c {shlex.quote(self.settings)}{parts}"


def advise(report: CampaignReport, night: Night) -> tuple[Advice, ...]:
    """Everything that the rules have to say, the most pressing first."""
    return tuple(advice for rule in _RULES for advice in rule(report, night))


def _resume(report: CampaignReport, night: Night) -> Iterable[Advice]:
    command = f"netwright campaign resume {report.campaign}"
    reason = report.stop_reason or ""
    if report.state == "failed":
        yield Advice(what="Go on when the cause is removed", why=f"it failed: {reason}", command=command)
    elif report.state in ("stopped", "running", "waiting"):
        yield Advice(what="Go on", why=f"it did not come to its end: {reason or report.state}", command=command)
    elif reason.startswith("budget:"):
        limited = reason.partition(",")[0]  # what comes after it tells of a trouble, in any words
        field = next((name for word, name in _BUDGETS.items() if word in limited), None)
        limit = report.config.get("budget", {}).get(field) if field else None
        more = f" --set budget.{field}={math.ceil(2 * limit)}" if limit else ""
        gained = _gain(report.cycles)
        trend = (
            "there are too few cycles to see a trend"
            if gained is None
            else f"over the newest cycles the mean moved by {100 * gained:+.1f} points"
        )
        still = gained is None or gained > _small(report)
        yield Advice(
            what="Give it more of the budget" if still else "More of the same budget may bring little",
            why=f"it ended by its {reason}; {trend}",
            command=command + more,
        )


def _valid(report: CampaignReport, night: Night) -> Iterable[Advice]:
    newest = report.cycles[-_LAST:]
    written = sum(one.generated - one.grafted for one in newest)
    rate = sum(one.valid.generation.count for one in newest) / written if written else 1.0
    if rate < _VALID_LOW:
        most = next((one for one in night.failures if one.step == "writing"), None)
        why = f"{100 * rate:.0f} % of the newest {written} answers were valid as written"
        tries = _setting(report, "campaign", "repair_tries", 2)
        temperature = _setting(report, "model", "temperature", None)
        fields = [f"campaign.repair_tries={min(5, tries + 1)}"]
        fields.append(f"model.temperature={0.5 if temperature is None else round(temperature * 0.7, 2)}")
        why += f"; most often {most.error_class} ({most.count})" if most else ""
        yield Advice(what="Let it repair more and sample cooler", why=why, command=night.again(*fields))


def _threshold(report: CampaignReport, night: Night) -> Iterable[Advice]:
    trained = sum(one.trained for one in report.cycles)
    known = [one for one in report.cycles if one.threshold is not None]
    if trained < 20 or not known:
        return
    above = sum(one.above_threshold.count for one in report.cycles)
    bar = known[-1].threshold
    if above / trained < _BAR_HIGH:
        yield Advice(
            what="Lower the threshold",
            why=f"{above} of {trained} trained networks reach {bar:.3f}: there is nearly nothing to learn from",
            command=night.again("campaign.threshold=null", "campaign.threshold_share=0.05"),
        )
    first = report.cycles[0]
    if first.trained >= 10 and (first.above_threshold.share or 0.0) > _BAR_LOW:
        median = first.accuracy.median or 0.0
        yield Advice(
            what="Raise the threshold",
            why=f"{100 * (first.above_threshold.share or 0):.0f} % of cycle 1 reach {bar:.3f}: it selects nothing",
            command=night.again("campaign.threshold_share=null", f"campaign.threshold={median:.3f}"),
        )


def _flat(report: CampaignReport, night: Night) -> Iterable[Advice]:
    newest = report.cycles[-(_LAST + 1) :]
    shares = [one.above_threshold for one in newest]
    if len(newest) <= _LAST or not _setting(report, "campaign", "tune", True):
        return
    first, last = shares[0], shares[-1]
    if None in (first.low, first.high, last.share) or first.share is None:
        return
    gained = _gain(report.cycles)
    if (first.low or 0) <= (last.share or 0) <= (first.high or 0) and (gained or 0) <= _small(report):
        yield Advice(
            what="Learn from more than what reaches the threshold, and from the score",
            why=f"the share above the threshold stays at {100 * (last.share or 0):.0f} % over {len(newest)} cycles",
            command=night.again("campaign.least_share=0.3", "campaign.improve=[sft, grpo]"),
        )


def _duplicates(report: CampaignReport, night: Night) -> Iterable[Advice]:
    newest = report.cycles[-_LAST:]
    copies, new = sum(one.duplicates for one in newest), sum(one.novel for one in newest)
    if copies + new >= 10 and copies / (copies + new) > _DUPLICATES_HIGH:
        warm = _setting(report, "model", "temperature", None)
        fields = ["campaign.style=each", f"model.temperature={1.1 if warm is None else round(warm * 1.3, 2)}"]
        yield Advice(
            what="Ask for more variety",
            why=f"{copies} of the newest {copies + new} valid networks were copies of known ones",
            command=night.again(*fields),
        )


def _training(report: CampaignReport, night: Night) -> Iterable[Advice]:
    failed = sum(one.failed_trials for one in report.cycles)
    trained = sum(one.trained for one in report.cycles)
    worst = next((one for one in night.failures if one.step == "training"), None)
    if worst is None or failed / (failed + trained) <= _FAILED_HIGH:
        return
    why = f"{failed} of {failed + trained} trainings failed, most often by {worst.error_class} ({worst.count})"
    if worst.error_class in _SLOW:
        field = f"protocol.time_limit_s={2 * report.protocol.time_limit_s:g}"
        yield Advice(what="Give a training more time, or ask for smaller networks", why=why, command=night.again(field))
    elif worst.error_class == "MemoryLimit":
        field = f"evaluation.memory_mb={2 * int(_setting(report, 'evaluation', 'memory_mb', 2048))}"
        yield Advice(what="Give a training more memory", why=why, command=night.again(field))
    else:
        yield Advice(what="Look at what fails in training", why=f"{why}: {worst.example}")


def _waits(report: CampaignReport, night: Night) -> Iterable[Advice]:
    waited = [one for one in night.interruptions if one.what == "waited"]
    seconds = sum(one.seconds or 0.0 for one in waited)
    if waited and seconds > _WAITED_MUCH * max(1.0, report.spent.wall_s):
        yield Advice(
            what="Remove what it waited for", why=f"{duration(seconds)} in {len(waited)} waits: {waited[-1].reason}"
        )
    killed = [one for one in night.interruptions if one.what == "killed"]
    if killed:
        yield Advice(
            what="See why its process was killed, and give it fewer workers if it was for memory",
            why=f"{len(killed)} times its process died without a word",
            command="journalctl -k --grep 'out of memory|oom-kill' --since yesterday",
        )


def _best(report: CampaignReport, night: Night) -> Iterable[Advice]:
    if night.found:
        best = night.found[0]
        epochs = max(2, 4 * report.protocol.epochs)
        path = shlex.quote(f"{night.folder}/{best.file}")
        yield Advice(
            what="Train the best one longer",
            why=f"{best.name} has {report.task.metric} {best.metric:.4f} after {report.protocol.epochs} epochs",
            command=f"netwright evaluate {path} --dataset {report.task.dataset} --epochs {epochs}",
        )


_RULES: Final[tuple[Rule, ...]] = (_resume, _waits, _valid, _training, _threshold, _duplicates, _flat, _best)


def _gain(cycles: Sequence[CycleReport]) -> float | None:
    """What the mean metric gained over the newest cycles, as a fraction of one."""
    means = [one.accuracy.mean for one in cycles if one.accuracy.mean is not None]
    return None if len(means) < 2 else means[-1] - means[max(0, len(means) - 1 - _LAST)]


def _small(report: CampaignReport) -> float:
    """A gain that the stopping rule calls none."""
    stopping: dict[str, Any] = _setting(report, "campaign", "stopping", {})
    return float(stopping.get("delta", 0.01))


def _setting(report: CampaignReport, part: str, name: str, default: Any) -> Any:
    found = report.config.get(part, {}).get(name, default)
    return default if found is None else found
