"""What a request says beside the network: to train it, for how long, how many of them, and the seed."""

from __future__ import annotations

import re

from .request_limits import RequestError
from .understood import Wishes

MOST_CANDIDATES = 256
"""As many as ``netwright design --candidates`` takes."""
MOST_EPOCHS = 10_000

PIECES = "pieces"
"""What the tables put for the words that Chinese and Japanese count things with."""
_SMALL = {
    word: value
    for value, word in enumerate(
        (
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        )
    )
} | {
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
    "single": 1,
    "a": 1,
    "an": 1,
    "couple of": 2,
}
_COUNT = (
    r"(?:(?<![\w.,-])|(?<=\bx)|(?<=×))(?P<n>\d{1,12}(?=x?\b)|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|fifty)"
)
_EPOCHS = (
    re.compile(r"\b(?:number\s+of\s+)?epochs?\s*(?:=|:|\bof\b|\bis\b)\s*(?P<n>\d{1,6})(?!\w|\.\d)"),
    re.compile(
        rf"(?:\b(?:and|,)\s+)?(?:\b(?:train(?:ed|ing)?|fit)\s+(?:(?:it|them|that|the\s+\w+)\s+)?)?"
        rf"(?:(?:for|during|over|in|of|with|after|on)\s+)?(?:(?:at\s+most|exactly|just|only|about|the)\s+)?"
        rf"{_COUNT}[\s-]*(?:full\s+|training\s+|pieces\s+)?ep(?:ochs?)?\b(?:\s+of\s+training)?"
    ),
    re.compile(r"\b(?:one|a\s+single|single)\s+epoch\b(?P<n>)"),
)
_THING = (
    r"(?:variants?|variations?|candidates?|alternatives?|proposals?|suggestions?|versions?|options?|designs?|ideas?"
    r"|(?:neural\s+)?(?:networks?|nets?|models?|classifiers?|architectures?|cnns?|convnets?))"
)
_PLURAL = (
    r"(?:variants|variations|candidates|alternatives|proposals|suggestions|versions|options|designs|ideas"
    r"|networks|nets|models|classifiers|architectures|cnns|convnets)"
)
_CANDIDATES = (
    re.compile(rf"{_COUNT}\s+{PIECES}\s+(?:(?!layer|param|weight|class|convol)[a-z][a-z0-9-]*\s+){{0,3}}?{_THING}\b"),
    re.compile(rf"\bbest\s+of\s+{_COUNT}\b(?!\s*[%kmb]\b)(?:\s+{_PLURAL})?"),
    re.compile(
        rf"{_COUNT}\s+(?:(?!layer|block|class|param|weight|epoch|channel|conv\b|hidden|bit|byte|flop|ms\b|fps"
        rf"|second|percent|thousand"
        rf"|million|billion|k\b|m\b|[kmg]i?b\b|(?:or|and|to|in|on|at|for|with|of|x|max|min|limit"
        rf"|trainable)\b)[a-z][a-z0-9-]*\s+){{0,4}}?{_PLURAL}\b"
    ),
    re.compile(r"\bcandidates?\s*(?:=|:)\s*(?P<n>\d{1,6})(?!\w|\.\d)"),
    re.compile(r"\ba\s+couple\s+of\s+(?:\w+\s+){0,2}?" + _PLURAL + r"\b(?P<n>)"),
    re.compile(r"\b(?P<n>1|one|a\s+single|single)\s+(?:candidate|variant|version|design)\b"),
)
_SEED = re.compile(
    r"(?:\b(?:with|using|use|and)\s+)?(?:\b(?:a|the)\s+)?(?:\brandom\s+)?\bseed(?:ed)?\s*(?:=|:|\b(?:of|is"
    r"|to|with|number)\b)?\s*"
    r"(?P<n>-?\d{1,12})(?!\w|[.,]\d)"
)
_NO_TRAIN = re.compile(
    r"\b(?:without|no|skip(?:ping)?|before)\s+(?:any\s+|the\s+)?train(?:ing)?(?:\s+it)?\b(?!\s+(?:data|set))"
    r"|\b(?:do\s+not|don't|dont|never|not|needn't|need\s+not)\s+(?:to\s+|be\s+"
    r"|have\s+to\s+be\s+)?train(?:ed)?(?:\s+(?:it|them))?\b|\buntrained\b"
    r"|\btraining\s*[:=]\s*(?:none|no|off|false)\b"
)
_PRO = (
    r"(?:it|them|that|these|those|this|all|the\s+(?:best|network|net|model|classifier|result|winner"
    r"|candidates?|variants?|\w+\s+one)s?)"
)
_TRAIN = re.compile(
    rf"\b(?:re)?train\s+{_PRO}(?:\s+(?:afterwards|too|as\s+well|then|please|briefly|quickly))?(?![\w-])"
    r"|\b(?:and|then|also|please|to|,)\s+train(?=\s*(?:[.,;!?)]|$|and\b|for\b|on\b|with\b|a\b|an\b|briefly"
    r"|please|afterwards))"
    r"|(?:^|[.;!?,]\s*)(?:please\s+)?train(?=\s+(?:mnist|cifar|svhn|fashion|digits|celeb|places|imagen)"
    r"|\s*(?:[.,;!?)]|$|an?\b|and\b|me\b|for\b|my\b|\d|on\b|small\b"
    r"|one\b|two\b|three\b))"
    r"|\b(?<!pre)(?<!pre-)trained\b(?!\s+(?:quickly|fast|in|within|with\s+less|easily))"
    r"|\b(?:with|include|including|do|start|run)\s+(?:the\s+|a\s+|some\s+)?training\b(?!\s+(?:data|set"
    r"|images|samples|time))"
)
_TOLD = re.compile(
    r"\b(?:show|tell|give|report|print|plot|display|see|know|let|measure|evaluate|compare|want|get|include)"
    r"\b(?:\s+(?!and\b|then\b|under|below|at\b)[\w']+){0,6}?\s+"
    r"(?:accuracy|accuracies|learning\s+curves?|training\s+curves?|loss\s+curves?|scores?|how\s+(?:well"
    r"|good|accurate))(?!\w)"
    r"|\b(?:what|which)\s+(?:\w+\s+){0,4}?(?:accuracy|score)\b(?!\s+limit)"
    r"|\bhow\s+(?:\S+\s+)?(?:well|good|accurate)(?:ly)?\b"
    r"|\b(?:with|and)\s+(?:its|their|the)\s+(?:\w+\s+)?(?:accuracy|learning\s+curve|curve)\b(?!\s*(?:of"
    r"|above|over|at|under|below|>|≥|=|\d))"
    r"|(?:^|[.,;!?]\s*)(?:the\s+)?(?:accuracy|learning\s+curve)\s+(?:please|too)\b"
    r"|\b(?:accuracy|learning\s+curve)\s+(?:show\s+me|tell\s+me|show)\b"
)


def read_wishes(low: str) -> tuple[str, Wishes]:
    """The wishes in a lower-case English text, and the text without them.

    Raises:
        RequestError: a number that is too large, not positive, or said twice in different ways.
    """
    seed, low = _number("seed", low, (_SEED,), 0, 2**31 - 1)
    epochs, low = _number("epochs", low, _EPOCHS, 1, MOST_EPOCHS)
    candidates, low = _number("candidates", low, _CANDIDATES, 1, MOST_CANDIDATES)
    low = re.sub(rf"\b{PIECES}\b", " ", low)
    against = _NO_TRAIN.search(low) is not None
    low = _NO_TRAIN.sub(" ", low)
    train = epochs is not None or _TRAIN.search(low) is not None or _TOLD.search(low) is not None
    if against and train:
        raise RequestError(
            "the request contradicts itself: it asks for training and for none; say 'train it' or 'without training'"
        )
    low = _TOLD.sub(" ", _TRAIN.sub(" ", low))
    return low, Wishes(train=train, epochs=epochs, candidates=candidates, seed=seed)


def _number(
    name: str, low: str, patterns: tuple[re.Pattern[str], ...], least: int, most: int
) -> tuple[int | None, str]:
    """The number that one of the patterns finds, within its bounds, and the text without it."""
    found: set[int] = set()
    for pattern in patterns:
        for hit in pattern.finditer(low):
            said = " ".join((hit["n"] or ("couple of" if "couple" in hit.group() else "one")).split())
            found.add(_SMALL["single"] if said == "a single" else _SMALL[said] if said in _SMALL else int(said))
        low = pattern.sub(lambda hit: f" {_kept(hit)} ", low)
    if len(found) > 1:
        raise RequestError(f"the request names more than one number of {name} ({sorted(found)}); name one")
    if not found:
        return None, low
    value = found.pop()
    if not least <= value <= most:
        raise RequestError(f"{value:,} {name} cannot be asked for; name a number from {least:,} to {most:,}")
    return value, low


def _kept(hit: re.Match[str]) -> str:
    """What of a counted thing tells more than the number: "three residual networks" are residual."""
    rest = re.sub(r"^\S+", "", hit.group()) if "epoch" not in hit.group() and "seed" not in hit.group() else ""
    return rest if re.search(r"[a-z]{4}", rest) else ""
