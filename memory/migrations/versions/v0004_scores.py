"""The corpus as a data set: names of networks, code of transforms and metrics, one row per measured epoch.

Revision ID: 0004
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from netwright.memory import scores
from netwright.memory.database import to_json
from netwright.memory.types import Protocol, Task

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_names()
    _create_scores()
    _fill(op.get_bind())


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")


def _create_names() -> None:
    op.create_table(
        "networks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("figures", sa.JSON(none_as_null=True)),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_networks_candidate_id"),
        sa.PrimaryKeyConstraint("id", name="pk_networks"),
        sa.UniqueConstraint("name", name="uq_networks_name"),
    )
    op.create_index("ix_networks_candidate_id", "networks", ["candidate_id"])
    op.create_table(
        "score_tasks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("metric", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_score_tasks"),
    )
    op.create_table(
        "prms",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prms"),
    )
    op.create_table(
        "codes",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_codes"),
    )


def _create_scores() -> None:
    unique = ("network_id", "task_id", "epoch", "accuracy", "duration", "prm_id")
    op.create_table(
        "scores",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("network_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("prm_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["networks.id"], name="fk_scores_network_id"),
        sa.ForeignKeyConstraint(["prm_id"], ["prms.id"], name="fk_scores_prm_id"),
        sa.ForeignKeyConstraint(["task_id"], ["score_tasks.id"], name="fk_scores_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_scores"),
        sa.UniqueConstraint(*unique, name="uq_scores_network_id"),
    )
    op.create_index("ix_scores_task_id", "scores", ["task_id", "network_id", "epoch", "accuracy"])


def _fill(connection: sa.Connection) -> None:
    """Scores of the trials that are complete already."""
    kinds = {
        "networks": ("id", "name", "candidate_id", "own"),
        "score_tasks": ("id", "task", "dataset", "metric"),
        "prms": ("id", "content"),
        "scores": ("network_id", "task_id", "epoch", "accuracy", "duration", "prm_id"),
    }
    rows: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in kinds}
    for kind, row in _rows(connection):
        rows[kind].setdefault(row.get("id", tuple(row.values())), row)
    for name, columns in kinds.items():
        table = sa.table(name, *(sa.column(one, sa.JSON() if one == "content" else None) for one in columns))
        if rows[name]:
            connection.execute(table.insert(), list(rows[name].values()))


def _rows(connection: sa.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    found = connection.execute(
        sa.text(
            "SELECT c.id, c.origin, k.content AS task, p.content AS protocol, r.epochs FROM trials r "
            "JOIN candidates c ON c.id = r.candidate_id JOIN tasks k ON k.id = r.task_id "
            "JOIN protocols p ON p.hash = r.protocol_hash WHERE r.state = 'complete' "
            "ORDER BY r.candidate_id, r.task_id, r.protocol_hash"
        )
    )
    for row in found:
        task = Task.model_validate(_json(row.task))
        name, words = f"{row.origin}{row.id[:12]}", (task.kind, task.dataset, task.metric)
        prm = dict(sorted(scores.own_prm(Protocol.model_validate(_json(row.protocol))).items()))
        network_id, task_id = scores.number_of(name), scores.number_of(*words)
        prm_id = scores.number_of(to_json(prm))
        yield "networks", {"id": network_id, "name": name, "candidate_id": row.id, "own": True}
        yield "score_tasks", {"id": task_id, "task": words[0], "dataset": words[1], "metric": words[2]}
        yield "prms", {"id": prm_id, "content": prm}
        for epoch, value, nanoseconds in scores.epoch_values(_json(row.epochs), task.metric):
            yield (
                "scores",
                {
                    "network_id": network_id,
                    "task_id": task_id,
                    "epoch": epoch,
                    "accuracy": value,
                    "duration": scores.UNKNOWN if nanoseconds is None else nanoseconds,
                    "prm_id": prm_id,
                },
            )


def _json(value: Any) -> Any:
    """SQLite gives JSON as text, PostgreSQL as what it holds."""
    return json.loads(value) if isinstance(value, str) else value
