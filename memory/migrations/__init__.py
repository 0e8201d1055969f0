"""Schema changes of the records, by Alembic. They run when the records are opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


class UpgradeError(RuntimeError):
    """The schema is not one that this version knows."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for an open connection: no ini file, no logging of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to ``revision`` inside the connection's transaction.

    Raises:
        UpgradeError: the database was written by a newer netwright.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(configuration(connection), revision)
    except CommandError as error:
        raise UpgradeError(
            f"cannot upgrade the records' schema ({error}): "
            "they were probably written by a newer netwright; install that one or name another file"
        ) from error
