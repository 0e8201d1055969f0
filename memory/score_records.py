"""Records of the corpus as a data set: names of networks, scores by epoch, code of transforms and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select

from . import tables as t
from .candidate_records import _chunks
from .database import RecordsError, Store, writing
from .scores import MAX_NAME, Score, insert_codes, insert_scores, name_networks


class ScoreRecords(Store):
    """Names, scores and codes; own trials add their scores when they finish."""

    def name_own_network(self, name: str, candidate_id: str) -> str:
        """Give a candidate the name under which its own results will stand; the one it has, if it has one.

        Raises:
            RecordsError: the name is another network's, or too long.
        """
        _check_name(name)
        n = t.networks.c
        with writing(self._engine) as connection:
            own = connection.execute(
                select(n.name).where(n.candidate_id == candidate_id, n.own).order_by(n.id)
            ).scalar()
            if own is not None:
                return str(own)
            taken = connection.execute(select(n.candidate_id).where(n.name == name)).scalar()
            if taken is not None:
                raise RecordsError(f"the name {name} is another network's: {taken[:12]}")
            name_networks(connection, {name: candidate_id}, own=True)
        return name

    def own_names(self, names: Iterable[str]) -> set[str]:
        """Which of these are names of networks of this project's own."""
        n = t.networks.c
        parts = (self._rows(select(n.name).where(n.name.in_(part), n.own)) for part in _chunks(names))
        return {row.name for rows in parts for row in rows}

    def put_networks(self, names: Mapping[str, str], figures: Mapping[str, Any] | None = None) -> list[str]:
        """Remember imported networks by name (name -> candidate id); names whose program is a new one.

        As in LEMUR a name stands for its newest program: the older one stays a candidate without this name.

        Args:
            figures: static figures by name, where they came with the networks.

        Raises:
            RecordsError: a name is too long, or that of a network of this project's own.
        """
        changed: list[str] = []
        known = figures or {}
        n = t.networks.c
        for name in names:
            _check_name(name)
        with writing(self._engine) as connection:
            name_networks(connection, names, own=False, figures=known)
            for part in _chunks(names):
                for row in connection.execute(select(n.name, n.candidate_id, n.own, n.figures).where(n.name.in_(part))):
                    key, new_figures = names[row.name], known.get(row.name, row.figures)
                    if row.own:
                        raise RecordsError(f"the name {row.name} is that of a network of this project's own")
                    if row.candidate_id != key:
                        changed.append(row.name)
                    if row.candidate_id != key or row.figures != new_figures:
                        values = {"candidate_id": key, "figures": new_figures}
                        connection.execute(t.networks.update().where(n.name == row.name).values(**values))
        return sorted(changed)

    def put_scores(self, scores: Iterable[Score]) -> int:
        """Remember scores of networks that have names, in one transaction; how many were given.

        Raises:
            RecordsError: a network has no name yet.
        """
        with writing(self._engine) as connection:
            return insert_scores(connection, scores)

    def put_codes(self, kind: str, texts: Mapping[str, str]) -> None:
        """Remember source texts by name.

        Args:
            kind: ``transform`` or ``metric``.
        """
        for name in texts:
            _check_name(name)
        with writing(self._engine) as connection:
            insert_codes(connection, kind, texts)

    def count_scores(self) -> int:
        """Number of scores on record."""
        row = self._first(select(func.count()).select_from(t.scores))
        return 0 if row is None else int(row[0])


def _check_name(name: str) -> None:
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise RecordsError(f"no name for the records: {name[:40]!r}; at most {MAX_NAME} printable characters")
