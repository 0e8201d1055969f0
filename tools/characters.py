"""Characters of a written request in one spelling: full-width digits, look-alike letters, what cannot be seen."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_FRACTIONS = {"½": "0.5", "¼": "0.25", "¾": "0.75"}
# Letters of Cyrillic and Greek that look like Latin ones: in a word that has Latin letters too they are meant as those.
_TWINS = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιν",
    "ABESIJKMHOPCTYXaesijopcyxhdqwABEZHIKMNOPTYXoiv",
)
_LATIN, _OTHER = re.compile(r"[A-Za-z]"), re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_WORD = re.compile(r"[^\W_]+")
# Beyond this code point nothing is folded: the marks of Japanese and Korean letters tell words apart.
_FOLDED = 0x2000
_STROKES = str.maketrans("łøđıæœ", "lodiao")


def readable(text: str) -> tuple[str, tuple[str, ...]]:
    """The text in compatibility form and without characters that cannot be seen, and notes of what was changed.

    Line breaks stay; other control characters become blanks, format characters (zero width, direction) vanish.
    """
    shown = visible(text)
    notes = ["invisible or control characters were passed over"] if shown != _lines(text) and shown.split() else []
    text = re.sub(r"[⁰¹²³⁴-⁹]+", lambda m: "^" + m.group().translate(_SUPERSCRIPTS), shown)
    text = re.sub(r"(\d?)([½¼¾])", lambda m: (m[1] or "0") + _FRACTIONS[m[2]][1:], text)
    text = unicodedata.normalize("NFKC", text)
    text = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    alike: list[str] = []

    def latin(word: re.Match[str]) -> str:
        said = word.group()
        if not (_LATIN.search(said) and _OTHER.search(said)):
            return said
        plain = said.translate(_TWINS)
        if plain != said:
            alike.append(plain)
        return plain

    text = _WORD.sub(latin, text)
    if alike:
        notes.append(f"look-alike letters of other alphabets were read as Latin: {', '.join(alike)[:60]}")
    # 100'000 as in Switzerland; the dot and the comma depend on the language and are read later.
    text = re.sub(r"(?<=\d)['’ʼ´`](?=\d{3}(?!\d))", "", text)
    return text, tuple(notes)


def visible(text: str) -> str:
    """The text without what cannot be seen: line breaks stay, other control characters become blanks."""
    return "".join(map(_visible, _lines(text)))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")


def _visible(char: str) -> str:
    kind = unicodedata.category(char)
    if char == "\n" or kind[0] in "LNPS":
        return char
    if kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    return char if kind[0] == "M" or kind == "Zs" else " "


def folded(text: str) -> str:
    """Lower case without accents, so that words are found however carefully they were typed."""
    text = text.casefold().translate(_STROKES)
    return "".join(_bare(char) if ord(char) < _FOLDED else char for char in text)


def _bare(char: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn")
