"""A person's sentence -> a typed :class:`~netwright.memory.types.Request`, without a language model.

Only what can be understood with certainty is taken over; everything that contradicts itself or names
something unknown is refused with the reason, because a wrong task costs hours later.
"""

from __future__ import annotations

import re

from ..memory.types import Request, RequestLimits
from .generators.headers import STYLES
from .tasks import known_datasets, task

# Longest names first, so that "cifar-100" is not read as "cifar-10" followed by "0".
_ALIASES: tuple[tuple[str, str], ...] = (
    (r"fashion[\s_-]*mnist", "fashion-mnist"),
    (r"cifar[\s_-]*100", "cifar100"),
    (r"cifar[\s_-]*10(?!\d)", "cifar10"),
    (r"svhn|street[\s_-]*view(?:[\s_-]*house)?[\s_-]*numbers", "svhn"),
    (r"mnist", "mnist"),
    (r"(?:hand[\s-]*written[\s_-]*|sklearn[\s_-]*|scikit-learn[\s_-]*)?digits?", "digits"),
)
_NUMBER = r"(?P<num>[-−]?\s*\d[\d,_]*(?:\.\d+)?(?:e\d+)?)\s*(?P<unit>k|m|b|thousand|million|billion)?\b"
_UNITS = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9}
_AT_MOST = (
    r"(?:under|below|less\s+than|fewer\s+than|at\s+most|no\s+more\s+than|up\s+to|max(?:imum)?(?:\s+of)?|within|<=?|≤)"
)
_AT_LEAST = r"(?:over|above|more\s+than|at\s+least|no\s+less\s+than|no\s+fewer\s+than|min(?:imum)?(?:\s+of)?|>=?|≥)"
_PARAMS = r"\s*(?:of\s+)?(?:trainable\s+)?(?:param(?:eter)?s?|weights)\b"
_BUDGET = r"(?:param(?:eter)?s?|weight)?\s*(?:budget|limit)\s*(?:of|is|:|=)?\s*"
_STYLE_WORDS = {
    "residual": r"resid|resnet|skip",
    "depthwise": r"depth[\s-]*wise|mobile[\s-]*net|separable",
    "inception": r"inception|branch|multi[\s-]*path",
    "dense": r"densenet|dense(?:ly)?[\s-]*connected|dense blocks?",
    "se": r"squeeze|channel attention|\bse[\s-](?:block|net)",
    "mixer": r"mixer",
    "attention": r"(?<!channel )attention|transformer|\bvit\b",
    "plain": r"\bplain\b|vgg",
    "mlp": r"\bmlp\b|perceptron|fully[\s-]*connected",
}


class RequestError(ValueError):
    """The request cannot be met or not be understood; the message says why and what would work."""


def parse_request(text: str) -> Request:
    """The typed form of a design request.

    Args:
        text: free text, e.g. ``"a CIFAR-10 classifier under 200k parameters"``.

    Raises:
        RequestError: no or unknown data set, contradictory, negative or impossible parameter limits.
    """
    low = text.strip().lower()
    if not low:
        raise RequestError(
            "the request is empty: say what to design, e.g. 'a CIFAR-10 classifier under 200k parameters'"
        )
    wanted = task(_dataset(low))
    limits = _limits(low)
    # A network must at least map one pooled value per channel to each class.
    least = wanted.out_shape[0] * 2
    if limits.max_params is not None and limits.max_params < least:
        raise RequestError(
            f"at most {limits.max_params:,} parameters cannot work for {wanted.dataset}: "
            f"its {wanted.out_shape[0]} classes alone need at least {least:,} (one weight and one bias each)"
        )
    return Request(task=wanted, limits=limits, text=text.strip())


def wished_style(text: str) -> str:
    """The architecture style that the text names, or ``any``. Only styles that the generator knows."""
    low = text.lower()
    for style, pattern in _STYLE_WORDS.items():
        if style in STYLES and re.search(pattern, low):
            return style
    return "any"


def _dataset(low: str) -> str:
    found: list[str] = []
    rest = low
    for pattern, name in _ALIASES:
        rest, hits = re.subn(rf"(?<![a-z0-9]){'(?:' + pattern + ')'}(?![a-z0-9])", " ", rest)
        if hits:
            found.append(name)
    known = ", ".join(known_datasets())
    if len(found) > 1:
        raise RequestError(f"the request names {len(found)} data sets ({', '.join(found)}); name one of: {known}")
    if found:
        return found[0]
    named = re.search(
        r"\b(?:an?|the)\s+([a-z0-9_-]+)\s+(?:image\s+)?(?:classifier|classification|network|net|model)\b", low
    )
    on = re.search(r"\b(?:on|for)\s+(?:the\s+)?([a-z0-9_-]+)", low)
    guess = next((m.group(1) for m in (named, on) if m), None)
    if guess:
        raise RequestError(f"unknown data set '{guess}'; known data sets: {known}")
    raise RequestError(f"the request names no data set; name one of: {known}")


def _limits(low: str) -> RequestLimits:
    most = _amount(rf"{_AT_MOST}\s*(?:an?\s+)?{_NUMBER}{_PARAMS}", low) or _amount(
        rf"{_BUDGET}(?:{_AT_MOST}\s*)?{_NUMBER}", low
    )
    least = _amount(rf"{_AT_LEAST}\s*(?:an?\s+)?{_NUMBER}{_PARAMS}", low)
    between = re.search(
        rf"between\s+{_NUMBER.replace('num', 'a').replace('unit', 'ua')}\s+and\s+{_NUMBER}{_PARAMS}", low
    )
    if between:
        unit = between["ua"] or between["unit"]
        least, most = _number(between["a"], unit), _number(between["num"], between["unit"])
    if most is None and least is None:
        bare = _amount(rf"{_NUMBER}{_PARAMS}", low)
        most = bare if bare is not None else None
    for value in (most, least):
        if value is not None and value <= 0:
            raise RequestError(f"a parameter limit must be positive, the request says {value:,}")
    if most is not None and least is not None and least > most:
        raise RequestError(f"the limits contradict each other: at least {least:,} and at most {most:,} parameters")
    return RequestLimits(min_params=least, max_params=most)


def _amount(pattern: str, low: str) -> int | None:
    hit = re.search(pattern, low)
    return _number(hit["num"], hit["unit"]) if hit else None


def _number(digits: str, unit: str | None) -> int:
    clean = digits.replace(",", "").replace("_", "").replace("−", "-").replace(" ", "")
    return int(float(clean) * _UNITS.get(unit or "", 1.0))
