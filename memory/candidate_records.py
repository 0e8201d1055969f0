"""Records of what networks are and how far they get: tasks, protocols, candidates, verdicts, deployments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, select

from . import tables as t
from .database import RecordsError, Store, insert_missing, writing
from .rows import Deployment, now
from .types import Candidate, Protocol, Task, Verdict

_CHUNK = 400  # keys per query: below every database's limit of bound values


class CandidateRecords(Store):
    """Tasks, protocols, candidates, verdicts and deployments."""

    def add_task(self, task: Task) -> str:
        """Remember a task; its id.

        Raises:
            RecordsError: a task of this id but other shapes is known already.
        """
        row = {"id": task.id, "content": task.model_dump(mode="json")}
        with writing(self._engine) as connection:
            insert_missing(connection, t.tasks, [row])
        if (stored := self.get_task(task.id)) != task:
            raise RecordsError(f"task {task.id} is known with other shapes: {stored}")
        return task.id

    def get_task(self, task_id: str) -> Task | None:
        row = self._first(select(t.tasks.c.content).where(t.tasks.c.id == task_id))
        return None if row is None else Task.model_validate(row.content)

    def add_protocol(self, protocol: Protocol) -> str:
        """Remember a protocol; its hash."""
        row = {"hash": protocol.hash, "content": protocol.model_dump(mode="json")}
        with writing(self._engine) as connection:
            insert_missing(connection, t.protocols, [row])
        return protocol.hash

    def get_protocol(self, protocol_hash: str) -> Protocol | None:
        row = self._first(select(t.protocols.c.content).where(t.protocols.c.hash == protocol_hash))
        return None if row is None else Protocol.model_validate(row.content)

    def add_candidate(self, candidate: Candidate) -> str:
        """Remember a candidate; its id. The first record of a program stays as it is."""
        return self.add_candidates([candidate])[0]

    def add_candidates(self, candidates: Iterable[Candidate]) -> list[str]:
        """Remember candidates in one transaction; their ids in the same order."""
        created = now()
        rows = [
            {
                "id": c.id,
                "source": c.source,
                "origin": c.origin,
                "parents": list(c.parents),
                "blocks": list(c.blocks),
                "created": created,
            }
            for c in candidates
        ]
        with writing(self._engine) as connection:
            insert_missing(connection, t.candidates, rows)
        return [str(row["id"]) for row in rows]

    def get_candidate(self, candidate_id: str) -> Candidate | None:
        return self.get_candidates([candidate_id]).get(candidate_id)

    def get_candidates(self, ids: Iterable[str]) -> dict[str, Candidate]:
        """Candidates by id; unknown ids are left out."""
        found: dict[str, Candidate] = {}
        for part in _chunks(ids):
            for row in self._rows(select(t.candidates).where(t.candidates.c.id.in_(part))):
                found[row.id] = Candidate(
                    source=row.source, origin=row.origin, parents=tuple(row.parents), blocks=tuple(row.blocks)
                )
        return found

    def candidate_tasks(self) -> dict[str, str | None]:
        """Every candidate, by id, and the first by name of the tasks on which it has a verdict."""
        query = (
            select(t.candidates.c.id, func.min(t.verdicts.c.task_id).label("task_id"))
            .join(t.verdicts, t.verdicts.c.candidate_id == t.candidates.c.id, isouter=True)
            .group_by(t.candidates.c.id)
            .order_by(t.candidates.c.id)
        )
        return {row.id: row.task_id for row in self._rows(query)}

    def put_verdict(self, candidate_id: str, task_id: str, verdict: Verdict, limits_hash: str = "") -> Verdict:
        """Remember a verdict; the stored one (the first for this candidate, task and limits)."""
        stored = self.put_verdicts({candidate_id: verdict}, task_id, limits_hash)
        return stored[candidate_id]

    def put_verdicts(self, verdicts: Mapping[str, Verdict], task_id: str, limits_hash: str = "") -> dict[str, Verdict]:
        """Remember verdicts (candidate id -> verdict) in one transaction; the stored ones."""
        rows = [
            {"candidate_id": key, "task_id": task_id, "limits_hash": limits_hash, **verdict.model_dump()}
            for key, verdict in verdicts.items()
        ]
        with writing(self._engine) as connection:
            insert_missing(connection, t.verdicts, rows)
        return self.get_verdicts(verdicts, task_id, limits_hash)

    def get_verdict(self, candidate_id: str, task_id: str, limits_hash: str = "") -> Verdict | None:
        return self.get_verdicts([candidate_id], task_id, limits_hash).get(candidate_id)

    def get_verdicts(self, ids: Iterable[str], task_id: str, limits_hash: str = "") -> dict[str, Verdict]:
        """Verdicts by candidate id; candidates without one are left out."""
        fields = [t.verdicts.c[name] for name in Verdict.model_fields]
        found: dict[str, Verdict] = {}
        for part in _chunks(ids):
            query = select(t.verdicts.c.candidate_id, *fields).where(
                t.verdicts.c.candidate_id.in_(part),
                t.verdicts.c.task_id == task_id,
                t.verdicts.c.limits_hash == limits_hash,
            )
            for row in self._rows(query):
                values = {name: row._mapping[name] for name in Verdict.model_fields}
                found[row.candidate_id] = Verdict.model_validate(values)
        return found

    def put_deployment(self, deployment: Deployment) -> None:
        """Remember what a target reported; a later report of the same target replaces it."""
        key = (t.deployments.c.candidate_id == deployment.candidate_id) & (t.deployments.c.target == deployment.target)
        with writing(self._engine) as connection:
            connection.execute(t.deployments.delete().where(key))
            connection.execute(t.deployments.insert(), deployment.model_dump())

    def deployments(self, candidate_id: str) -> list[Deployment]:
        """Deployments of a candidate, by target."""
        query = select(t.deployments).where(t.deployments.c.candidate_id == candidate_id)
        rows = self._rows(query.order_by(t.deployments.c.target))
        return [Deployment.model_validate(dict(row._mapping)) for row in rows]


def _chunks(ids: Iterable[str]) -> list[Sequence[str]]:
    unique = list(dict.fromkeys(ids))
    return [unique[start : start + _CHUNK] for start in range(0, len(unique), _CHUNK)]
