"""The numbers in a person's sentence -> limits on the number of parameters, or a refusal.

Every number is judged by the words around it. One that limits the parameters is taken over, one that only says
again what the task is (its classes, its image size, the name of a known network) is passed over, and any other is
refused: a wish that is silently dropped looks fulfilled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from ..memory.types import RequestLimits, Task
from .quantities import UnclearNumber, plain_numbers, value_of
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
    RELATION,
    SIZE,
    SUFFIX,
    TAIL,
    TAIL_CHARS,
    THEN_NOTHING,
    THEN_NOUN,
    TIME,
    UNREAD,
    VAGUE,
    Relation,
    said_behind,
)

MOST_PARAMS = 10**12
"""More than any network that can be built here; keeps slips like 1e30 out."""

MOST_LEAST = 500_000_000
"""A lower limit above this is impossible: parameters alone, in float32, fill the memory that a validation has."""
_ONLY = "only limits on the number of parameters are understood"
_EXAMPLE = "e.g. 'under 200k parameters'"


class RequestError(ValueError):
    """The request cannot be met or not be understood; the message says why and what would work."""


@dataclass
class _Found:
    """Limits seen so far, each with the words that gave it."""

    least: dict[int, str] = field(default_factory=dict)
    most: dict[int, str] = field(default_factory=dict)
    flops: dict[int, str] = field(default_factory=dict)
    exact: set[int] = field(default_factory=set)
    bare: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Words:
    """A number, and the words around it that speak of it."""

    value: Decimal
    unit: str | None
    said: str
    tail: str
    rest: str
    noun: bool
    suffix: str | None

    @property
    def relation(self) -> Relation:
        """What the words before the number say of it, the last one if there are more; else those behind it."""
        kinds = [str(m.lastgroup).rstrip("0123456789") for m in RELATION.finditer(self.tail)]
        firm = [kind for kind in kinds if kind != "about"] or kinds or [self.suffix or "none"]
        return firm[-1]  # type: ignore[return-value]

    @property
    def speaks_for_itself(self) -> bool:
        """Whether a compared number without a noun counts parameters; one below 1 gets a refusal of its own."""
        return self.unit is not None or self.value >= 1000 or self.value <= 0


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
    found, begin = _Found(), 0
    try:
        while (hit := ONE.search(text, begin)) is not None:
            begin = _read_range(text, begin, hit, found) or _read_one(text, begin, hit, found, task)
    except UnclearNumber as error:
        raise RequestError(str(error)) from error
    if not (found.least or found.most) and (unread := UNREAD.search(text.replace(MARK, ""))):
        said = unread.group().strip()
        if not re.search(r"\b(?:no|without|any|few|fewest|least)\b", said):
            notes.append(f"no limit on parameters was read from '{said[:80]}'")
    return _together(found, notes)


def _plain(text: str, task: Task | None) -> str:
    """One spelling for numbers, and without those that only say again what the images are."""
    text = plain_numbers(text)
    text = re.sub(r"\bin\s*[\[(]\s*([\w.]+)\s*[,;]\s*([\w.]+)\s*[\])]", r"between \1 and \2", text)
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
            raise RequestError(f"'{size}' is not the size of {task.dataset}'s images ({shape}); {_ONLY}, {_EXAMPLE}")
    text = SIZE.sub(" ", text)
    labels = rf"\b0\s*(?:-|to|through|\.\.+)\s*{task.out_shape[0] - 1}\b(?!\s*(?:[km]|param|weight))"
    return re.sub(labels, " ", text)


def _refuse_by_words(text: str) -> None:
    """What is wrong whatever the numbers are."""
    if hit := TIME.search(text):
        raise RequestError(f"'{hit.group()}' is a time or a rate; {_ONLY}, {_EXAMPLE}")
    if hit := NO_PARAMS.search(text):
        raise RequestError(f"a parameter limit must be positive, the request says '{hit.group()}'")
    if hit := VAGUE.search(text) or NO_NUMBER.search(text):
        raise RequestError(f"'{hit.group().strip()}' is no exact number; {_ONLY}, with a number, {_EXAMPLE}")
    if hit := PER_PART.search(text):
        raise RequestError(f"a limit '{hit.group()}' is not understood; {_ONLY}, for the whole network, {_EXAMPLE}")
    if hit := COUNTS.search(text):
        raise RequestError(
            f"it is unclear what '{hit.group().strip().replace('-', ' ')}' limits: how many parts a network has, and "
            f"their sizes, are not looked at; {_ONLY}, {_EXAMPLE}: leave it out, or name a style such as 'residual'"
        )
    if hit := OTHER_BUDGET.search(text):
        raise RequestError(f"a {hit.group()} is not understood; {_ONLY}, {_EXAMPLE}")


def _read_range(text: str, begin: int, first: re.Match[str], found: _Found) -> int | None:
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
    found.least[_whole(low, hit.group())] = found.most[_whole(high, hit.group())] = hit.group()
    return hit.end() + (noun.end() if noun else 0)


def _read_one(text: str, begin: int, hit: re.Match[str], found: _Found, task: Task | None) -> int:
    """Take over, pass over or refuse one number; where the reading goes on."""
    before, after = text[begin : hit.start()][-TAIL_CHARS:], text[hit.end() :]
    suffix = SUFFIX.match(after)
    end = suffix.end() if suffix else 0
    noun = THEN_NOUN.match(after, end)
    if noun:
        suffix = suffix or SUFFIX.match(after, noun.end())
        end = max(m.end() for m in (noun, suffix) if m)
    tail = TAIL.search(before)
    words = _Words(
        value=value_of(hit["num"], hit["unit"]),
        unit=hit["unit"],
        said=text[hit.start() : hit.end() + (end if noun or suffix else 0)],
        tail=tail.group() if tail else "",
        rest=after[end:],
        noun=noun is not None,
        suffix=said_behind(suffix),
    )
    if flops := FLOPS.match(words.rest):
        _take_flops(words, words.rest[flops.end() :], found)
        return hit.end() + end + flops.end()
    if words.noun or not _passed_over(words, before, task):
        _refuse_what_is_no_limit(words)
        _take(words, found)
    return hit.end() + end


def _passed_over(words: _Words, before: str, task: Task | None) -> bool:
    """Whether a number says only what is known: how many classes there are, or which known network is meant."""
    if CLASSES.match(words.rest):
        if task is not None and words.value != task.out_shape[0]:
            raise RequestError(
                f"{task.dataset} has {task.out_shape[0]} classes, the request says {words.value:,f}; leave the number "
                "out or name another data set"
            )
        return True
    return not words.tail and bool(KNOWN_NETWORK.search(before))


def _refuse_what_is_no_limit(words: _Words) -> None:
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
        f"it is unclear what '{f'{words.said} {counted}'.strip()}' limits; {_ONLY}, {_EXAMPLE}: "
        "write it so if that is meant, or leave the number out"
    )


def _refuse_other(said: str, value: Decimal, hit: re.Match[str]) -> None:
    prefix = hit.groupdict().get("prefix")
    if "bytes" in said and value > 0:
        params = int(value * 10 ** BYTES[(prefix or "")[:1]] / 4)
        raise RequestError(f"{said}; {_ONLY}: at 4 bytes each, 'under {params:,} parameters' says the same")
    raise RequestError(f"{said}; {_ONLY}, {_EXAMPLE}")


def _take(words: _Words, found: _Found) -> None:
    value = _whole(words.value, words.said)
    relation = words.relation
    if relation == "about":
        low, high = round(value * 0.8), round(value * 1.2)
        raise RequestError(
            f"'{words.tail}{words.said}' is no exact limit; write 'between {low:,} and {high:,} parameters', "
            f"'at most {value:,} parameters' or 'at least {value:,} parameters'"
        )
    if words.suffix and words.suffix != relation:
        raise RequestError(
            f"'{words.tail}{words.said}' contradicts itself; {_ONLY}, {_EXAMPLE} or 'over 10k parameters'"
        )
    if relation == "exact":
        found.exact.add(value)
    if relation == "none":
        found.bare.add(value)
    if relation in ("least", "exact"):
        found.least[value] = words.said
    if relation in ("most", "exact", "none"):
        found.most[value] = words.said


def _take_flops(words: _Words, rest: str, found: _Found) -> None:
    behind = SUFFIX.match(rest)
    relation = words.relation if words.relation != "none" else (said_behind(behind) or "most")
    if words.value < 1:
        raise RequestError(f"a limit on FLOPs must be positive, the request says {words.value:,f}")
    if relation != "most":
        raise RequestError(
            f"'{words.tail}{words.said} flops' is not understood: only upper limits on FLOPs are, "
            "e.g. 'at most 5 million FLOPs'"
        )
    if words.value > 10**18:
        raise RequestError(f"'{words.said}' is out of range; write a number of FLOPs up to {10**18:,}")
    found.flops[int(words.value)] = words.said


def _together(found: _Found, notes: list[str]) -> RequestLimits:
    """The tightest of what was found: limits that hold together are no contradiction."""
    for name, limits, tightest in (("lower", found.least, max), ("upper", found.most, min)):
        if len(limits) > 1:
            said = ", ".join(f"{value:,}" for value in sorted(limits))
            notes.append(f"of several {name} limits ({said}) the tightest counts: {tightest(limits):,} parameters")
    least, most = max(found.least, default=None), min(found.most, default=None)
    if found.exact and found.bare - found.exact:
        said = " and ".join(f"{value:,}" for value in sorted(found.exact | found.bare))
        raise RequestError(f"the limits contradict each other: {said} parameters, and one of them exactly")
    if most is not None and least is not None and least > most:
        raise RequestError(f"the limits contradict each other: at least {least:,} and at most {most:,} parameters")
    if least is not None and least > MOST_LEAST:
        raise RequestError(
            f"at least {least:,} parameters cannot be judged: a network of more than {MOST_LEAST:,} does not fit into "
            "the sandbox"
        )
    return RequestLimits(min_params=least, max_params=most, max_flops=min(found.flops, default=None))


def _whole(value: Decimal, said: str) -> int:
    """A number of parameters.

    Raises:
        RequestError: it is not positive, no whole number, or out of range.
    """
    if value <= 0:
        raise RequestError(f"a parameter limit must be positive, the request says {value:,f}")
    if value > MOST_PARAMS:
        raise RequestError(f"'{said}' is out of range; write a number of parameters up to {MOST_PARAMS:,}")
    if value != int(value):
        raise RequestError(f"'{said}' is no whole number of parameters; write one, {_EXAMPLE}")
    return int(value)
