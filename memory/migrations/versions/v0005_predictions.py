"""What was predicted of networks before they were trained.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("campaign_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("predictor", sa.String(length=64), nullable=False),
        sa.Column("learned_from", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("among", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_predictions_campaign_id"),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_predictions_candidate_id"),
        sa.PrimaryKeyConstraint("campaign_id", "cycle", "candidate_id", name="pk_predictions"),
    )


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")
