"""Ways in which people compare numbers -> the few that :mod:`.request_words` reads, one table row for each kind.

A comparison that is not known would leave its number bare, and a bare number is an upper limit: so "in excess of 200k"
must be put into "more than 200k" before, and a comparative that no row knows is refused.
"""

from __future__ import annotations

import re

from .quantities import NUMBER, UNIT
from .request_found import EXAMPLE, ONLY, RequestError
from .request_words import NOUN

_AMOUNT = rf"{NUMBER}(?:[\s-]*{UNIT})?"
_SMALLER = r"(?:less|fewer|lower|smaller|lighter|leaner|slimmer|tinier|thinner|cheaper|shorter)"
_LARGER = r"(?:more|greater|larger|bigger|higher|heavier|heftier|beefier|fatter|longer|richer)"
_PAST = r"(?:over|above|beyond|past|north\s+of)"
_FALL = r"(?:fall|drop|go|dip|sink|get|come|be|slip|end\s+up|shrink)(?:s|es|ping|ing)?"
_RISE = r"(?:go|climb|grow|rise|get|creep|come|be|end\s+up|pass|cross|surpass|top|overshoot|run)(?:es|s|ing)?"
_NEVER = (
    r"(?:\b(?:no|not|never|cannot|without|nor|nothing|none|nowhere|neither|(?:do|does|can|wo|shall|should|must|may)nt)\b"
    r"|\b\w+n't\b)"
)
# What may stand between a negation and the comparison that it turns: "in no event comprise more than".
_EVER = (
    r"(?:\s+(?:ever|even|to|an?|the|its|any|one|single|more|have|has|having|be|is|are|was|allow\w*|permit\w*|let|it|them"
    r"|of|event|case|circumstances?|way|account|point|time|condition|situation|can|may|must|should|shall|will|would|want\w*"
    r"|need\w*|like|accept\w*|afford|tolerate|of\s+(?:which|them|these|those|whom)|which|that\s+(?:has|have|is|are)"
    r"|contain\w*|compris\w*|includ\w*|hold\w*|carry|carries|count\w*|number\w*|amount\w*|total\w*|weigh\w*|consist\w*"
    r"|us(?:e|es|ing)|spend\w*|reach\w*|net|nets|network|networks|model|models|classifier|classifiers|candidates?|variants?"
    r"|anything|thing|size|parameters?|weights?))*"
)
_ROUGH = r"(?:neighbou?rhood|vicinity|ballpark|region|order)"
_BAD = (
    r"(?:(?:is|are|would\s+be|will\s+be|gets?|counts?\s+as)\s+(?:simply\s+|just\s+|way\s+|far\s+)?"
    r"(?:too\b|out\b|no\b|not\b|useless|unacceptable|forbidden|rejected|disqualified|ruled|off|impossible|unusable)"
    r"|(?:disqualif(?:y|ies)|spoils?|fails?|breaks?|ruins?|kills?|violates?|is\s+a\s+(?:no-?go|fail\w*|deal-?breaker))\b"
    r"|(?:may|must|can|should|shall)\s+(?:\w+\s+){0,2}not\b|(?:won't|doesn't|don't|isn't|aren't|can't|cannot|will\s+not|does\s+not)\b)"
)
_EDGE = r"(?:is|are|being|as|would\s+be)\s+(?:(?:the|my|our|its|an?)\s+)?(?:(?!not\b)[a-z]+\s+)?"

_PHRASES: tuple[tuple[str, str], ...] = (
    (r"[≦⩽≲]", "≤"),
    (r"[≧⩾≳]", "≥"),
    (r"≈|≃|≅|∼", "~"),
    # "less than or equal to" before "equal to".
    (
        rf"(?:{_SMALLER}(?:\s+than)?|under|below|at)\s*(?:/|,?\s*or)\s*(?:equals?\s+(?:to|than)|below|under|equal)",
        "at most",
    ),
    (
        rf"(?:{_LARGER}(?:\s+than)?|over|above|at)\s*(?:/|,?\s*or)\s*(?:equals?\s+(?:to|than)|above|over|equal)",
        "at least",
    ),
    (rf"equals?\s+to\s+or\s+(?:{_SMALLER}(?:\s+than)?|under|below)", "at most"),
    (rf"equals?\s+to\s+or\s+(?:{_LARGER}(?:\s+than)?|over|above)", "at least"),
    (
        r"(?:neither|no|not)\s+(?:more|larger)\s*,?\s*(?:nor|and|or)\s+(?:no\s+|not\s+)?(?:less|fewer|smaller)\s+than",
        "exactly",
    ),
    (r"(?:neither|no|not)\s+(?:less|fewer)\s*,?\s*(?:nor|and|or)\s+(?:no\s+|not\s+)?more\s+than", "exactly"),
    (r"equal(?:s|ling)?\s+to|an\s+exact|equals", "exactly"),
    # "must not fall below", "do not go past", "without ever crossing".
    (rf"{_NEVER}{_EVER}\s+{_FALL}\s+(?:(?:below|under|beneath)|{_SMALLER}\s+than)", "at least"),
    (rf"{_NEVER}{_EVER}\s+{_RISE}\s+(?:{_PAST}|{_LARGER}\s+than)", "at most"),
    (rf"{_NEVER}{_EVER}\s+(?:cross|surpass|overshoot|pass|top|exceed)(?:s|es|ing)?(?:\s+the)?", "not exceed"),
    (rf"{_NEVER}{_EVER}\s+(?:{_PAST}|{_LARGER}\s+than|in\s+excess\s+of)", "at most"),
    (rf"{_NEVER}{_EVER}\s+(?:below|under|beneath|{_SMALLER}\s+than)(?=\s+(?:an?\s+)?{_AMOUNT})", "at least"),
    (rf"no\s+{NOUN}\s+(?:{_PAST}|in\s+excess\s+of)", "at most"),
    # "anything above 200k is too much".
    (
        rf"(?:any\s*thing\s+|everything\s+|whatever\s+is\s+)?(?:over|above|beyond|more\s+than|larger\s+than)(?=\s+{_AMOUNT}(?:\s+{NOUN})?\s+{_BAD})",
        "at most",
    ),
    (
        rf"(?:any\s*thing\s+|everything\s+|whatever\s+is\s+)?(?:under|below|less\s+than|fewer\s+than|smaller\s+than)(?=\s+{_AMOUNT}(?:\s+{NOUN})?\s+{_BAD})",
        "at least",
    ),
    (rf"not\s+({_AMOUNT})(?:\s+{NOUN})?\s+or\s+(?:less|fewer)\b", r"more than \1"),
    (rf"not\s+({_AMOUNT})(?:\s+{NOUN})?\s+or\s+more\b", r"less than \1"),
    (r"in\s+excess\s+of|north\s+of|surpassing|surpass(?:es)?", "more than"),
    (r"south\s+of|short\s+of", "less than"),
    (
        rf"(?:somewhere\s+)?(?:in|on|of|at)\s+the\s+{_ROUGH}\s+of(?!\s*{_AMOUNT}\s*(?:-|to\b|and\b))|more\s+or\s+less(?=\s+\d)",
        "about",
    ),
    (r"\bc\.\s*(?=\d)", "about "),
    (r"les(?=\s+than)", "less"),
    (rf"{_SMALLER}\s+than", "less than"),
    (rf"{_LARGER}\s+than", "more than"),
    (r"\blim\b\.?", "limit"),
    (rf"fit(?:s|ting)?\s+(?:in|into|inside|within|under)(?=\s+(?:an?\s+)?{NUMBER})", "at most"),
    (r"bounded\s+(?:from\s+)?below\s+by", "at least"),
    (r"bounded\s+(?:(?:from\s+)?above\s+)?by", "at most"),
    (r"at\s+the\s+(?:very|absolute)\s+(most|least)", r"at \1"),
    # Behind a number.
    (rf"{_EDGE}(?:min(?:imum)?|floor|lower\s+(?:limit|bound)|least)\b(?!\s+\d)", "at least"),
    (rf"{_EDGE}(?:max(?:imum)?|ceiling|cap|limit|upper\s+(?:limit|bound)|most)\b(?!\s+\d)", "at most"),
    (r"on\s+the\s+(?:dot|nose)|to\s+the\s+(?:unit|digit)", "exactly"),
    (r"(?:,\s*)?(?:give\s+or\s+take|or\s+so|or\s+thereabouts|more\s+or\s+less|ish|ballpark)\b", " roughly"),
    (r"(?:±|\+\s*/?\s*-)\s*\d+(?:\.\d+)?\s*(?:%|percent)?", " roughly"),
)
_TABLE = tuple(
    (re.compile(rf"(?<![a-z]){pattern}(?!\w)" if pattern[0].isalpha() or pattern[0] in "(" else pattern), said)
    for pattern, said in _PHRASES
)
_UP = re.compile(
    rf"\b(?:from|starting\s+(?:at|from|with))\s+({_AMOUNT}(?:\s+{NOUN})?)\s+(?:and\s+)?(?:up(?:wards?)?|on(?:wards?)?)\b(?!\s+to\b)"
)
# A sign that has the number on its left: "200k ≥ parameters".
_LEFT = re.compile(rf"(?<!cifar)(?<!cifar[ _-])({_AMOUNT})\s*(<=?|>=?|≤|≥)\s*({NOUN})(?!\s*(?:<|>|≤|≥|=|:|\d))")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "≤": "≥", "≥": "≤"}
# "60k, not 80k, parameters": what is corrected does not count.
_CORRECTED = re.compile(
    rf"({_AMOUNT}(?:\s+{NOUN})?)\s*,?\s*(?:and\s+)?not\s+{_AMOUNT}\b(?!\s*(?:or|and|to|less|fewer|more|\w*flops?|macs?|mult\w*|op\w*)\b)\s*,?"
)
_UNKNOWN = re.compile(
    rf"\b((?!(?:more|less|fewer|smaller|larger|greater|lower|higher|bigger|rather|other|params?|parameters?|weights?)\b)[a-z]+\s+than)\s+{NUMBER}"
)


def plain_comparisons(low: str) -> str:
    """The lower-case text with every known comparison in the words that limits are read by.

    Raises:
        RequestError: a number is compared in a way that no row knows.
    """
    low = _LEFT.sub(lambda hit: f"{hit[3]} {_FLIPPED[hit[2]]} {hit[1]}", low)
    low = _CORRECTED.sub(r"\1 ", low)
    low = _UP.sub(r"at least \1", low)
    for pattern, said in _TABLE:
        low = pattern.sub(said, low)
    if hit := _UNKNOWN.search(low):
        raise RequestError(f"'{hit.group()}' is no comparison that is understood; {ONLY}, {EXAMPLE}")
    return low
