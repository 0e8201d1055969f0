"""Which of the shown networks a follow-up means: by number, by ordinal, or as what to start from."""

from __future__ import annotations

import re

from .follow_words import Words, concept, ordinals
from .plans import Known, Reading, Talk

_NUMBER = r"(?:#|no\. ?|nr\. ?|n° ?|number |candidate |network |net |variant |model )?#?(\d{1,4})(?!\w)"
_NOT_COUNTED = (
    r"(?![\w%.]|\s*(?:%|percent|prozent|x\b|times|epoch|variant|candidate|version|network|param|weight|thousand|million"
    r"|tausend|mille|mil\b|k\b|m\b|layer|mal\b|fois|veces|class))"
)
_TAGGED = re.compile(
    r"(?<![\w.])(?:#|no\. ?|nr\. ?|n° ?|(?:number|candidate|network|net|variant|model|nummer|numero) )#?(\d{1,4})(?!\w)"
)
_BARE = re.compile(r"(?<![\w.,#-])(\d{1,4})" + _NOT_COUNTED)
_LIMITS_BEFORE = re.compile(
    r"(?:under|below|most|than|least|over|above|max\w*|min\w*|to|unter|hoechstens|hochstens|moins|de|menos|que|about|for"
    r"|seed|between|and|<|>|=)\s*$"
)
_ARTICLE = r"\s*(?:the |das |die |den |le |la |el |lo )?"


def is_like(words: Words) -> bool:
    """Whether a network is named as what to start from: "like the second one"."""
    for hit in concept("like").finditer(words.low):
        rest = words.low[hit.end() :]
        named = re.match(rf"{_ARTICLE}(?:{_NUMBER}|it\b|that\b|this\b)", rest)
        if named or any(re.fullmatch(_ARTICLE, rest[: place.start()]) for place in _places(rest)):
            words.cut(*hit.span())
            return True
    return False


def _places(low: str) -> list[re.Match[str]]:
    return [hit for _, pattern in ordinals() if (hit := pattern.search(low)) is not None]


def named_networks(words: Words, talk: Talk, *, asked: bool, bare: bool) -> tuple[tuple[int, ...], int | None]:
    """Numbers of the networks that are named, in order, and the first ordinal as it was said.

    Args:
        asked: something is asked about networks, so that every number names one: "compare 1 and 2".
        bare: whether a number without anything counts, unless it is a limit: "train 2".
    """
    found: list[tuple[int, int]] = []
    first: int | None = None
    for place, pattern in ordinals():
        for hit in list(pattern.finditer(words.low)):
            found.append((hit.start(), nth(place, talk)))
            first = place if first is None else first
            words.cut(*hit.span())
    for hit in list(_TAGGED.finditer(words.low)):
        found.append((hit.start(), int(hit[1])))
        words.cut(*hit.span())
    if asked or bare:
        for hit in list(_BARE.finditer(words.low)):
            if asked or not _LIMITS_BEFORE.search(words.low[: hit.start()]) or (found and _joined(words, hit)):
                found.append((hit.start(), int(hit[1])))
                words.cut(*hit.span())
    return tuple(dict.fromkeys(n for _, n in sorted(found))), first


def _joined(words: Words, hit: re.Match[str]) -> bool:
    """Whether a number follows another one by "and", "to" or "with"."""
    return re.search(r"(?:and|to|with|und|mit|et|avec|y|con|&)\s*$", words.low[: hit.start()]) is not None


def nth(place: int, talk: Talk) -> int:
    """The number of the network that an ordinal means.

    "The second one" is number 2 where the latest design shows a number 2, else the second that it shows.
    """
    table = sorted(talk.table)
    if place == -1:
        return table[-1] if table else 0
    return place if place in table or place > len(table) else table[place - 1]


def referred(reading: Reading, talk: Talk) -> list[Known] | None:
    """The networks that a reading refers to: those named, else the best of the latest answer; ``None``: unknown."""
    shown = {one.n: one for one in talk.shown}
    if any(n not in shown for n in reading.refers):
        return None
    named = reading.refers or talk.current[:1]
    return [shown[n] for n in named if n in shown]
