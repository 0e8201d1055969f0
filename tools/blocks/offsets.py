"""From the lines and columns of ``ast`` to offsets in a file's bytes."""

from __future__ import annotations

import io
import tokenize
from typing import Any


def normalised(data: bytes) -> bytes:
    """A source file as UTF-8 without a byte order mark, in which ``ast`` counts columns.

    Raises:
        SyntaxError: its encoding is unknown, or it is not in it.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding == "utf-8":
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise SyntaxError(str(error)) from error


class Offsets:
    """Offsets in a file, normalised.

    Args:
        source: its bytes.
    """

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: Any) -> int:
        """Where a node begins."""
        line: int = node.lineno
        return self._starts[line - 1] + int(node.col_offset)

    def end(self, node: Any) -> int:
        """Where it ends."""
        line: int = node.end_lineno
        return self._starts[line - 1] + int(node.end_col_offset)
