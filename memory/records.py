"""The records: what netwright remembers, in a SQL database. They, not a graph's checkpoint, are the truth."""

from __future__ import annotations

from typing import Self

from .campaign_records import CampaignRecords
from .candidate_records import CandidateRecords
from .database import RecordsError
from .generation_records import GenerationRecords
from .prediction_records import PredictionRecords
from .score_records import ScoreRecords
from .spending import AccountRecords
from .trial_records import TrialRecords

__all__ = ["Records", "RecordsError"]


class Records(
    CandidateRecords, TrialRecords, GenerationRecords, CampaignRecords, ScoreRecords, PredictionRecords, AccountRecords
):
    """All records behind one door.

    Thread-safe: each call opens a connection and commits its own transaction, so several threads and
    processes may share one database, and a process that is killed loses nothing that a call returned from.
    Every write is idempotent by key: done twice, it is as if done once.

    Args:
        url: SQLAlchemy URL, ``sqlite:///<path>`` or ``postgresql+<driver>://…``; by default the file
            ``records.db`` in the data directory. The schema is upgraded on opening.

    Raises:
        RecordsError: the database cannot be used.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
