"""Numbers in the words of any language -> digits: "zweihunderttausend", "dos millones y medio", 二十万."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from ..characters import folded

_HAN_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000}
_HAN_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HAN_ALL = "".join([*_HAN_DIGITS, *_HAN_TENS, *_HAN_MYRIADS])
_HAN = re.compile(rf"[\d.,]*[{_HAN_ALL}](?:\.?[\d{_HAN_ALL}])*")
_COUNTED = re.compile(r"\s*(?:个|個|种|種|层|層|つ|類|类|轮|輪|エポック|候補|案|パターン|通り|兆字节|M|K)")


class Numerals:
    """The number words of one language.

    Args:
        numbers: words below a thousand; 100 and its multiples may multiply what stands before them.
        scales: words of a thousand and more, which multiply what stands before them.
        joined: words that may stand between two of them and count nothing ("und", "y").
    """

    def __init__(self, numbers: Mapping[object, int], scales: Mapping[object, int], joined: tuple[str, ...]) -> None:
        self._numbers = {folded(str(word)): value for word, value in numbers.items()}
        self._scales = {folded(str(word)): value for word, value in scales.items()}
        self.words = {word for word in (*self._numbers, *self._scales) if word.isalpha()}
        known = sorted((*self._numbers, *self._scales), key=len, reverse=True)
        self._word = re.compile("|".join(re.escape(word) for word in known)) if known else None
        if known:
            one = f"(?:{self._word.pattern})"  # type: ignore[union-attr]
            join = "|".join(map(re.escape, map(folded, joined)))
            between = rf"(?:[\s-]*(?:(?:{join})[\s-]*)?)" if joined else r"[\s-]*"
            end = r"(?![^\W\d_])"
            scaled = rf"(?:{'|'.join(re.escape(w) for w in sorted(self._scales, key=len, reverse=True))})"
            # "80 bis 120 Tausend": the scale counts for both.
            lower = (
                r"(?:(?<!cifar[ -])(?P<lower>\d[\d ]{0,11}(?:\.\d+)?)(?P<sep>\s*[-–]\s*|\s+(?!\d)[^\W\d_]{1,3}\s+))?"
            )
            digits = rf"(?<![\w.,]){lower}(?P<digits>\d[\d ]{{0,11}}(?:\.\d+)?)[\s-]*(?P<scale>{scaled}){end}\.?"
            self._run = re.compile(rf"{digits}|(?<![^\W_])(?P<run>{one}(?:{between}{one})*){end}")

    def in_words(self, text: str) -> bool:
        """Whether the folded text has a number of several of this language's words in one ("zweihunderttausend")."""
        if self._word is None:
            return False
        runs = (hit["run"] for hit in self._run.finditer(text) if hit["run"])
        return any(run.isalpha() and len(self._word.findall(run)) > 1 for run in runs)

    def in_digits(self, text: str) -> str:
        """The folded text with its numbers written in digits."""
        return self._run.sub(self._written, text) if self._word is not None else text

    def _written(self, hit: re.Match[str]) -> str:
        if hit["digits"]:
            scale, high = self._scales[hit["scale"]], Decimal(hit["digits"].replace(" ", ""))
            if not hit["lower"]:
                return f" {high * scale:f} "
            low = Decimal(hit["lower"].replace(" ", ""))
            return f" {low * scale if low < high else low:f} {hit['sep']} {high * scale:f} "
        assert self._word is not None
        words = self._word.findall(hit["run"])
        total = self._sum(words)
        return hit.group() if total is None else f" {total} "

    def _sum(self, words: list[str]) -> int | None:
        total = group = 0
        for word in words:
            if word in self._scales:
                total, group = total + max(1, group) * self._scales[word], 0
            elif self._numbers[word] == 100 and 0 < group < 10:
                group *= 100
            else:
                group += self._numbers[word]
        return total + group


def ideographic(text: str) -> str:
    """Chinese and Japanese numbers in digits: 20万, 二十万 and 两百万; a single one only before what is counted."""

    def written(hit: re.Match[str]) -> str:
        said = hit.group()
        if len(said) == 1 and (said == "一" or not _COUNTED.match(text, hit.end())) and said not in _HAN_TENS:
            return said
        value = _han_value(said)
        return said if value is None else f" {value.normalize():f} "

    return _HAN.sub(written, text)


def _han_value(said: str) -> Decimal | None:
    total = section = Decimal(0)
    digits = ""
    for char in said.replace(",", ""):
        if char.isascii():
            digits += char
        elif char in _HAN_DIGITS:
            digits += str(_HAN_DIGITS[char])
        elif char in _HAN_TENS:
            section, digits = section + Decimal(digits or 1) * _HAN_TENS[char], ""
        else:
            section, digits = section + Decimal(digits or 0), ""
            total, section = total + (section or 1) * _HAN_MYRIADS[char], Decimal(0)
        if digits.count(".") > 1 or digits == ".":
            return None
    return total + section + Decimal(digits or 0)
