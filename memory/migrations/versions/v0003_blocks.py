"""Blocks of a candidate; what the retriever showed to each slot.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("candidates", sa.Column("blocks", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("generations", sa.Column("exemplars", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("generations", sa.Column("blocks", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")
