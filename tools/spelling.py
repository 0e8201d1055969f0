"""Misspelled words of requests -> the words that were meant, out of the few that requests are made of.

A word is only taken for another if it is none that English knows, if one word of the vocabulary is near and no other,
and if it begins with the same letter. Digits are never changed: cifar10 and cifar100 are one character apart.
"""

from __future__ import annotations

import re
from functools import cache, partial
from importlib.resources import files

_DATASETS = "digits mnist fashion cifar svhn imagenette celeba places"
_WORDS = (
    "parameters parameter params weights weight classifier classifiers classification classify classifies recognize "
    "network networks model models convolutional convolution convolutions handwritten trainable "
    "under below above about around roughly approximately within most "
    "least maximum minimum between exactly budget fewer smaller larger greater exceed without "
    "residual resnet depthwise separable mobilenet inception densenet squeeze excite channel attention transformer "
    "convnext mixer plain perceptron connected densely connections layers "
    "thousand million billion hundred train training accuracy epochs epoch variants candidates versions different "
    "street house numbers number kilobytes megabytes bytes flops"
)
# Names of data sets that are not here and must not be read as one that is; words of requests that look misspelled.
_NAMES = (
    "kmnist emnist qmnist nmnist medmnist notmnist imagenet imagenets omniglot usps celebahq cinic kuzushiji bytes "
    "byte parametric parametrise parameterize parametrized trained trains trainer modelled modeled resnext googlenet "
    "megabits kilobits gigabits gigabytes terabytes bits convnet convnets convs resnets densenets "
    "transforms plains shufflenet squeezenet efficientnet "
    "abut abort aborts abode arouse aground approximate approximated approximates houses horse horses hours mouse "
    "streets streams stream numbered numbering members "
    "approximation mnists cifars perceptrons depths fashioned"
)
# Comparisons whose blank was forgotten.
_JOINED = {
    "atleast": "at least",
    "atmost": "at most",
    "upto": "up to",
    "lessthan": "less than",
    "fewerthan": "fewer than",
    "morethan": "more than",
    "nomore": "no more",
    "notmore": "not more",
}
# Short words are only sure between others: "at lest 10k", "mroe then 10k".
_BETWEEN = (
    (
        re.compile(r"\b(at)\s+([a-z]{3,6})(?=\s+(?:an?\s+)?(?:\d|half|one|two|three|ten|twenty|fifty|hundred))"),
        "least most max",
    ),
    (
        re.compile(
            r"()\b([a-z]{3,8})(?=\s+(?:th[aeu]n|tahn|thn)\s+(?:an?\s+)?(?:\d|half|one|two|three|ten|twenty|fifty|hundred))"
        ),
        "less more fewer smaller larger greater lower higher bigger",
    ),
    (
        re.compile(
            r"()\b((?!blow|ever|oven|cover|undue)[a-z]{3,6})(?=\s+\d[\d.,]*\s*(?:k|m|million|thousand)?\s+(?:param|weight))"
        ),
        "over",
    ),
    (
        re.compile(
            r"()\b([a-z]{3,7})(?=\s+(?:different\s+)?(?:variants|candidates|versions|alternatives|proposals|epochs)\b)"
        ),
        "two three four five six seven eight nine ten twelve",
    ),
)
# The one word that every limit needs, with an ending of whatever language: "parametrii", "parametern".
_PARAMETERS = re.compile(r"paramet(?!er$|ri[csz])[a-z]{1,5}")
_WORD = re.compile(r"(?<![^\W_])[a-z]{4,}(?![^\W_]*[^\x00-\x7f])")
_LONG, _LONGER = 5, 8
"""Letters from which one letter may be wrong, and from which two may be; shorter words may have two swapped."""


def corrected(text: str, known: frozenset[str] = frozenset()) -> tuple[str, tuple[str, ...]]:
    """The lower-case text with misspelled words mended, and a note for each.

    Args:
        known: further words that are right, of the text's own language.
    """
    notes: list[str] = []

    def mended(hit: re.Match[str]) -> str:
        word = hit.group()
        found = None if word in known else _JOINED.get(word) or meant(word)
        if found is None:
            return word
        note = f"'{word}' was read as '{found}'"
        if note not in notes:
            notes.append(note)
        return found

    def between(hit: re.Match[str], words: list[str]) -> str:
        word, before = hit[2], f"{hit[1]} " if hit[1] else ""
        near = [other for other in words if edits(word, other) <= 1 or sorted(word) == sorted(other)]
        if len(near) != 1 or word in (*words, "last", "mere", "rather", "other"):
            return hit.group()
        notes.append(f"'{before}{word}' was read as '{before}{near[0]}'")
        return f"{before}{near[0]}"

    for pattern, words in _BETWEEN:
        text = pattern.sub(partial(between, words=words.split()), text)
    text = re.sub(r"(?<=less |ewer |more |ller |rger |ater |ower |gher |gger )(?:th[eu]n|tahn|thn)\b", "than", text)
    return _WORD.sub(mended, text), tuple(dict.fromkeys(notes))


def vocabulary() -> frozenset[str]:
    """The English words that requests are made of."""
    return frozenset(_WORDS.split())


@cache
def _right() -> frozenset[str]:
    """English words that lie near the vocabulary, and the vocabulary itself."""
    english = files(__package__).joinpath("tongues", "english.txt").read_text(encoding="utf-8")
    return frozenset((*english.split(), *_WORDS.split(), *_DATASETS.split(), *_NAMES.split()))


def meant(word: str) -> str | None:
    """The word of requests that a misspelled word stands for; ``None`` if it is right, or nothing is near."""
    if word in _right() or len(word) > 20:
        return None
    if _PARAMETERS.fullmatch(word):
        return "parameters"
    near: dict[int, list[str]] = {}
    for other in (*_WORDS.split(), *_DATASETS.split()):
        most = 1 + (min(len(word), len(other)) >= _LONGER)
        if abs(len(word) - len(other)) > most or (word[0] != other[0] and word[1] != other[0]):
            continue
        distance = edits(word, other)
        swapped = sorted(word) == sorted(other)
        most = max(most, 2 * (swapped and len(word) > _LONG and word[0] == other[0]))
        # "undr" and "svnh", but not any other word of four letters.
        short = min(len(word), len(other)) < _LONG and not swapped and len(other) <= len(word)
        if distance <= most and not short and (word[0] == other[0] or swapped):
            near.setdefault(distance, []).append(other)
    if not near:
        return None
    best = near[min(near)]
    # "classifer" lies between "classifier" and "classifiers": the same word for what follows.
    return best[0] if len({other.rstrip("s")[:8] for other in best}) == 1 else None


def edits(one: str, two: str) -> int:
    """Letters to insert, drop, replace or swap with their neighbour, at least, to make one word of the other."""
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i] + [0] * len(two)
        for j, b in enumerate(two, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
