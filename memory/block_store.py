"""The block library on disk: blocks and how far each got when it was validated, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Self

from .block_types import BLOCK_STAGES, Block, BlockCheck, BlockStage, Category
from .home import home_folder
from .wal import switch_to_wal, transaction

_SCHEMA: Final = 1  # of the file, in its ``user_version``
_BATCH: Final = 200  # blocks per transaction, and ids per query (SQLite allows 999 variables)
_BUSY_S: Final = 60.0  # another process may hold the file while it writes a batch

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS blocks (
    id TEXT PRIMARY KEY,
    qualified TEXT NOT NULL,
    name TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    category TEXT NOT NULL,
    fields TEXT NOT NULL,
    text BLOB NOT NULL,
    stage INTEGER,
    verdict TEXT
);
CREATE INDEX IF NOT EXISTS blocks_by_name ON blocks (name);
CREATE INDEX IF NOT EXISTS blocks_by_qualified ON blocks (qualified);
CREATE INDEX IF NOT EXISTS blocks_by_package ON blocks (package, version);
"""
# A block that is put again keeps its check, unless the new one brings one.
_PUT: Final = """
INSERT INTO blocks (id, qualified, name, package, version, category, fields, text, stage, verdict)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    category = excluded.category,
    fields = excluded.fields,
    stage = coalesce(excluded.stage, stage),
    verdict = coalesce(excluded.verdict, verdict)
"""
_ORDER: Final = "ORDER BY qualified, version, id"


class BlockStore:
    """Blocks by id, name and source. Usable by several threads and processes at once.

    Writing is idempotent and atomic by batch: after a kill, what was reported as written is there.

    Args:
        path: the file; ``<home>/blocks/blocks.db`` when not given. Its folder is made.

    Raises:
        ValueError: the file was written by another version of netwright.
        sqlite3.DatabaseError: the file is no SQLite database, or cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = home_folder("blocks") / "blocks.db" if path is None else path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            self.path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None, cached_statements=32
        )
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM blocks").fetchone()[0])

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def put_blocks(self, blocks: Iterable[Block]) -> list[str]:
        """Store blocks, in batches; one that is there already keeps its check unless it comes with a new one.

        Returns:
            The ids, in the order of the blocks.
        """
        ids: list[str] = []
        source = iter(blocks)
        # The batch is made before the transaction begins: mining is slow, and others want to write meanwhile.
        while rows := [_row(block) for block in islice(source, _BATCH)]:
            with transaction(self._connection, self._lock) as connection:
                connection.executemany(_PUT, rows)
            ids.extend(str(row[0]) for row in rows)
        return ids

    def set_check(self, block_id: str, check: BlockCheck) -> None:
        """Record how far a block got; a newer check replaces an older one.

        Raises:
            KeyError: no block has this id.
        """
        with transaction(self._connection, self._lock) as connection:
            changed = connection.execute(
                "UPDATE blocks SET stage = ?, verdict = ? WHERE id = ?", (*_verdict(check), block_id)
            )
        if changed.rowcount == 0:
            raise KeyError(f"no block {block_id} in {self.path}")

    def get(self, block_id: str) -> Block | None:
        """The block of an id, ``None`` when there is none."""
        return self.get_many([block_id]).get(block_id)

    def get_many(self, ids: Iterable[str]) -> dict[str, Block]:
        """Blocks by id, in the order of ``ids``; unknown ids are left out."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Block] = {}
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            found.update((block.id, block) for block in self._select(f"id IN ({', '.join('?' * len(part))})", part))
        return {block_id: found[block_id] for block_id in wanted if block_id in found}

    def find(self, name_or_qualified: str) -> list[Block]:
        """Blocks of a class name (``CbamModule``) or of a qualified one, sorted by qualified name and version."""
        column = "qualified" if "." in name_or_qualified else "name"
        return self._select(f"{column} = ?", [name_or_qualified])

    def blocks(
        self, package: str | None = None, category: Category | None = None, at_least: BlockStage | None = None
    ) -> list[Block]:
        """All blocks, or those of a package, of a category, or that passed a stage; by qualified name and version.

        Args:
            at_least: only blocks whose validation passed this stage; one not yet validated passed none.
        """
        conditions: list[tuple[str, str | int]] = []
        if package is not None:
            conditions.append(("package = ?", package))
        if category is not None:
            conditions.append(("category = ?", category))
        if at_least is not None:
            conditions.append(("stage >= ?", BLOCK_STAGES.index(at_least)))
        return self._select(" AND ".join(text for text, _ in conditions), [value for _, value in conditions])

    def remove(self, package: str, version: str) -> int:
        """Remove what was mined from one version of a package; how many blocks that were."""
        with transaction(self._connection, self._lock) as connection:
            return connection.execute(
                "DELETE FROM blocks WHERE package = ? AND version = ?", (package, version)
            ).rowcount

    def ids(self, package: str | None = None, version: str | None = None) -> dict[str, str]:
        """Qualified names by id of all blocks, or of what was mined from a package, or from one version of it."""
        query = f"SELECT id, qualified FROM blocks WHERE coalesce(package = ?, 1) AND coalesce(version = ?, 1) {_ORDER}"
        with self._lock:
            return dict(self._connection.execute(query, (package, version)).fetchall())

    def stream(self) -> Iterator[Block]:
        """All blocks by qualified name and version, few in memory at a time."""
        ids = list(self.ids())
        for start in range(0, len(ids), _BATCH):
            yield from self.get_many(ids[start : start + _BATCH]).values()

    def discard(self, ids: Iterable[str]) -> None:
        """Remove blocks by id; unknown ids are no error."""
        with transaction(self._connection, self._lock) as connection:
            connection.executemany("DELETE FROM blocks WHERE id = ?", [(block_id,) for block_id in ids])

    def _prepare(self) -> None:
        switch_to_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, _SCHEMA):
            raise ValueError(
                f"{self.path} holds blocks in format {version}, this netwright reads format {_SCHEMA}: "
                "mine the blocks again into another file, or use the netwright that wrote it"
            )
        if version == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_SCHEMA}; COMMIT;")

    def _select(self, condition: str, values: list[str] | list[str | int]) -> list[Block]:
        where = f"WHERE {condition} " if condition else ""
        with self._lock:
            cursor = self._connection.execute(f"SELECT fields, text, verdict FROM blocks {where}{_ORDER}", values)
            return [_block(*row) for row in cursor]


def _row(block: Block) -> tuple[str | int | bytes | None, ...]:
    fields = json.dumps(block.model_dump(mode="json", exclude={"text", "check"}), sort_keys=True)
    packed = zlib.compress(block.text.encode("utf-8", "surrogatepass"))
    stage, verdict = _verdict(block.check) if block.check is not None else (None, None)
    keys = (block.id, block.qualified, block.name, block.package, block.version, block.category)
    return (*keys, fields, packed, stage, verdict)


def _verdict(check: BlockCheck) -> tuple[int, str]:
    return BLOCK_STAGES.index(check.stage), json.dumps(check.model_dump(mode="json"), sort_keys=True)


def _block(fields: str, packed: bytes, verdict: str | None) -> Block:
    text = zlib.decompress(packed).decode("utf-8", "surrogatepass")
    check = BlockCheck.model_validate_json(verdict) if verdict is not None else None
    return Block.model_validate({**json.loads(fields), "text": text, "check": check})
