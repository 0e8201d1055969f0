"""The database under the records: engine, transactions, schema upgrades."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from . import migrations
from .home import home
from .wal import switch_to_wal

BUSY_TIMEOUT_MS: Final = 60_000  # how long a writer waits for another process's transaction
SUPPORTED: Final = ("sqlite", "postgresql")
_WRITE: Final = "netwright_write"
_WRITERS_LOCK: Final = 0x6E657477  # any number that no other program on the database uses


class RecordsError(RuntimeError):
    """The records refuse: unknown key, contradiction with what is stored, or a database they cannot use."""


def plain_json(value: Any) -> Any:
    """``value`` as JSON can hold it: numbers that are not finite become null, tuples lists.

    Raises:
        TypeError: something in it is no JSON value.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"records hold JSON values only, not {type(value).__name__}")


def to_json(value: Any) -> str:
    """JSON text of ``value`` as the records store it; keys keep their order."""
    return json.dumps(plain_json(value), allow_nan=False)


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are one to the records, whatever the order of keys."""
    return bool(plain_json(one) == plain_json(other))


def open_engine(url: str | None) -> Engine:
    """An engine for ``url`` (default: SQLite in the data directory), its schema upgraded to the newest.

    Raises:
        RecordsError: neither SQLite in a file nor PostgreSQL, or a schema newer than this netwright.
    """
    parsed = make_url(url or f"sqlite:///{home() / 'records.db'}")
    if parsed.get_backend_name() not in SUPPORTED:
        raise RecordsError(f"records cannot live in {parsed.get_backend_name()}: use one of {SUPPORTED}")
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise RecordsError("records need a file that several threads can open: sqlite:///<path>")
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # A server may have closed a connection meanwhile; a file does not.
    server = parsed.get_backend_name() == "postgresql"
    engine = create_engine(parsed, json_serializer=to_json, pool_pre_ping=server)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with writing(engine) as connection:
            migrations.upgrade(connection)
    except migrations.UpgradeError as error:
        raise RecordsError(str(error)) from error
    return engine


def _configure_sqlite(connection: Any, _: object) -> None:
    """WAL, so that readers do not wait for a writer; a killed process loses no committed transaction."""
    connection.isolation_level = None  # netwright itself says BEGIN, see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    switch_to_wal(cursor, BUSY_TIMEOUT_MS / 1000)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock at once: a read lock that must grow fails at once instead of waiting."""
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end, rolled back on an exception.

    Writers take turns on every database, so that reading and then changing a row is safe.
    """
    with engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
        try:
            yield connection
        except IntegrityError as error:
            raise RecordsError(
                f"a row refers to something the records do not know ({error.orig}): "
                "add the task, protocol, candidate or campaign first"
            ) from error


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet."""
    if rows:
        connection.execute(_insert(connection, table), [dict(row) for row in rows])


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless its primary key is there already; whether it was inserted."""
    # Drivers disagree on the row count of an insert; what it returns is the same everywhere.
    statement = _insert(connection, table).values(**row).returning(*table.primary_key.columns)
    return connection.execute(statement).first() is not None


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


class Store:
    """What every part of the records is built on: an engine, one connection per call."""

    def __init__(self, url: str | None = None) -> None:
        self._engine = open_engine(url)

    @property
    def url(self) -> str:
        """The database's URL, its password hidden."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _first(self, query: Select[Any]) -> Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(query).first()
