"""Who spent what: agent, model, prompt and completion tokens of each piece of work.

Revision ID: 0007
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, length in (("agent", 32), ("model", 200)):
        op.add_column("spending", sa.Column(name, sa.String(length=length)))
    for name in ("tokens_in", "tokens_out"):
        op.add_column("spending", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    connection = op.get_bind()
    _split(connection, "generations", "designer", "'write/' || g.cycle || '/' || g.slot")
    _split(connection, "repair_attempts", "repair", "'repair/' || g.cycle || '/' || g.slot || '/' || g.try_no")
    connection.execute(
        sa.text(
            "UPDATE spending SET agent = 'reinforcer', tokens_out = tokens WHERE agent IS NULL AND tokens > 0"
            " AND key LIKE '%/grpo'"
        )
    )
    _name_models(connection)


def _split(connection: sa.Connection, table: str, agent: str, key: str) -> None:
    """What the answers on record say of their tokens; slots of the grafter, which ask no model, cost nothing."""
    connection.execute(
        sa.text(
            f"UPDATE spending SET agent = '{agent}', tokens_in = g.tokens_in, tokens_out = g.tokens_out "
            f"FROM {table} AS g WHERE spending.campaign_id = g.campaign_id AND spending.key = {key} "
            "AND g.tokens_in + g.tokens_out > 0"
        )
    )


def _name_models(connection: sa.Connection) -> None:
    """A campaign has one model, which its configuration names."""
    for key, stored in connection.execute(sa.text("SELECT id, config FROM campaigns")).all():
        config = json.loads(stored) if isinstance(stored, str) else stored
        name = (config.get("model") or {}).get("name") if isinstance(config, dict) else None
        if name:
            connection.execute(
                sa.text("UPDATE spending SET model = :name WHERE campaign_id = :key AND agent IS NOT NULL"),
                {"name": str(name)[:200], "key": key},
            )


def downgrade() -> None:
    raise RuntimeError("records are never taken back: open them with this version or a newer one")
