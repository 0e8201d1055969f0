"""Static figures of a verdict, and how a trial was run where its protocol leaves that open.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verdicts", sa.Column("figures", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("trials", sa.Column("setting", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")
