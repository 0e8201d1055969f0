"""The words of follow-ups, from ``words/follow_ups.yaml``, found in a text and taken out of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import yaml

_SHARP_S = "ß"


def plain(text: str) -> str:
    """The text in lower case without accents on Latin letters; as long as before, so that places stay the same."""
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character == _SHARP_S:
        return "s"
    low = character.lower()[:1]
    base = unicodedata.normalize("NFKD", low)[:1]
    return base if base.isascii() and base.isalnum() else low


@cache
def _held() -> dict[str, list[str] | dict[int, str]]:
    text = (files(__package__) / "words" / "follow_ups.yaml").read_text(encoding="utf-8")
    held: dict[str, list[str] | dict[int, str]] = yaml.safe_load(text)
    return held


@cache
def concept(name: str) -> re.Pattern[str]:
    """The words of a concept, as one expression at the borders of words."""
    held = _held()[name]
    assert isinstance(held, list)
    return _bordered("|".join(held))


@cache
def ordinals() -> tuple[tuple[int, re.Pattern[str]], ...]:
    """Words for places in an order; -1 is the last."""
    held = _held()["ordinals"]
    assert isinstance(held, dict)
    return tuple((int(n), _bordered(words)) for n, words in held.items())


@cache
def fillers() -> frozenset[str]:
    """Words that say nothing by themselves."""
    held = _held()["filler"]
    assert isinstance(held, list)
    return frozenset(word for line in held for word in line.split("|"))


def _bordered(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])")


@dataclass
class Words:
    """A text from which what was understood is taken out, piece by piece.

    Attributes:
        said: the text as it was written, blanks where something was taken out.
        low: the same in plain letters.
    """

    said: str
    low: str = field(init=False)

    def __post_init__(self) -> None:
        self.low = plain(self.said)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first place where a pattern is found, which is then taken out."""
        hit = pattern.search(self.low)
        if hit is not None:
            self.cut(*hit.span())
        return hit

    def takes(self, name: str) -> bool:
        """Whether a concept is found; all its places are taken out."""
        found = False
        while (hit := self.take(concept(name))) is not None and hit.end() > hit.start():
            found = True
        return found

    def has(self, name: str) -> bool:
        """Whether a concept is found."""
        return concept(name).search(self.low) is not None

    def cut(self, start: int, end: int) -> None:
        """Take a stretch out."""
        blank = " " * (end - start)
        self.said = self.said[:start] + blank + self.said[end:]
        self.low = self.low[:start] + blank + self.low[end:]

    @property
    def left(self) -> list[str]:
        """The words that are still there and say something."""
        return [word for word in re.findall(r"[^\W_]+(?:['-][^\W_]+)*", self.low) if word not in fillers()]
