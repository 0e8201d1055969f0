"""The index of source files: by content, in formats, across processes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from netwright.memory.file_index import FileIndex, content_hash


def test_facts_are_found_by_content(tmp_path: Path) -> None:
    digest = content_hash(b"x = 1\n")
    assert len(digest) == 40
    with FileIndex(tmp_path / "files.db") as index:
        assert index.outline(digest) is None
        index.put([(digest, "outline", "uses")])
        index.put([(digest, "another", "another")])
        assert (index.outline(digest), index.uses(digest)) == ("outline", "uses")
    with FileIndex(tmp_path / "files.db") as index:
        assert index.outline(digest) == "outline"


def test_facts_of_another_format_are_not_seen(tmp_path: Path) -> None:
    with FileIndex(tmp_path / "files.db", format=1) as index:
        index.put([("a" * 40, "old", "old")])
    with FileIndex(tmp_path / "files.db", format=2) as index:
        assert index.outline("a" * 40) is None


def test_files_of_a_source_are_replaced(tmp_path: Path) -> None:
    with FileIndex(tmp_path / "files.db") as index:
        index.record("timm", "1", [("b.py", "1"), ("a.py", "2")])
        index.record("timm", "1", [("a.py", "3")])
        assert index.files("timm", "1") == [("a.py", "3")]
        assert index.files("timm", "2") == []


def test_a_forked_process_has_a_connection_of_its_own(tmp_path: Path) -> None:
    with FileIndex(tmp_path / "files.db") as index:
        index.put([("a" * 40, "outline", "uses")])
        child = os.fork()
        if child == 0:
            os._exit(0 if index.uses("a" * 40) == "uses" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert index.uses("a" * 40) == "uses"


def test_a_file_of_another_netwright_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "files.db")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(ValueError, match="format 99"):
        FileIndex(tmp_path / "files.db")
