"""Requests in other languages: tables of words, by which a sentence is put into the English that requests are read in.

A table is a YAML file named by the language's ISO 639-1 code. Its keys are words and phrases without regard to case
and accents; ``*`` at the end of a word stands for any ending. What no table knows stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from ..characters import folded
from ..spelling import meant, vocabulary
from .numerals import Numerals, ideographic

_KANA, _HAN = re.compile(r"[\u3040-\u30ff]"), re.compile(r"[\u3400-\u9fff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Several of a noun that has no plural ending, and a capital letter.
_GERMAN = re.compile(r"\d\s*(?:k|Mio\.)?\s*Parametern?\b")
_LETTERS = re.compile(r"(?<![^\W_])[^\W\d_]+(?![^\W_])")


@dataclass(frozen=True)
class Tongue:
    """One language, as its table describes it.

    Attributes:
        comma: whether it writes 1,5 for one and a half and 200.000 for 200,000.
        spaced: whether blanks stand between words.
        signs: folded words by which the language is told from others.
        letters: characters, each by the one that the phrases are written with.
        stems: beginnings of words that tell as much.
        runs: phrases of several words that tell as much.
        accented: words and beginnings of words with the accents that the language gives them.
        amounts: phrases that mean a number, longest first.
        pattern, meanings: all phrases as one expression, longest first, and the English of each by its group's place.
    """

    code: str
    name: str
    comma: bool
    spaced: bool
    signs: frozenset[str]
    stems: tuple[str, ...]
    runs: tuple[str, ...]
    accented: tuple[str, ...]
    numerals: Numerals
    letters: dict[int, str]
    amounts: tuple[tuple[re.Pattern[str], str], ...]
    pattern: re.Pattern[str] | None
    meanings: tuple[str, ...]

    def english(self, sentence: str) -> str:
        """A sentence of this language in the words that requests are read in; numbers in digits."""
        text = folded(sentence).translate(self.letters)
        if self.comma:
            text = _english_digits(text)
        if not self.spaced:
            text = ideographic(text)
        # "eine halbe Million" before "Million" is a number of its own.
        for hit in self.amounts:
            text = hit[0].sub(f" {hit[1]} ", text)
        text = self.numerals.in_digits(text)
        if self.pattern is None:
            return text
        meanings = self.meanings
        return self.pattern.sub(lambda hit: f" {meanings[int(str(hit.lastgroup)[1:])]} ", text)


@cache
def tongues() -> dict[str, Tongue]:
    """All tables by code; English, which only tells by its words, among them."""
    found = {}
    for entry in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            code = entry.name.removesuffix(".yaml")
            found[code] = _tongue(code, yaml.load(entry.read_text(encoding="utf-8"), Loader=_LOADER))
    return found


def language_of(text: str, likely: str = "en") -> str:
    """The code of the language whose words the text has most of.

    Args:
        likely: the language where none has more words than it.
    """
    if _KANA.search(text):
        return "ja"
    if len(_HAN.findall(text)) > 1:
        return "ja" if likely == "ja" else "zh"
    plain = folded(text)
    words = set(_LETTERS.findall(plain))
    spaced = " ".join(["", *re.findall(r"[^\W_]+", plain), ""])
    accented = {word for word in _LETTERS.findall(unicodedata.normalize("NFC", text.lower())) if not word.isascii()}
    # A misspelled English word has no accents.
    foreign = {folded(word) for word in accented}
    scores = {
        code: len(words & _telling()[code])
        + sum(
            word.startswith(tongue.stems) and (word in foreign or meant(word) is None) for word in words - vocabulary()
        )
        + sum(f" {run} " in spaced for run in tongue.runs)
        + tongue.numerals.in_words(plain)
        for code, tongue in tongues().items()
        if tongue.spaced
    }
    scores["de"] += _GERMAN.search(text) is not None
    # Of two that share their words, the one that puts the accents so: "parâmetros" is no Spanish.
    spelled = {code: sum(word.startswith(tongues()[code].accented) for word in accented) for code in scores}
    best = max(scores, key=lambda code: (scores[code], spelled[code], code == likely, code == "en"))
    if likely not in scores or (scores[best], spelled[best]) > (scores[likely], spelled[likely]):
        return best if scores[best] else likely
    return likely


@cache
def _telling() -> dict[str, frozenset[str]]:
    """The words of each language that tell it from English, and those that English shares with none."""
    english = tongues()["en"].signs | vocabulary()
    others = frozenset().union(*(tongue.signs for code, tongue in tongues().items() if code != "en"))
    return {code: (tongue.signs - english if code != "en" else english - others) for code, tongue in tongues().items()}


def _tongue(code: str, table: dict[str, Any]) -> Tongue:
    spaced = bool(table.get("spaced", True))
    phrases = {folded(str(key)): str(value or "") for key, value in (table.get("phrases") or {}).items()}
    raw = [str(key).lower() for key in (*(table.get("phrases") or {}), *(table.get("signs") or ()))]
    keys = sorted(phrases, key=len, reverse=True)
    amounts = tuple((re.compile(_expression(key, spaced)), phrases[key]) for key in keys if phrases[key].isdigit())
    parts = [f"(?P<p{n}>{_expression(key, spaced)})" for n, key in enumerate(keys)]
    numerals = Numerals(table.get("numbers") or {}, table.get("scales") or {}, tuple(table.get("joined") or ()))
    signs = {folded(str(word)) for word in (table.get("signs") or ())}
    signs |= {key for key in phrases if key.isalpha() and code != "en"} | (numerals.words if code != "en" else set())
    return Tongue(
        code=code,
        name=str(table["name"]),
        comma=bool(table.get("comma", False)),
        spaced=spaced,
        signs=frozenset(signs - {folded(str(word)) for word in (table.get("shared") or ())}),
        stems=tuple(key[:-1] for key in phrases if re.fullmatch(r"[^\W\d_]{6,}\*", key)),
        runs=tuple(f"{key}" for key in phrases if " " in key and key.replace(" ", "").isalpha() and spaced),
        accented=tuple({word for key in raw for word in key.replace("*", "").split() if not word.isascii()}),
        numerals=numerals,
        letters={ord(key): str(value) for key, value in (table.get("letters") or {}).items()},
        amounts=amounts,
        pattern=re.compile("|".join(parts)) if parts else None,
        meanings=tuple(phrases[key] for key in keys),
    )


def _expression(key: str, spaced: bool) -> str:
    """A phrase as an expression: any blanks between words, any ending for ``*``, whole words where they are spaced."""
    words = [re.escape(word).replace(r"\*", r"[^\W\d_]*") for word in key.split()]
    body = (r"\s+" if spaced else r"\s*").join(words)
    if not spaced:
        return body
    # Digits may touch a word ("unter200k") but no single letter: 2e6 is a number.
    edge = r"[^\W_]" if len(key) < 3 else r"[^\W\d_]"
    left = f"(?<!{edge})" if key[0].isalpha() else ""
    right = f"(?!{edge})" if key[-1].isalpha() else ""
    return f"{left}{body}{right}"


def _english_digits(text: str) -> str:
    """Digits grouped and divided as in English: 200.000 and 1,5 become 200000 and 1.5."""
    text = re.sub(r"(?<![\w.,])\d{1,3}(?:\.\d{3})+(?![\d.]*\d)", lambda m: m.group().replace(".", ""), text)
    # A count of three or more digits after the comma is one grouped as in English, for it has no fractions.
    text = re.sub(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,.])", lambda m: m.group().replace(",", ""), text)
    return re.sub(r"(?<![\w.,])(\d+),(\d{1,2})(?![\d,])", r"\1.\2", text)
