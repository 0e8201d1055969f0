"""A campaign as an MLflow run: its settings, the metrics of each cycle, its reports and best networks.

Every value comes from the records, and each metric has the moment at which its cycle ended. So the run can be brought
up to date at any time: what is there already is not written again, what was missed while the store was away is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ..memory.rows import Campaign
from .mlflow_store import import_mlflow, open_experiment
from .report import CampaignReport, CycleReport

CAMPAIGN_TAG: Final = "netwright.campaign"
MARK: Final = "candidates"
"""The metric that every closed cycle has: its steps are the cycles that are in MLflow."""
_NOT_PARAMETERS: Final = ("tracking", "accounting", "notify", "supervision", "retention", "budget")
_PARAMETERS_AT_ONCE: Final = 100
_LONGEST: Final = 500


class CampaignTracker:
    """The MLflow run of one campaign, found again by its tag.

    Args:
        uri: ``sqlite:///<path>`` or the URL of a tracking server.
        experiment: name of the experiment; made where there is none.

    Raises:
        ImportError: MLflow is not installed.
    """

    def __init__(self, uri: str, experiment: str, campaign: Campaign) -> None:
        self._client, self.experiment_id = open_experiment(uri, experiment)
        self.run_id = self._run(campaign)

    def _run(self, campaign: Campaign) -> str:
        known = self._client.search_runs(
            [self.experiment_id], f"tags.`{CAMPAIGN_TAG}` = '{campaign.id}'", order_by=["attributes.start_time ASC"]
        )
        mine = [one for one in known if one.data.tags.get("netwright.created") == campaign.created.isoformat()]
        if mine:
            self._client.update_run(mine[0].info.run_id, status="RUNNING")
            return str(mine[0].info.run_id)
        tags = {
            CAMPAIGN_TAG: campaign.id,
            "netwright.created": campaign.created.isoformat(),
            "netwright.task": campaign.task_id,
        }
        made = self._client.create_run(
            self.experiment_id, start_time=_ms(campaign.created.timestamp()), tags=tags, run_name=campaign.id
        )
        return str(made.info.run_id)

    def sync(self, report: CampaignReport, ended: Mapping[int, float]) -> int:
        """Write what is not in MLflow yet; how many cycles that were.

        Args:
            ended: moments at which cycles were closed, in seconds since 1970; others are not written.
        """
        entities = import_mlflow().entities
        parameters = list(_flat({k: v for k, v in report.config.items() if k not in _NOT_PARAMETERS}))
        for start in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            some = parameters[start : start + _PARAMETERS_AT_ONCE]
            self._client.log_batch(self.run_id, params=[entities.Param(key, value) for key, value in some])
        there = {one.step for one in self._client.get_metric_history(self.run_id, MARK)}
        missing = [one for one in report.cycles if one.cycle in ended and one.cycle not in there]
        for cycle in missing:
            at = _ms(ended[cycle.cycle])
            values = [entities.Metric(name, value, at, cycle.cycle) for name, value in metrics_of(cycle).items()]
            self._client.log_batch(self.run_id, metrics=values)
        return len(missing)

    def finish(self, report: CampaignReport, files: tuple[Path, ...]) -> None:
        """Add the reports, the best networks and the sums, and close the run; it opens again on a resume."""
        for path in files:
            if path.is_file():
                self._client.log_artifact(self.run_id, str(path), "reports")
        for place, best in enumerate(report.best, 1):
            text = f"# {best.name}: {report.task.metric} {best.metric:.4f}\n{best.code}"
            self._client.log_text(self.run_id, text, f"best/{place}.py")
        for name, value in _sums(report).items():
            self._client.set_tag(self.run_id, f"netwright.{name}", value)
        status = {"complete": "FINISHED", "failed": "FAILED"}.get(report.state, "KILLED")
        self._client.set_terminated(self.run_id, status=status, end_time=_ms(report.updated.timestamp()))


def metrics_of(cycle: CycleReport) -> dict[str, float]:
    """A closed cycle's figures by name: rates and metrics as fractions of 1, times in seconds."""
    found: dict[str, float | int | None] = {
        MARK: cycle.generated,
        "valid_written": cycle.valid.generation.rate,
        "valid_cleaned": cycle.valid.cleanup.rate,
        "valid_repaired": cycle.valid.repair.rate,
        "trained": cycle.trained,
        "failed_trials": cycle.failed_trials,
        "metric_mean": cycle.accuracy.mean,
        "metric_median": cycle.accuracy.median,
        "metric_best": cycle.accuracy.best,
        "share_above": cycle.above_threshold.share,
        "threshold": cycle.threshold,
        "novel": cycle.novel,
        "duplicates": cycle.duplicates,
        "admitted": cycle.admitted,
        "corpus": cycle.corpus,
        "tokens": cycle.tokens,
        **{f"seconds_{stage}": seconds for stage, seconds in cycle.seconds.items()},
    }
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def _sums(report: CampaignReport) -> dict[str, str]:
    sums = {
        "state": report.state,
        "stop_reason": report.stop_reason or "",
        "wall_s": f"{report.spent.wall_s:.1f}",
        "tokens": str(report.spent.tokens),
    }
    if report.costs is not None and report.costs.cost is not None:
        sums["cost"] = f"{report.costs.cost:.6f} {report.costs.currency}"
    return {name: value[:_LONGEST] for name, value in sums.items()}


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of the configuration by dotted path, as text."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        elif value is not None:
            yield f"{path}{key}", str(value)[:_LONGEST]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
