"""Who descends from whom, and how many exemplars each network's prompt showed, without any source text."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select

from . import tables as t
from .records import Records


class Ancestry(NamedTuple):
    """One network on record without its text: its id, its name, the ids of its parents and of its blocks."""

    id: str
    name: str
    parents: tuple[str, ...]
    blocks: tuple[str, ...]


def network_name(origin: str, candidate_id: str) -> str:
    """The name of a network that was given no other; see :attr:`.types.Candidate.name`."""
    return f"{origin}{candidate_id[:12]}"


def ancestry(records: Records) -> list[Ancestry]:
    """Every network on record, by id, under the name of its own results, else the first that it was imported by."""
    c, n = t.candidates.c, t.networks.c
    names: dict[str, str] = {}
    for row in records._rows(select(n.candidate_id, n.name).order_by(n.own.desc(), n.name)):
        names.setdefault(row.candidate_id, row.name)
    query = select(c.id, c.origin, c.parents, c.blocks).order_by(c.id)
    return [
        Ancestry(row.id, names.get(row.id) or network_name(row.origin, row.id), tuple(row.parents), tuple(row.blocks))
        for row in records._rows(query)
    ]


def exemplar_counts(records: Records) -> dict[str, int]:
    """Candidate id -> how many networks the prompt showed that it was first written from, of campaigns only."""
    g = t.generations.c
    query = (
        select(g.candidate_id, func.json_array_length(g.exemplars).label("shown"))
        .where(g.candidate_id.is_not(None))
        .order_by(g.campaign_id, g.cycle, g.slot)
    )
    found: dict[str, int] = {}
    for row in records._rows(query):
        found.setdefault(row.candidate_id, int(row.shown))
    return found


def written_in(records: Records, campaign_ids: list[str]) -> set[str]:
    """Ids of the valid networks that campaigns wrote."""
    g = t.generations.c
    valid = (g.valid_by != "none") & g.candidate_id.is_not(None)
    query = select(g.candidate_id).where(g.campaign_id.in_(campaign_ids), valid).distinct()
    return {row.candidate_id for row in records._rows(query)}
