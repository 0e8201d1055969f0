"""The network that an answer changes; who wrote a repair.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("generations", sa.Column("parent", sa.String(length=64)))
    op.add_column("repair_attempts", sa.Column("by", sa.String(length=16), nullable=False, server_default="model"))
    op.add_column("repair_attempts", sa.Column("parent", sa.String(length=64)))


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")
