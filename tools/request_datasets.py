"""A lower-case English request -> data set and limits, as a typed :class:`~netwright.memory.types.Request`.

Only what can be understood with certainty is taken over; everything that contradicts itself, names something
unknown or limits something that is not looked at is refused with the reason, because a wrong task costs hours later.
"""

from __future__ import annotations

import re

from ..memory.types import Request, RequestLimits
from .request_limits import RequestError, read_limits
from .request_styles import without_styles
from .request_words import MARK
from .tasks import known_datasets, task

# Longest names first, so that "cifar-100" is not read as "cifar-10" followed by "0".
_ALIASES: tuple[tuple[str, str], ...] = (
    (
        r"f(?:ashion)?[\s_-]*mnist|mnist[\s_-]*fashion"
        r"|(?:zalando(?:'?s)?[\s_-]*)(?:f(?:ashion)?[\s_-]*)?(?:mnist|fashion)"
        r"|fashion[\s_-]*(?:version|variant)\s+of\s+mnist",
        "fashion-mnist",
    ),
    (r"cifar[\s_-]*(?:100|(?:one[\s-]+|a[\s-]+)?hundred)", "cifar100"),
    (r"cifar[\s_-]*(?:10|ten)", "cifar10"),
    (r"svhn|(?:google[\s_-]*)?street[\s_-]*view(?:[\s_-]*house)?[\s_-]*numbers?|house[\s_-]*numbers?", "svhn"),
    (r"mnist", "mnist"),
    (r"imagenette", "imagenette"),
    (r"celeb[\s_-]*a(?:[\s_-]*genders?)?", "celeba-gender"),
    (r"places[\s_-]*365", "places365"),
    (r"(?:sklearn|scikit[\s_-]*learn)(?:'?s)?[\s_-]*(?:hand[\s_-]*written[\s_-]*)?digits?|load_digits", "digits"),
)
# Digits are what several data sets show, so the bare word names a data set only if no other is named.
_DIGITS = r"(?:hand[\s_-]*written[\s_-]*)?digits?"
_EDGES = (r"(?<![a-z0-9])(?:", r")(?![a-z0-9]|[.-]\d|-(?:c|p|m|lt)\b)")
_JOIN = r"\s*(?:,?\s*(?:(?:and|or)\s+(?:also|then|even)|as\s+well\s+as|and|or|plus|versus|vs\.?|&|\+|/)\s*)(?:the\s+)?"
# Well-known names of data sets that are not here: to name them in the refusal, beside a known one too.
_FOREIGN = re.compile(
    r"(?<![a-z0-9])((?:tiny[\s_-]*|mini[\s_-]*)?imagenet(?:[\s_-]*\d+k?)?|stl[\s_-]*10|[a-eg-z]-?mnist"
    r"|(?:not|med|kuzushiji|extended|rotated|permuted|sequential|noisy|moving|colou?red|binari[sz]ed)[\s_-]*mnist"
    r"|mnist[.-](?:\d\w*|c|p|m|lt)|cifar[\s_-]*100?[.-](?:\d\w*|c|p|m|lt)|usps|omniglot|coco|imdb"
    r"|caltech[\s_-]*\d+|food[\s_-]*101|gtsrb|eurosat|pascal[\s_-]*voc|cityscapes|oxford[\s_-]*pets"
    r"|(?:spoken|audio|arabic|bangla|persian|chinese|kannada|devanagari)[\s_-]+digits?)(?![a-z0-9])"
)
_OTHER_CIFAR = re.compile(r"(?<![a-z0-9])(cifar(?:[\s_-]*\d\w*)?)")
# Words that describe a network or a task, and so name no data set.
_NO_NAMES = (
    "yesterday yesterday's today today's tomorrow tonight monday tuesday wednesday thursday friday saturday sunday "
    "call meeting is are was be up "
    "a an any the my some small tiny compact large big deep shallow simple fast good new nice light lightweight image "
    "images picture pictures photo photos neural convolutional conv residual dense plain attention mixer inception "
    "depthwise transformer cnn convnet resnet classification classifier classifiers classify network net model task "
    "something it me mobile phone phones device devices arduino esp32 raspberry pi microcontroller mcu "
    "watch smartwatch laptop "
    "pc computer robot drone board chip browser tablet homework project thesis course class lecture "
    "school demo app test fit fits runs "
    "friend boss students me us "
    "design build make create give "
    "need want please i we you can could would hello hi help write "
    "cheers regards thanks "
    "yet just keep still now later today tomorrow tonight monday tuesday wednesday thursday friday saturday sunday "
    "weekend next last this week month year it's its our his her them that what which who whatever anything everything "
    "nothing someone everyone fun free sure example instance work production keeping kept how soon release "
    "generate develop show find get train under below parameter parameters budget negative binary"
)
_TELLS = (
    r"predict(?:s|ing)?|detect(?:s|ing)?|identif(?:y|ies|ying)|tells?\s+apart|distinguish(?:es|ing)?(?:\s+between)?"
)
_STOP = (
    r"(?=\s+(?:under|below|with|without|at|that|which|using|between|less|fewer|more|no|not|in|of|by|from"
    r"|to|and\s+(?:at|under|"
    r"below|with))\b|\s*[^\w\s-]|\s+-|\s*$)"
)


class NoDataset(RequestError):
    """The request names no data set, and nothing that looks like one; ``limits`` are what it says beside."""

    def __init__(self, message: str, limits: RequestLimits) -> None:
        super().__init__(message)
        self.limits = limits


def read_request(text: str, notes: list[str]) -> Request:
    """The typed form of a request in lower-case English, sizes and wishes taken out; what was passed over is noted.

    Raises:
        NoDataset: it is one but for the data set.
        RequestError: an unknown data set or several; contradictory, negative or impossible limits; a limit on
            anything that is not looked at.
    """
    low = " ".join(text.split())
    dataset, rest = _dataset(low, notes)
    wanted = task(dataset)
    limits = read_limits(rest, wanted, notes)
    # A network must at least map one pooled value per channel to each class.
    least = wanted.out_shape[0] * 2
    if limits.max_params is not None and limits.max_params < least:
        raise RequestError(
            f"at most {limits.max_params:,} parameters cannot work for {wanted.dataset}: "
            f"its {wanted.out_shape[0]} classes alone need at least {least:,} (one weight and one bias each)"
        )
    if limits.max_flops is not None and limits.max_flops < least:
        raise RequestError(
            f"at most {limits.max_flops:,} FLOPs cannot work for {wanted.dataset}: its {wanted.out_shape[0]} classes "
            f"alone need at least {least:,} (one multiply-add each)"
        )
    return Request(task=wanted, limits=limits)


def _dataset(low: str, notes: list[str]) -> tuple[str, str]:
    """The data set that a request names, and the request with a mark in the place of its name."""
    found: list[str] = []
    rest = low
    for pattern, name in _ALIASES:
        rest, hits = re.subn(pattern.join(_EDGES), MARK, rest)
        if hits:
            found.append(name)
    known = ", ".join(known_datasets())
    if foreign := _FOREIGN.search(low) or _OTHER_CIFAR.search(rest):
        raise RequestError(f"unknown data set '{foreign.group(1)}'; known data sets: {known}")
    digits = _DIGITS.join(_EDGES)
    if re.search(digits, rest) and (not found or re.search(f"{MARK}{_JOIN}{digits}|{digits}{_JOIN}{MARK}", rest)):
        found.append("digits")
        rest = re.sub(digits, MARK, rest)
    if len(found) > 1:
        raise RequestError(f"the request names {len(found)} data sets ({', '.join(found)}); name one of: {known}")
    if found:
        return found[0], rest
    guess = _unknown_name(low)
    if guess:
        raise RequestError(f"unknown data set '{guess}'; known data sets: {known}")
    limits = read_limits(rest, None, notes)
    raise NoDataset(f"the request names no data set; name one of: {known}", limits)


def _unknown_name(low: str) -> str | None:
    """What a request that names no known data set seems to be about."""
    no_names = _NO_NAMES.split()
    kind = r"(?:image\s+)?(?:classifiers?|classification|networks?|nets?|models?)\b"
    name = r"[^\W\d_][\w-]*"
    for pattern in (
        rf"\b(?:on|for|classif(?:y|ies|ying)|recogni[sz](?:e|es|ing)|{_TELLS})\s+({name}(?:[\s-]+{name})*?){_STOP}",
        rf"\b(?:an?|the)\s+([\w-]+(?:\s+[\w-]+){{0,2}})\s+{kind}",
        rf"\b(?:classifiers?|classification|recognition)\s+of\s+({name}(?:\s+and\s+{name})?)",
        rf"^\s*([\w-]+(?:\s+[\w-]+){{0,2}})\s+{kind}",
        # Words that no table knows, right before what they name.
        rf"([\u3040-\u9fff]+(?:\s+and\s+[\u3040-\u9fff]+)?)\s+(?:{kind}|recognize|image)",
    ):
        for hit in re.finditer(pattern, low):
            words = without_styles(hit.group(1)).split()
            while words and (words[0] in no_names or words[0][0].isdigit()):
                words.pop(0)
            while words and words[-1] in no_names:
                words.pop()
            if words:
                return " ".join(words)[:60]
    return None
