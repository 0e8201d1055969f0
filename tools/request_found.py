"""Limits as they are found in a request: one number with its words, the sum of all, and what contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ..memory.types import RequestLimits
from .request_words import RELATION, SUFFIX, Relation, said_behind

MOST_PARAMS = 10**12
"""More than any network that can be built here; keeps slips like 1e30 out."""

MOST_LEAST = 500_000_000
"""A lower limit above this is impossible: parameters alone, in float32, fill the memory that a validation has."""
ONLY = "only limits on parameters, size in bytes and FLOPs are understood"
EXAMPLE = "e.g. 'under 200k parameters'"


class RequestError(ValueError):
    """The request cannot be met or not be understood; the message says why and what would work."""


@dataclass
class Found:
    """Limits seen so far, each with the words that gave it."""

    least: dict[int, str] = field(default_factory=dict)
    most: dict[int, str] = field(default_factory=dict)
    flops: dict[int, str] = field(default_factory=dict)
    exact: set[int] = field(default_factory=set)
    bare: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Words:
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
        behind = [self.suffix] if self.suffix and self.suffix not in kinds else []
        kinds = kinds or behind
        firm = [kind for kind in kinds if kind != "about"] or kinds or ["none"]
        return firm[-1]  # type: ignore[return-value]

    @property
    def speaks_for_itself(self) -> bool:
        """Whether a compared number without a noun counts parameters; one below 1 gets a refusal of its own."""
        return self.unit is not None or self.value >= 1000 or self.value <= 0


def take(words: Words, found: Found) -> None:
    """Take over a number of parameters as the limit that its words say it is."""
    value = whole(words.value, words.said)
    relation = words.relation
    if relation == "about":
        low, high = round(value * 0.8), round(value * 1.2)
        raise RequestError(
            f"'{words.tail}{words.said}' is no exact limit; write 'between {low:,} and {high:,} parameters', "
            f"'at most {value:,} parameters' or 'at least {value:,} parameters'"
        )
    if words.suffix not in (None, "about", relation):
        raise RequestError(f"'{words.tail}{words.said}' contradicts itself; {ONLY}, {EXAMPLE} or 'over 10k parameters'")
    if relation == "exact":
        found.exact.add(value)
    if relation == "none":
        found.bare.add(value)
    if relation in ("least", "exact"):
        found.least[value] = words.said
    if relation in ("most", "exact", "none"):
        found.most[value] = words.said


def take_flops(words: Words, rest: str, found: Found) -> None:
    """Take over a number of FLOPs; ``rest`` is what follows its noun."""
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


def together(found: Found, notes: list[str]) -> RequestLimits:
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


def whole(value: Decimal, said: str) -> int:
    """A number of parameters.

    Raises:
        RequestError: it is not positive, no whole number, or out of range.
    """
    if value <= 0:
        raise RequestError(f"a parameter limit must be positive, the request says {value:,f}")
    if value > MOST_PARAMS:
        raise RequestError(f"'{said}' is out of range; write a number of parameters up to {MOST_PARAMS:,}")
    if value != int(value):
        raise RequestError(f"'{said}' is no whole number of parameters; write one, {EXAMPLE}")
    return int(value)
