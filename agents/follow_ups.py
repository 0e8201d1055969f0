"""Follow-ups read without a language model: what a message says about networks that were shown before.

Only what is found in the closed vocabulary of ``words/follow_ups.yaml`` and by the reading of requests is taken over.
"""

from __future__ import annotations

import re
from typing import get_args

from ..memory.types import RequestLimits
from ..tools.understanding import Understood, understand
from .follow_words import Words, concept, plain
from .plans import Aim, Reading, Talk
from .referring import is_like, named_networks

MOST_CHARS = 500
"""Characters of a follow-up; what is longer is a request of its own."""
_TIMES = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s*(?:x|times|×|-?fold|mal|fois|veces)(?: (?:as|so))?\s*$")
_PERCENT = re.compile(r"(\d{1,2})\s*(?:%|percent|per cent|prozent|pour ?cent|por ciento)")
_SIZES = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1, "twice": 2.0, "triple": 3.0}
_SHOW = re.compile(
    r"^\W*(?:please )?(?:show|see|view|print|open)(?: me)?(?: the)? (?:(?:#|no\.?|number|candidate|network) ?)?"
    r"(?:\d{1,4}|first|second|third|fourth|fifth|last)(?: one)?(?: please)?\W*$"
)
_AIMS: tuple[Aim, ...] = tuple(aim for aim in get_args(Aim) if aim != "again")
_NEW_NETWORK = re.compile(
    r"(?<![\w-])(?:classifiers?|networks?|nets?|models?|netz|netzwerk|reseau|red|rede|rete)(?![\w-])"
)


def yes_or_no(text: str) -> bool | None:
    """What an answer to an approval decides; ``None``: neither."""
    said = plain(text).strip(" .!¡¿?\t\n")
    for name, decision in (("no", False), ("yes", True)):
        hit = concept(name).match(said)
        if hit is None:
            continue
        # "yes, but smaller" says something else as well, and is no clear answer.
        rest = concept("yes").sub(" ", concept("no").sub(" ", said[hit.end() :]))
        return None if Words(rest).left else decision
    return None


def is_go_on(text: str) -> bool:
    """Whether a message asks to go on with what was stopped, and nothing else."""
    return concept("go_on").fullmatch(plain(text).strip(" .!\t\n")) is not None


def read_follow_up(text: str, talk: Talk) -> Reading:
    """What a message says, where something was designed before.

    Returns:
        ``new`` where it is a request of its own, ``unclear`` where nothing in it is understood.
    """
    if talk.plan is None or len(text) > MOST_CHARS:
        return Reading(kind="new")
    words = Words(text)
    kinds = [kind for kind in ("help", "list", "best", "compare", "why", "explain", "code") if words.takes(kind)]
    if not kinds and _SHOW.search(words.low):
        kinds.append("code")
    back, trains, longer = words.takes("back"), words.takes("train"), words.takes("longer")
    without = _without(words)
    aims, factor = _aims(words)
    like = is_like(words)
    refers, ordinal = named_networks(words, talk, asked=bool(kinds), bare=trains or like or back)
    changes = words.takes("change")
    if words.takes("again"):
        aims.append("again")
    requests = words.takes("request") if back else False
    found = understand(f"please, {words.said}")
    named = found.request.task.dataset if found.request else None
    if named is None and found.refusal is None:
        found = understand(f"{talk.plan.dataset}: {words.said}")
    varies = bool(aims or factor or without or changes or (like and refers))
    wishes = found.wishes
    common = {
        "refers": refers,
        "aims": tuple(dict.fromkeys(aims)),
        "factor": factor,
        "dataset": named,
        "limits": found.limits,
        "style": found.style,
        "without": without,
        "like": like,
        "longer": longer,
        "train": trains or wishes.train,
        "epochs": wishes.epochs,
        "candidates": wishes.candidates,
        "seed": wishes.seed,
        "notes": found.notes,
        "language": found.language,
    }
    kind = _kind(kinds, text, words, found, named, varies=varies, trains=trains or longer, back=back)
    if kind == "back":
        common |= {"request": ordinal if requests or not refers else None}
    if kind in ("vary", "unclear") and found.refusal is not None:
        return Reading(kind="vary", refusal=found.refusal, language=found.language)
    return Reading.model_validate({"kind": kind, **common})


def _kind(
    kinds: list[str],
    text: str,
    words: Words,
    found: Understood,
    named: str | None,
    *,
    varies: bool,
    trains: bool,
    back: bool,
) -> str:
    """What kind of message it is, from what was found in it."""
    if kinds and named is None:
        return kinds[0]
    if named is not None and not varies:
        # A data set alone ("and for SVHN?") changes it; in a sentence about a network it begins a new request.
        return "new" if _NEW_NETWORK.search(plain(text)) or _says_more(words, named) else "vary"
    asks = (
        found.style != "any"
        or found.limits != RequestLimits()
        or found.wishes.candidates is not None
        or found.wishes.seed is not None
    )
    if varies or named is not None or (asks and not back):
        return "vary"
    if back:
        return "back"
    return "train" if trains or found.wishes.epochs is not None else "unclear"


def _says_more(words: Words, named: str) -> bool:
    """Whether a message says more than the name of a data set."""
    return any(
        word not in named and named.replace("-", "") not in word.replace("-", "") and not word.isdigit()
        for word in words.left
        if word not in ("data", "set", "dataset", "cifar", "digits", "handwritten", "images")
    )


def _aims(words: Words) -> tuple[list[Aim], float | None]:
    """In what a variant is to differ, and by which factor of size."""
    factor: float | None = None
    for name, value in _SIZES.items():
        if words.takes(name):
            factor = value
    aims: list[Aim] = []
    for aim in _AIMS:
        while (hit := concept(aim).search(words.low)) is not None and hit.end() > hit.start():
            aims.append(aim)
            if aim in ("smaller", "larger"):
                factor = _factor(words, hit.start(), hit.end(), aim) or factor
            words.cut(*hit.span())
    if factor is not None and not aims:
        aims.append("smaller" if factor < 1 else "larger")
    return aims, factor


def _factor(words: Words, start: int, end: int, aim: Aim) -> float | None:
    """What the words before "smaller" or "larger" say of how much."""
    before = words.low[:start]
    if hit := _TIMES.search(before):
        words.cut(*hit.span())
        times = max(1.0, float(hit[1]))
        return times if aim == "larger" else 1 / times
    if hit := _PERCENT.search(words.low):
        words.cut(*hit.span())
        share = int(hit[1]) / 100
        return 1 + share if aim == "larger" else max(0.01, 1 - share)
    tail = before.rstrip()
    for name, smaller, larger in (("much", 0.25, 4.0), ("slightly", 0.8, 1.25)):
        hits = [m for m in concept(name).finditer(tail) if m.end() == len(tail)]
        if hits:
            words.cut(*hits[-1].span())
            return smaller if aim == "smaller" else larger
    return None


def _without(words: Words) -> str | None:
    """A style that is not wanted."""
    for hit in concept("without").finditer(words.low):
        segment = re.match(r"(?:\s+[\w-]+){1,3}", words.low[hit.end() :])
        if segment is None:
            continue
        style = understand(f"digits: a network with {segment.group().strip()}").style
        if style != "any":
            words.cut(hit.start(), hit.end() + segment.end())
            return style
    return None
