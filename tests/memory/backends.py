"""The databases that records can live in: a new, empty one of each kind for a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

SERVER = "NETWRIGHT_TEST_POSTGRES"
"""URL of a PostgreSQL server whose user may make databases; ``make test-postgres`` starts one and sets it."""
BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@contextmanager
def new_database(backend: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database; one on a server is dropped at the end."""
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'records.db'}"
        return
    server = os.environ.get(SERVER)
    assert server, f"{SERVER} names no server: run 'make test-postgres'"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"test_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
