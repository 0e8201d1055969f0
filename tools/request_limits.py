"""The numbers in a person's sentence -> limits on the number of parameters, or a refusal.

Every number is judged by the words around it. One that limits the parameters is taken over, one that only says
again what the task is (its classes, its image size, the name of a known network) is passed over, and any other is
refused: a wish that is silently dropped looks fulfilled.
"""

from __future__ import annotations

import re
from decimal import Decimal

from ..memory.types import RequestLimits, Task
from .quantities import UnclearNumber, plain_numbers, value_of
from .request_found import EXAMPLE, ONLY, Found, RequestError, Words, take, take_flops, together, whole
from .request_words import (
    BESIDE,
    BYTES,
    CLASSES,
    COUNTS,
    FILLER,
    FLOPS,
    KNOWN_NETWORK,
    MARK,
    NO_NUMBER,
    NO_PARAMS,
    NOUN,
    ONE,
    OTHER_BUDGET,
    OTHERS,
    PER_PART,
    RANGE,
    SIZE,
    SUFFIX,
    TAIL,
    TAIL_CHARS,
    THEN_NOTHING,
    THEN_NOUN,
    TIME,
    UNREAD,
    VAGUE,
    said_behind,
)

__all__ = ["RequestError", "read_limits"]


def read_limits(text: str, task: Task | None, notes: list[str]) -> RequestLimits:
    """The limits in a request. A number of parameters with no comparison is an upper limit.

    Args:
        text: the request in lower case, :data:`MARK` in place of the data set's name.
        task: what is asked for, if it is known; its classes and image size may be named again.
        notes: gets what was passed over, and why.

    Raises:
        RequestError: a limit on something else, or one that is unclear, contradictory or not positive.
    """
    text = _plain(text, task)
    for aside in BESIDE.finditer(text):
        notes.append(f"'{aside.group().strip()}' was passed over: it says nothing of the network")
    text = BESIDE.sub(" ", text)
    _refuse_by_words(text)
    found, begin = Found(), 0
    try:
        while (hit := ONE.search(text, begin)) is not None:
            begin = _read_range(text, begin, hit, found) or _read_one(text, begin, hit, found, task)
    except UnclearNumber as error:
        raise RequestError(str(error)) from error
    if not (found.least or found.most) and (unread := UNREAD.search(text.replace(MARK, ""))):
        said = unread.group().strip()
        if not re.search(r"\b(?:no|without|any|few|fewest|least)\b", said):
            notes.append(f"no limit on parameters was read from '{said[:80]}'")
    return together(found, notes)


def _plain(text: str, task: Task | None) -> str:
    """One spelling for numbers, and without those that only say again what the images are."""
    text = plain_numbers(text)
    inside = r"\b(?:in|within|inside|from)\s+(?:(?:the|a)\s+)?(?:closed\s+)?(?:(?:interval|range)\s*:?)?\s*"
    text = re.sub(inside + r"[\[(]\s*([\w.]+)\s*[,;]\s*([\w.]+)\s*[\])]", r"between \1 and \2", text)
    # A sign that stands off, as in "under - 5k"; elsewhere a dash between blanks is punctuation.
    text = re.sub(r"((?:under|below|most|least|than|of|over|above|[<>≤≥=])\s*)-\s+(?=\d)", r"\1-", text)
    # Numbers written onto a word that limits, as in "under200k" and "max_200k"; "conv2d" stays a name.
    text = re.sub(r"(?<!\d)_|_(?!\d)", " ", text)
    text = re.sub(r"\b(under|below|over|above|most|least|than|max|min|params?|parameters?)(?=\d)", r"\1 ", text)
    if task is None:
        return SIZE.sub(" ", text)
    images = {tuple(sorted(task.in_shape)), tuple(sorted(task.in_shape[1:]))}
    for size in SIZE.findall(text):
        if tuple(sorted(int(side) for side in re.findall(r"\d+", size))) not in images:
            shape = "x".join(map(str, task.in_shape))
            raise RequestError(f"'{size}' is not the size of {task.dataset}'s images ({shape}); {ONLY}, {EXAMPLE}")
    text = SIZE.sub(" ", text)
    labels = rf"\b0\s*(?:-|to|through|\.\.+)\s*{task.out_shape[0] - 1}\b(?!\s*(?:[km]|param|weight))"
    return re.sub(labels, " ", text)


def _refuse_by_words(text: str) -> None:
    """What is wrong whatever the numbers are."""
    if hit := TIME.search(text):
        raise RequestError(f"'{hit.group()}' is a time or a rate; {ONLY}, {EXAMPLE}")
    if hit := NO_PARAMS.search(text):
        raise RequestError(f"a parameter limit must be positive, the request says '{hit.group()}'")
    if hit := VAGUE.search(text) or NO_NUMBER.search(text):
        raise RequestError(f"'{hit.group().strip()}' is no exact number; {ONLY}, with a number, {EXAMPLE}")
    if hit := PER_PART.search(text):
        raise RequestError(f"a limit '{hit.group()}' is not understood; {ONLY}, for the whole network, {EXAMPLE}")
    if hit := COUNTS.search(text):
        raise RequestError(
            f"it is unclear what '{hit.group().strip().replace('-', ' ')}' limits: how many parts a network has, and "
            f"their sizes, are not looked at; {ONLY}, {EXAMPLE}: leave it out, or name a style such as 'residual'"
        )
    if hit := OTHER_BUDGET.search(text):
        raise RequestError(f"a {hit.group()} is not understood; {ONLY}, {EXAMPLE}")


def _read_range(text: str, begin: int, first: re.Match[str], found: Found) -> int | None:
    """Take over a range of parameters that begins with this number; where it ends, ``None`` if there is none."""
    lead = re.search(r"(?:between|from|range(?:\s+of)?)\s+(?:an?\s+)?$", text[begin : first.start()])
    start = begin + lead.start() if lead else first.start()
    hit = RANGE.match(text, start)
    if hit is None or not (hit["lead"] or hit["sep"]):
        return None
    rest = text[hit.end() :]
    noun = THEN_NOUN.match(rest)
    named = noun or re.search(NOUN, hit.group()) or re.search(rf"{NOUN}[\s:=(]*(?:{FILLER}\s+)*$", text[begin:start])
    low, high = value_of(hit["anum"], hit["aunit"]), value_of(hit["num"], hit["unit"])
    if not named and not (THEN_NOTHING.match(rest) and (hit["unit"] or (hit["lead"] and high >= 1000))):
        return None
    if hit["aunit"] is None and low < 1000:  # "between 20 and 80k"
        low = value_of(hit["anum"], hit["unit"])
    found.least[whole(low, hit.group())] = found.most[whole(high, hit.group())] = hit.group()
    return hit.end() + (noun.end() if noun else 0)


def _read_one(text: str, begin: int, hit: re.Match[str], found: Found, task: Task | None) -> int:
    """Take over, pass over or refuse one number; where the reading goes on."""
    before, after = text[begin : hit.start()][-TAIL_CHARS:], text[hit.end() :]
    suffix = SUFFIX.match(after)
    end = suffix.end() if suffix else 0
    noun = THEN_NOUN.match(after, end)
    if noun:
        suffix = suffix or SUFFIX.match(after, noun.end())
        end = max(m.end() for m in (noun, suffix) if m)
    tail = TAIL.search(before)
    words = Words(
        value=value_of(hit["num"], hit["unit"]),
        unit=hit["unit"],
        said=text[hit.start() : hit.end() + (end if noun or suffix else 0)],
        tail=tail.group() if tail else "",
        rest=after[end:],
        noun=noun is not None,
        suffix=said_behind(suffix),
    )
    if flops := FLOPS.match(words.rest):
        take_flops(words, words.rest[flops.end() :], found)
        return hit.end() + end + flops.end()
    if words.noun or not _passed_over(words, before, task):
        _refuse_what_is_no_limit(words)
        take(words, found)
    return hit.end() + end


def _passed_over(words: Words, before: str, task: Task | None) -> bool:
    """Whether a number says only what is known: how many classes there are, or which known network is meant."""
    if CLASSES.match(words.rest):
        if task is not None and words.value != task.out_shape[0]:
            raise RequestError(
                f"{task.dataset} has {task.out_shape[0]} classes, the request says {words.value:,f}; leave the number "
                "out or name another data set"
            )
        return True
    return not words.tail and bool(KNOWN_NETWORK.search(before))


def _refuse_what_is_no_limit(words: Words) -> None:
    """Refuse a number that counts something else than parameters, or of which that is not certain."""
    if words.noun:
        return
    for pattern, kind in OTHERS:
        if hit := re.match(rf"[\s-]*{pattern}(?![a-z])", words.rest):
            _refuse_other(f"'{words.said}{hit.group()}' is {kind}", words.value, hit)
    limiting = words.relation not in ("none", "about") or re.search(r"budget|limit", words.tail)
    named = re.search(NOUN, words.tail)
    if THEN_NOTHING.match(words.rest) and (named or (limiting and words.speaks_for_itself)):
        return
    counted = "" if THEN_NOTHING.match(words.rest) else " ".join(words.rest.lstrip("- ").split()[:1])
    raise RequestError(
        f"it is unclear what '{f'{words.said} {counted}'.strip()}' limits; {ONLY}, {EXAMPLE}: "
        "write it so if that is meant, or leave the number out"
    )


def _refuse_other(said: str, value: Decimal, hit: re.Match[str]) -> None:
    prefix = hit.groupdict().get("prefix")
    if "bytes" in said and value > 0:
        params = int(value * 10 ** BYTES[(prefix or "")[:1]] / 4)
        raise RequestError(f"{said}; {ONLY}: at 4 bytes each, 'under {params:,} parameters' says the same")
    raise RequestError(f"{said}; {ONLY}, {EXAMPLE}")
