"""The first schema of the records.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_words()
    _create_judgements()
    _create_campaigns()
    _create_generations()
    _create_outcomes()


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")


def _create_words() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_table(
        "protocols",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_protocols"),
    )
    op.create_table(
        "candidates",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("parents", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_candidates"),
    )
    op.create_table(
        "deployments",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_deployments_candidate_id"),
        sa.PrimaryKeyConstraint("candidate_id", "target", name="pk_deployments"),
    )


def _create_judgements() -> None:
    op.create_table(
        "verdicts",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("limits_hash", sa.String(length=64), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("error_class", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.Column("line", sa.Integer()),
        sa.Column("params", sa.BigInteger()),
        sa.Column("flops", sa.BigInteger()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_verdicts_candidate_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_verdicts_task_id"),
        sa.PrimaryKeyConstraint("candidate_id", "task_id", "limits_hash", name="pk_verdicts"),
    )
    op.create_table(
        "trials",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("protocol_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("metric", sa.Float()),
        sa.Column("epochs", sa.JSON(), nullable=False),
        sa.Column("error_class", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.Column("cpu_s", sa.Float(), nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("peak_mb", sa.Float()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_trials_candidate_id"),
        sa.ForeignKeyConstraint(["protocol_hash"], ["protocols.hash"], name="fk_trials_protocol_hash"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_trials_task_id"),
        sa.PrimaryKeyConstraint("candidate_id", "task_id", "protocol_hash", name="pk_trials"),
    )
    op.create_index("ix_trials_state", "trials", ["state"])


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("protocol_hash", sa.String(length=64), nullable=False),
        sa.Column("limits_hash", sa.String(length=64), nullable=False),
        sa.Column("initial_corpus", sa.Integer(), nullable=False),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stop_reason", sa.Text()),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("candidates", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["protocol_hash"], ["protocols.hash"], name="fk_campaigns_protocol_hash"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_campaigns_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_table(
        "spending",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("candidates", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_spending_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "key", name="pk_spending"),
    )
    op.create_table(
        "cycles",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("adapter", sa.Text()),
        sa.Column("threshold", sa.Float()),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_cycles_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "n", name="pk_cycles"),
    )


def _create_generations() -> None:
    op.create_table(
        "generations",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("raw_candidate_id", sa.String(length=64)),
        sa.Column("cleaned_candidate_id", sa.String(length=64)),
        sa.Column("candidate_id", sa.String(length=64)),
        sa.Column("valid_by", sa.String(length=16), nullable=False),
        sa.Column("repair_tries", sa.Integer(), nullable=False),
        sa.Column("novel", sa.Boolean()),
        sa.Column("jaccard", sa.Float()),
        sa.Column("nearest", sa.String(length=200)),
        sa.Column("nearest_kind", sa.String(length=16)),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_generations_campaign_id"),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_generations_candidate_id"),
        sa.ForeignKeyConstraint(
            ["cleaned_candidate_id"], ["candidates.id"], name="fk_generations_cleaned_candidate_id"
        ),
        sa.ForeignKeyConstraint(["raw_candidate_id"], ["candidates.id"], name="fk_generations_raw_candidate_id"),
        sa.PrimaryKeyConstraint("campaign_id", "cycle", "slot", name="pk_generations"),
    )
    op.create_index("ix_generations_candidate_id", "generations", ["candidate_id"])
    op.create_table(
        "repair_attempts",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("try_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("candidate_id", sa.String(length=64)),
        sa.Column("verdict", sa.JSON(none_as_null=True)),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id", "cycle", "slot"],
            ["generations.campaign_id", "generations.cycle", "generations.slot"],
            name="fk_repair_attempts_generation",
        ),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_repair_attempts_candidate_id"),
        sa.PrimaryKeyConstraint("campaign_id", "cycle", "slot", "try_no", name="pk_repair_attempts"),
    )


def _create_outcomes() -> None:
    op.create_table(
        "admissions",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("metric", sa.Float()),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_admissions_campaign_id"),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_admissions_candidate_id"),
        sa.PrimaryKeyConstraint("campaign_id", "cycle", "candidate_id", name="pk_admissions"),
    )
    op.create_table(
        "adapters",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_adapters_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "cycle", name="pk_adapters"),
    )
