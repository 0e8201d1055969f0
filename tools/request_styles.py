"""The architecture style that a request names, and styles that contradict each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .generators.headers import STYLES


def _named(word: str) -> str:
    """A style whose name is a word of its own too, where it is called a style."""
    kind = r"(?:style|type|family|architecture)"
    return (
        rf"\b{word}[\s-]*(?:{kind}|like)\b"
        rf"|\b{kind}\b\W{{0,3}}(?:(?:is|of|called|named|should\s+be)\s+)?(?:(?:an?|the)\s+)?{word}\b(?!\s+layer)"
    )


_STYLE_WORDS = {
    "residual": r"\bresid(?:ual|ue)|resne[xs]?t|\bskip(?:[\s-]*connect|s\b)|\bskip-?(?:layer|link)|shortcuts?\b",
    "depthwise": r"depth[\s-]*wise|mobile[\s-]*net(?!work|z)(?=[\s-]*(?:v\d|like|style|type)?\b)|separable|xception",
    "inception": r"inception|\bgoo?gle?[\s-]?l?e?net\b|branch(?:es|ed|ing)?\b|multi[\s-]*(?:path|branch)",
    "dense": r"dense[\s-]?net|dense(?:ly)?[\s-]*connect(?:ed|ions?|ivity)|dense blocks?|" + _named("dense"),
    "se": r"squeeze[\s-]*(?:and|&|n)?[\s-]*excit|channel attention|\bse[\s-]?(?:block|net|res|modul)|" + _named("se"),
    "convnext": r"conv[\s-]*next",
    "mixer": r"mixer",
    "attention": r"(?<!channel )attention|transformer|\bvits?\b|\bswin\b",
    "plain": r"\bplain\b(?!\s+(?:float|fp|int|bf|text|english|words|old|pytorch|python))|\bvgg|\blenet|\balexnet",
    "mlp": r"\bmlps?\b|perceptron|fully[\s-]*connected",
}
# "without skip connections" wishes for no residual network.
_UNWISHED = re.compile(
    r"\b(?:no|not|non|without|never|avoid(?:ing)?|except(?:\s+for)?|(?:anything|everything)\s+but|other\s+than|instead\s+of|rather\s+than|(?:do\s+not|don't)\s+use|(?:leav|omitt?|dropp?|remov|exclud)(?:e|es|ing)?(?:\s+out)?)"
    r"(?:\s+|-)(?:(?!connections?\b|links?\b|blocks?\b)[\w-]+\s+){0,2}[\w-]*$"
)
# Words that also describe what is no style of its own: any other style that is named counts before them.
_GENERAL = ("plain", "mlp")


@dataclass(frozen=True)
class Styles:
    """What a request says of styles.

    Attributes:
        wished: the style, or ``any``.
        others: further styles that it names and that one network cannot have as well.
        unwished: styles that it does not want, with the words.
    """

    wished: str
    others: tuple[str, ...]
    unwished: dict[str, str]


def read_styles(low: str) -> Styles:
    """The styles that a lower-case text names, the first one that is wished for first."""
    at: dict[str, int] = {}
    unwished: dict[str, str] = {}
    for style, pattern in _STYLE_WORDS.items():
        for hit in re.finditer(pattern, low) if style in STYLES else ():
            before = _UNWISHED.search(low[max(0, hit.start() - 80) : hit.start()])
            if before:
                unwished[style] = (before.group() + re.split(r"[,.;]", low[hit.start() : hit.end() + 12])[0]).strip()
            else:
                at.setdefault(style, hit.start())
    order = sorted(at, key=lambda style: (style in _GENERAL, at[style]))
    if order[:2] in (["attention", "mixer"], ["attention", "convnext"]):
        order[:2] = reversed(order[:2])
    return Styles(order[0] if order else "any", tuple(order[1:]), unwished)


def without_styles(low: str) -> str:
    """A lower-case text without the names of styles, and without words that only call them so."""
    for pattern in _STYLE_WORDS.values():
        low = re.sub(rf"\b[\w-]*?(?:{pattern})[\w-]*", " ", low)
    return " ".join(re.sub(r"(?<![\w])-?(?:like|styled?|type)\b", " ", low).split())


def contradiction(styles: Styles) -> str | None:
    """Why the styles of a request cannot go together; ``None`` if they can."""
    for style, words in styles.unwished.items():
        if style == styles.wished:
            return (
                f"the request contradicts itself: it wishes for the style {style} and says '{words}'; "
                "leave one of both out"
            )
    return None
