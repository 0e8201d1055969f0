"""Numbers as people write them: 200k, 0.2 million, 200,000, 2e5, 2×10⁵, half a million."""

from __future__ import annotations

import re
from decimal import Decimal

NUMBER = (
    r"(?<![\w^])(?<!\d[.,])(?:(?<![)›])-)?"
    r"(?:\d{1,3}(?: \d{3})+(?!\d)|\d(?:[,_]?\d)*(?:\.\d+)?|\.\d+)"
    r"(?:e[+-]?\d+)?(?:\s*[x×*·]\s*10\s*\^\s*\d+|\s*\^\s*\d+)?"
)
"""A number in lower-case text; a dash after a word or a name is no sign."""
UNIT = r"(?:k|m|b|thousands?|millions?|billions?|lakhs?|crores?|mio|mn|bn)(?:(?![a-z])|(?=param))"
_POWERS = {
    "k": 3,
    "thousand": 3,
    "m": 6,
    "million": 6,
    "mio": 6,
    "mn": 6,
    "b": 9,
    "billion": 9,
    "bn": 9,
    "lakh": 5,
    "crore": 7,
}

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ONES.split())} | {
    word: 10 * tens for tens, word in enumerate(_TENS.split(), 2)
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS = {"half": "0.5", "quarter": "0.25"}
_WORD = rf"(?:{'|'.join([*_SMALL, 'hundred', *_SCALES])})"
_SPELLED = re.compile(
    rf"\b(?:(?P<part>half|quarter)\s+(?:of\s+)?an?[\s-]+(?P<whole>{'|'.join(_SCALES)})"
    rf"|(?P<words>(?:an?[\s-]+(?=hundred|thousand|million|billion)|{'|'.join(_SMALL)}\b)"
    rf"(?:[\s-]*\b(?:(?<=hundred )and\s+)?{_WORD}\b)*))\b"
)
_COUNTED = re.compile(
    r"[\s-]*(?:(?:trainable|total|free)\s+)?(?:param|weight|layer|block|class|channel|filter|head|epoch"
    r"|(?:kilo|mega)?byte|[km]b\b|milli|second|minute|ms\b|percent)"
)
_FRACTION = re.compile(
    r"(?<![\w./])([13])[/⁄]([248])(?=\s+(?:(?:of\s+)?an?\s+)?(?:thousand|million|billion|[kmg]i?b|kilo|mega)\b)"
)
_TWICE = re.compile(r"(?<![\w.,])(\d[\d,]*)\s*\(\s*(\d+)\s*\)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class UnclearNumber(ValueError):
    """A number can be read in more than one way, or not at all; the message says how to write it."""


def plain_numbers(text: str) -> str:
    """The text with one spelling for signs, blanks, powers and numbers in words."""
    text = re.sub(r"[\u00a0\u2000-\u200a\u202f]", " ", text)
    text = re.sub(r"\s*\|\s*", " , ", text)
    # Dots in two places group: 1.000.000 is no decimal fraction.
    text = re.sub(r"(?<![\w.])\d{1,3}(?:\.\d{3}){2,}(?![\w.])", lambda m: m.group().replace(".", ""), text)
    text = _FRACTION.sub(lambda m: f"{Decimal(m[1]) / Decimal(m[2])}", text)
    text = re.sub(r"[⁰¹²³⁴-⁹]+", lambda m: "^" + m.group().translate(_SUPERSCRIPTS), text)
    text = text.replace("—", ", ").translate(dict.fromkeys(map(ord, "−–‒‐‑﹣－"), "-"))
    text = _digits_for_words(text)
    # "15,000 (fifteen thousand)" says one number twice.
    text = _TWICE.sub(lambda m: m[1] if m[1].replace(",", "") == m[2] else m.group(), text)
    return re.sub(r"\b(?:minus|negative)\s+(?=[\d.])", "-", text)


def value_of(digits: str, unit: str | None) -> Decimal:
    """The value of a text that :data:`NUMBER` matched, times its unit.

    Raises:
        UnclearNumber: it can be read in more than one way, as 1,5m or 200.000, or is out of all range.
    """
    if re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", digits) and unit is None:
        plain = f"{int(digits.replace('.', '')):,}"
        raise UnclearNumber(f"'{digits}' can be a decimal fraction or {plain}; write {plain}, or 200k for 200,000")
    if "," in digits and not re.match(r"-?\d{1,3}(?:,\d{3})+(?![,\d])", digits):
        raise UnclearNumber(f"'{digits[:40]}' has its commas in unusual places; write 1,500,000 or 1.5M")
    mantissa, power = re.sub(r"[,_\s]", "", digits), 0
    if hit := re.fullmatch(r"(.+?)([x×*·]10)?\^(\d+)", mantissa):
        mantissa, power = hit[1] if hit[2] else "1", int(hit[3][:3])
        if not hit[2] and hit[1] != "10":
            raise UnclearNumber(f"'{digits}' cannot be read; write the number out, as 200,000 or 2e5")
    if power > 30 or re.search(r"e[+-]?\d{3}", mantissa) or len(mantissa) > 40:
        raise UnclearNumber(f"'{digits[:40]}' is out of range; write it as 200,000, 200k or 2e5")
    return Decimal(mantissa).scaleb(power + _POWERS.get((unit or "").rstrip("s"), 0))


def _digits_for_words(text: str) -> str:
    """Numbers in words as digits: those with a scale ("half a million") and those before something countable."""

    def written(hit: re.Match[str]) -> str:
        if hit["part"]:
            return f"{_PARTS[hit['part']]} {hit['whole']}"
        words = [w for w in re.split(r"[\s-]+", hit["words"]) if w not in ("a", "an", "and")]
        if not {"hundred", *_SCALES} & set(words) and not _COUNTED.match(text, hit.end()):
            return hit.group()
        total = _sum(words)
        return hit.group() if total is None else str(total)

    return _SPELLED.sub(written, text)


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
