"""English numbers in words -> digits: two hundred thousand, three quarters of a million, one point five million."""

from __future__ import annotations

import re
from decimal import Decimal

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ONES.split())} | {
    word: 10 * tens for tens, word in enumerate(_TENS.split(), 2)
}
_SCALES = {"thousand": 10**3, "lakh": 10**5, "million": 10**6, "crore": 10**7, "billion": 10**9}
_PARTS = {"half": "0.5", "quarter": "0.25", "fifth": "0.2", "eighth": "0.125", "tenth": "0.1"}
_SCALE = "|".join(_SCALES)
FEW = r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3})"
_WORD = rf"(?:{'|'.join([*_SMALL, 'hundred', *_SCALES])})"
# "half a dozen", "two dozen".
_DOZEN = re.compile(rf"\b(?P<half>half[\s-]+)?(?P<n>{FEW})[\s-]+dozen\b")
# "three quarters of a million", "half a million".
_PART = re.compile(
    rf"\b(?:(?P<n>{FEW})[\s-]+)?(?P<part>{'|'.join(_PARTS)})s?[\s-]+(?:of\s+)?(?:an?[\s-]+)?(?P<scale>{_SCALE})\b"
)
# "one and a half million", "two and three quarter million"; "a million and a half".
_AND_PART = re.compile(
    rf"(?<![\w.,])(?P<n>{FEW})[\s-]+(?:and[\s-]+)?(?P<m>an?|one|three)[\s-]+(?P<part>half|quarter)s?[\s-]+(?P<scale>{_SCALE})s?\b"
)
_AND_BEHIND = re.compile(
    rf"(?<![\w.,])(?P<n>{FEW})[\s-]+(?P<scale>{_SCALE})s?\s+and\s+(?P<m>an?|one)\s+(?P<part>half|quarter)\b"
)
# "one point five million".
_POINT = re.compile(
    rf"\b(?P<n>\d+|{'|'.join(_SMALL)})[\s-]+point(?P<after>(?:[\s-]+(?:\d|{'|'.join(_ONES.split()[:10])})\b)+)"
)
_SPELLED = re.compile(
    rf"\b(?:an?[\s-]+(?=hundred|{_SCALE})|(?:{'|'.join(_SMALL)})\b)(?:[\s-]*\b(?:(?<=hundred )and\s+)?{_WORD}\b)*\b"
)
_COUNTED = re.compile(
    r"[\s-]*(?:(?:trainable|total|free)\s+)?(?:param|weight|layer|block|class|channel|filter|head|epoch"
    r"|(?:kilo|mega|kibi|mebi)?byte|[kmg]i?b\b|[km]\b|(?:kilo|mega|giga|[kmgt])?[\s-]?(?:flop|macs?\b|mult|madd)|milli|second|minute|ms\b|percent)"
)
_FRACTION = re.compile(
    r"(?<![\w./])([1-9])[/⁄]([248]|5|10)(?=\s+(?:(?:of\s+)?an?\s+)?(?:thousand|million|billion|[kmg]i?b|kilo|mega)\b)"
)
_FRACTION_OF = re.compile(rf"(?<![\w.,])(\d*\.\d+)\s+of\s+an?\s+(?={_SCALE})")


def digits_for_words(text: str) -> str:
    """Numbers in words as digits: those with a scale ("half a million") and those before something countable."""
    text = _DOZEN.sub(lambda hit: str((6 if hit["half"] else 12) * few(hit["n"])), text)
    text = _FRACTION.sub(lambda hit: f"{Decimal(hit[1]) / Decimal(hit[2])}", text)
    text = _FRACTION_OF.sub(r"\1 ", text)
    text = _POINT.sub(_with_point, text)
    text = _AND_PART.sub(_with_part, text)
    text = _AND_BEHIND.sub(_with_part, text)
    text = _PART.sub(lambda hit: f"{few(hit['n']) * Decimal(_PARTS[hit['part']])} {hit['scale']}", text)

    def written(hit: re.Match[str]) -> str:
        words = [word for word in re.split(r"[\s-]+", hit.group()) if word not in ("a", "an", "and")]
        if not {"hundred", *_SCALES} & set(words) and not _COUNTED.match(text, hit.end()):
            return hit.group()
        total = _sum(words)
        return hit.group() if total is None else str(total)

    return _SPELLED.sub(written, text)


def few(word: str | None) -> int:
    """A number up to ten, in digits or as a word, before a part or a multiple; one where none is said."""
    return int(word) if word and word.isdigit() else _SMALL.get(word or "one", 1)


def _with_part(hit: re.Match[str]) -> str:
    value = few(hit["n"]) + few(hit["m"]) * Decimal(_PARTS[hit["part"]])
    return f"{value} {hit['scale']}"


def _with_point(hit: re.Match[str]) -> str:
    after = "".join(str(few(word)) if word != "zero" else "0" for word in re.split(r"[\s-]+", hit["after"].strip(" -")))
    return f"{hit['n'] if hit['n'].isdigit() else _SMALL[hit['n']]}.{after}"


def _sum(words: list[str]) -> int | None:
    """The value of a number in words; ``None`` if the words are no number in this order."""
    total = group = 0
    scale = 10**12
    for word in words:
        if word in _SCALES and _SCALES[word] < scale:
            scale = _SCALES[word]
            total, group = total + max(1, group) * scale, 0
        elif word == "hundred" and group < 100:
            group = max(1, group) * 100
        elif word in _SMALL and (group % 100 == 0 or (group % 10 == 0 and group % 100 >= 20 and _SMALL[word] < 10)):
            group += _SMALL[word]
        else:
            return None
    return total + group
