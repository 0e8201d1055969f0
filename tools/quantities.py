"""Numbers as people write them: 200k, 0.2 million, 200,000, 2e5, 2×10⁵, half a million."""

from __future__ import annotations

import re
from decimal import Decimal

from .number_words import FEW, digits_for_words, few

NUMBER = (
    r"(?<![\w^])(?<!\d[.,])(?:(?<![)›])-)?"
    r"(?:\d{1,3}(?: \d{3})+(?!\d)|\d(?:[,_]?\d)*(?:\.\d+)?|\.\d+)"
    r"(?:e[+-]?\d+)?(?:\s*[x×*·]\s*10\s*\^\s*\d+|\s*\^\s*\d+)?"
)
"""A number in lower-case text; a dash after a word or a name is no sign."""
UNIT = (
    r"(?:k|m|b|kilo(?=[\s-]+(?:param|weight))|grand"
    r"|thousands?|millions?|billions?|lakhs?|crores?|mio|mn|bn)(?:(?![a-z])|(?=param|weight))"
)
_POWERS = {
    "k": 3,
    "kilo": 3,
    "grand": 3,
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

# "15,000 (fifteen thousand)" and "200k (200,000)".
_TWICE = re.compile(rf"({NUMBER})\s*({UNIT})?\s*\(\s*({NUMBER})\s*({UNIT})?\s*\)")
# "half of 200k", "two thirds of 90k", "twice 30k", "3 times 20k".
_TIMES = re.compile(
    rf"\b(?:(?:(?P<n>{FEW})\s+)?(?P<part>half|third|quarter|fifth|tenth)s?\s+of"
    rf"|(?P<word>twice|double|thrice|triple)|(?P<k>{FEW})\s+times)\s+(?:the\s+)?"
    rf"(?P<num>{NUMBER})(?:[\s-]*(?P<unit>{UNIT}))?"
)
_SHARES = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_FOLDS = {"twice": 2, "double": 2, "thrice": 3, "triple": 3}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class UnclearNumber(ValueError):
    """A number can be read in more than one way, or not at all; the message says how to write it."""


def plain_numbers(text: str) -> str:
    """The text with one spelling for signs, blanks, powers and numbers in words."""
    text = re.sub(r"[\u00a0\u2000-\u200a\u202f]", " ", text)
    text = re.sub(r"\s*\|\s*", " , ", text)
    # Dots in two places group: 1.000.000 is no decimal fraction.
    text = re.sub(r"(?<![\w.])\d{1,3}(?:\.\d{3}){2,}(?![\w.])", lambda m: m.group().replace(".", ""), text)
    text = re.sub(r"[⁰¹²³⁴-⁹]+", lambda m: "^" + m.group().translate(_SUPERSCRIPTS), text)
    text = text.replace("—", ", ").translate(dict.fromkeys(map(ord, "−–‒‐‑﹣－"), "-"))
    text = re.sub(rf"([\"'])({NUMBER}(?:\s*{UNIT})?)\1", r"\2", text)
    text = re.sub(r"\b(max|min|maximum|minimum)_(?=[a-z])", r"\1 ", text)
    text = digits_for_words(text)
    text = _TIMES.sub(_worked_out, _TWICE.sub(_once, text))
    return re.sub(r"\b(?:minus|negative)\s+(?=[\d.])", "-", text)


def _once(hit: re.Match[str]) -> str:
    """A number that is said twice, said once."""
    try:
        same = value_of(hit[1], hit[2]) == value_of(hit[3], hit[4])
    except UnclearNumber:
        return hit.group()
    return f"{hit[1]}{hit[2] or ''}" if same else hit.group()


def _worked_out(hit: re.Match[str]) -> str:
    """A part or a multiple of a number as that number, rounded down."""
    try:
        value = value_of(hit["num"], hit["unit"])
    except UnclearNumber:
        return hit.group()
    if hit["part"]:
        value *= Decimal(few(hit["n"])) / _SHARES[hit["part"]]
    else:
        value *= _FOLDS[hit["word"]] if hit["word"] else few(hit["k"])
    # The digits of a third do not end: 1/3 of 90k must not come to 29,999.
    return str(int(value + Decimal("1e-9")))


def value_of(digits: str, unit: str | None) -> Decimal:
    """The value of a text that :data:`NUMBER` matched, times its unit.

    Raises:
        UnclearNumber: it can be read in more than one way, as 1,5m or 200.000, or is out of all range.
    """
    if re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", digits) and unit is None:
        plain = f"{int(digits.replace('.', '')):,}"
        raise UnclearNumber(f"'{digits}' can be a decimal fraction or {plain}; write {plain}, or 200k for 200,000")
    if unit is not None and re.fullmatch(r"-?0,\d+", digits):
        digits = digits.replace(",", ".")  # nothing that is grouped begins with 0
    if "," in digits and not re.match(r"-?\d{1,3}(?:,\d{3})+(?![,\d])", digits):
        raise UnclearNumber(f"'{digits[:40]}' has its commas in unusual places; write 1,500,000 or 1.5M")
    mantissa, power = re.sub(r"[,_\s]", "", digits), 0
    if hit := re.fullmatch(r"(.+?)([x×*·]10)?\^(\d+)", mantissa):
        mantissa, power = hit[1] if hit[2] else "1", int(hit[3][:3])
        if hit[1] == "2" and not hit[2] and power < 60:
            mantissa, power = str(2**power), 0
        elif not hit[2] and hit[1] != "10":
            raise UnclearNumber(f"'{digits}' cannot be read; write the number out, as 200,000 or 2e5")
    if power > 30 or re.search(r"e[+-]?\d{3}", mantissa) or len(mantissa) > 40:
        raise UnclearNumber(f"'{digits[:40]}' is out of range; write it as 200,000, 200k or 2e5")
    return Decimal(mantissa).scaleb(power + _POWERS.get((unit or "").rstrip("s"), 0))
