"""What is compared: networks by name, each a file or a text, read when it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1024 * 1024  # of a file; shingles look at 200,000 characters
_PREFIX: Final = re.compile(r"^(?:alt-nn\d*|[A-Za-z]+)(?=-)")


@dataclass(frozen=True, slots=True)
class Item:
    """One network.

    Attributes:
        key: its name, unique among all that are compared.
        path: of its file; ``None`` where ``text`` is given.
        text: its source.
        prefix: of its name, as LEMUR names families: ``rag-``, ``alt-nn1-``; empty where there is none.
        dataset: for which it was made; empty where that is not known.
        parents: keys of networks from which it was made.
    """

    key: str
    path: Path | None = None
    text: str | None = None
    prefix: str = ""
    dataset: str = ""
    parents: tuple[str, ...] = field(default=())

    def source(self) -> str:
        """The text; bytes that are no UTF-8 become signs that stand for nothing.

        Raises:
            OSError: the file cannot be read.
        """
        if self.text is not None:
            return self.text
        if self.path is None:
            raise ValueError(f"{self.key} has neither a file nor a text")
        with self.path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8-sig", "replace")


def prefix_of(name: str) -> str:
    """The prefix of a network's name with its hyphen, ``rag-`` of ``rag-0123``; empty where there is none."""
    found = _PREFIX.match(name)
    return f"{found.group()}-" if found else ""


def items_in(folder: Path) -> list[Item]:
    """Every Python file in a folder and those below it, by its path in it; hidden ones and links are left out.

    Raises:
        ValueError: there is no such folder, or no Python file in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    found = [Item(key=name, path=folder / name, prefix=prefix_of(Path(name).name)) for name in sorted(_names(folder))]
    if not found:
        raise ValueError(f"no Python file in {folder}")
    return found


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()
