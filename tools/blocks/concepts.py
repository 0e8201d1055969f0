"""What the techniques of the field do, in plain words: many classes are named for one and say no more about it.

A block whose name holds a technique's gets its description into what is searched, so that it is found by its purpose.
The descriptions, in ``concepts.txt``, follow the abstracts of the papers that introduced the techniques.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

MOST: Final = 3
"""Descriptions per block: a name that holds more techniques is named for the longest ones."""


@cache
def concepts() -> dict[str, str]:
    """Joined name of a technique, as :func:`.words.name_words` gives it -> its description."""
    found: dict[str, str] = {}
    for line in (files(__package__) / "concepts.txt").read_text(encoding="utf-8").splitlines():
        names, bar, text = line.partition(" | ")
        if bar and not line.startswith("#"):
            found |= dict.fromkeys(names.split(), text.strip())
    return found


def described(words: Iterable[str]) -> list[str]:
    """Descriptions of the techniques among the words of a name, the longest name first."""
    named = sorted({word for word in words if word in concepts()}, key=lambda word: (-len(word), word))
    return list(dict.fromkeys(concepts()[word] for word in named))[:MOST]
