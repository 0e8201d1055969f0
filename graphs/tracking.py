"""Following a campaign, or a design request, in MLflow: beside the work, and never in its way.

MLflow is written to by one thread of its own. What it cannot take is logged and tried again after the next cycle: the
records have everything, so nothing is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from ..agents.models.handle import ChatModelHandle
from ..memory.home import home_folder
from ..memory.records import Records
from ..tools.mlflow_store import import_mlflow
from ..tools.report import campaign_report
from ..tools.tracing import ModelTracer
from ..tools.tracking import CampaignTracker
from .config import Config

_log = logging.getLogger(__name__)
_REPORTS = ("report.json", "report.html", "morning.html", "morning.md")


class Follower:
    """Keeps the MLflow run of a campaign up to date. Made for every campaign; does nothing where none is wanted.

    Raises:
        ImportError: tracking is wanted and MLflow is not installed.
    """

    def __init__(self, run: str, records: Records, config: Config) -> None:
        self._run, self._records, self._settings = run, records, config.tracking
        self._tracker: CampaignTracker | None = None
        self._pool: ThreadPoolExecutor | None = None
        if self._settings.mlflow is not None:
            import_mlflow()  # what is missing is said before the work begins
            self._pool = ThreadPoolExecutor(1, "mlflow")

    def cycle_closed(self) -> None:
        """Bring the run up to date, in the background."""
        if self._pool is not None:
            self._pool.submit(self._guarded, self._sync)

    def finish(self) -> None:
        """Bring it up to date, add the reports and wait until that is done."""
        if self._pool is not None:
            self._pool.submit(self._guarded, self._finish)
            self._pool.shutdown(wait=True)

    def _guarded(self, work: Callable[[], object]) -> None:
        """Whatever MLflow, its store or the network do: the campaign goes on."""
        try:
            work()
        except Exception as error:
            self._tracker = None
            told = f"{type(error).__name__}: {error}"[:500]
            _log.warning("campaign %s is not followed in MLflow (%s): %s", self._run, self._settings.mlflow, told)

    def _sync(self) -> CampaignTracker:
        if self._tracker is None:
            stored, settings = self._records.get_campaign(self._run), self._settings
            assert settings.mlflow is not None
            self._tracker = CampaignTracker(settings.mlflow, settings.experiment, stored)
        cycles = self._records.cycles(self._run)
        ended = {one.n: one.ended.timestamp() for one in cycles if one.ended is not None}
        self._tracker.sync(campaign_report(self._records, self._run), ended)
        return self._tracker

    def _finish(self) -> None:
        folder = home_folder("campaigns", self._run)
        report = campaign_report(self._records, self._run)
        self._sync().finish(report, tuple(folder / name for name in _REPORTS))


@contextmanager
def traced(run: str, config: Config, model: ChatModelHandle) -> Iterator[None]:
    """Trace the calls of a model while the block lasts, where tracking is on."""
    settings = config.tracking
    if settings.mlflow is None or not settings.traces:
        yield
        return
    try:
        tracer = ModelTracer(settings.mlflow, settings.experiment, {"netwright.run": run})
    except ImportError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:500]
        _log.warning("calls of the model are not traced in MLflow (%s): %s", settings.mlflow, told)
        yield
        return
    before = model.model.callbacks
    model.model.callbacks = [*before, tracer] if isinstance(before, list) else [tracer]
    with closing(tracer):
        try:
            yield
        finally:
            model.model.callbacks = before
