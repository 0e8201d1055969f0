"""Tables as Parquet with a fixed schema, so that the same records give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .export_networks import Texts, prm_text

# LEMUR's columns, in LEMUR's order; prm is JSON text, since networks name hyperparameters of their own.
LEMUR: Final = pa.schema(
    [
        ("task", pa.string()),
        ("dataset", pa.string()),
        ("metric", pa.string()),
        ("metric_code", pa.string()),
        ("nn", pa.string()),
        ("nn_code", pa.string()),
        ("epoch", pa.int64()),
        ("accuracy", pa.float64()),
        ("duration", pa.int64()),
        ("prm", pa.string()),
        ("transform_code", pa.string()),
    ]
)
CODE: Final = ("metric_code", "nn_code", "transform_code")
RECORDS: Final = pa.schema([field for field in LEMUR if field.name not in CODE])
_MESSAGE: Final = pa.struct([("role", pa.string()), ("content", pa.string())])
CHAT: Final = pa.schema(
    [
        ("messages", pa.list_(_MESSAGE)),
        ("nn", pa.string()),
        ("described_as", pa.string()),
        ("dataset", pa.string()),
        ("metric", pa.string()),
        ("accuracy", pa.float64()),
    ]
)
SHARD_ROWS: Final = 100_000
_GROUP_ROWS: Final = 10_000  # of a row group: 90 MB of code as text
# A network's code stands in each of its rows: stored once per row group, if the dictionary may be that large.
_DICTIONARY_BYTES: Final = 64 * 2**20


def write_frame(rows: pd.DataFrame, texts: Texts, path: Path, schema: pa.Schema = LEMUR) -> None:
    """Write a data set view, or those of its columns that the schema names.

    Args:
        rows: LEMUR's columns without code.
        texts: the code, put in row group by row group, so that it is never in memory as often as it stands there.
    """
    with _writer(path, schema) as writer:
        for start in range(0, max(len(rows), 1), _GROUP_ROWS):
            writer.write_table(_table(rows.iloc[start : start + _GROUP_ROWS], texts, schema))


def write_rows(rows: Sequence[dict[str, Any]], path: Path, schema: pa.Schema) -> None:
    """Write dictionaries; keys that the schema does not name are left out."""
    with _writer(path, schema) as writer:
        for start in range(0, max(len(rows), 1), _GROUP_ROWS):
            writer.write_table(pa.Table.from_pylist(list(rows[start : start + _GROUP_ROWS]), schema=schema))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", dictionary_pagesize_limit=_DICTIONARY_BYTES)


def _table(rows: pd.DataFrame, texts: Texts, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        values = texts.column(field.name, rows) if field.name in CODE else rows[field.name]
        if field.name == "prm":
            plain: list[Any] = [prm_text(value) for value in values]
        elif pa.types.is_string(field.type):
            plain = [None if not isinstance(value, str) else _encodable(value) for value in values]
        elif pa.types.is_integer(field.type):
            plain = [None if pd.isna(value) else int(value) for value in values]
        else:
            plain = [None if pd.isna(value) else float(value) for value in values]
        columns.append(pa.array(plain, type=field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _encodable(text: str) -> str:
    """Parquet holds UTF-8: what cannot be that, which models write now and then, becomes ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8")
