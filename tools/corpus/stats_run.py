"""Statistics of a selection of the records."""

from __future__ import annotations

from typing import Final

import pandas as pd

from ...memory.records import Records
from .export_rows import Selection, read_exemplars, read_networks, read_results
from .stats_build import statistics
from .stats_lineage import Descent, lineage
from .stats_model import Statistics

_NANOSECONDS: Final = 1e9  # LEMUR's durations


def statistics_of(records: Records, selection: Selection) -> Statistics:
    """Everything that is told of the selected results. No source text is read.

    Raises:
        ExportError: no result fits.
        RecordsError: there is no such campaign.
    """
    networks = read_networks(records)
    rows = read_results(records, selection, networks)
    rows["duration"] = pd.to_numeric(rows["duration"]) / _NANOSECONDS
    best = rows.groupby("nn", sort=True)["accuracy"].max()
    families = lineage(
        (Descent(one.id, one.name, one.parents) for one in networks.all),
        {str(name): float(value) for name, value in best.items() if value == value},
    )
    return statistics(rows, families, read_exemplars(records, networks), selection.told())
