"""Schema upgrades, refusals and kills of the records' database."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from netwright.memory.database import open_engine, plain_json
from netwright.memory.records import Records, RecordsError
from netwright.memory.tables import metadata

WRITER = """
import sys
from netwright.memory.records import Records
from netwright.memory.types import Candidate
records = Records(sys.argv[1])
n = 0
while True:
    print(records.add_candidate(Candidate(source=f"x = {n}")), flush=True)
    n += 1
"""


def test_migrations_lead_to_the_metadata(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'r.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_sqlite_is_in_wal_with_foreign_keys(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'deep' / 'r.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_several_processes_may_open_new_records_at_once(tmp_path: Path) -> None:
    code = "import sys; from netwright.memory.records import Records; sys.stdin.read(); Records(sys.argv[1])"
    url = f"sqlite:///{tmp_path / 'r.db'}"
    openers = [subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE) for _ in range(3)]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.close()
    assert [opener.wait() for opener in openers] == [0, 0, 0]


def test_default_is_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path))
    Records().close()
    assert (tmp_path / "records.db").is_file()


@pytest.mark.parametrize("url", ["sqlite://", "mysql://u@h/d"])
def test_unusable_databases_are_refused(url: str) -> None:
    with pytest.raises(RecordsError):
        Records(url)


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    Records(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RecordsError, match="newer netwright"):
        Records(f"sqlite:///{path}")


def test_plain_json_refuses_objects() -> None:
    assert plain_json({1: (float("inf"), True, None)}) == {"1": [None, True, None]}
    with pytest.raises(TypeError, match="JSON values only"):
        plain_json({"a": object()})


def test_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'r.db'}"
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        answered = [writer.stdout.readline().strip() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
    with Records(url) as records:
        assert len(records.get_candidates(answered)) == len(answered) == 200
