"""Free text of a person -> :class:`Understood`, deterministic and without a language model.

Whatever the text says, only a closed set of typed fields comes out: a known data set, limits, one of the known styles,
and small numbers. Nothing else of it goes anywhere but into ``Request.text``.
"""

from __future__ import annotations

import re

from ..memory.types import Request
from .request_limits import RequestError
from .requests import NoDataset, parse_request, wished_style
from .understood import Understood, Wishes

__all__ = ["Understood", "Wishes", "understand"]

_SMALL = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COUNT = rf"(\d{{1,4}}|{'|'.join(_SMALL)})"
_EPOCHS = re.compile(rf"(?:for\s+)?{_COUNT}[\s-]+epochs?\b", re.I)
_CANDIDATES = re.compile(
    rf"\b{_COUNT}\s+(?:(?:different|other)\s+)?(?:variants?|candidates?|versions?|alternatives?)\b", re.I
)
_SEED = re.compile(r"\b(?:with\s+)?seed\s*(?:=|:|of)?\s*(\d{1,9})\b", re.I)
_TRAIN = re.compile(r"\b(?:and\s+)?(?:train(?:ed)?\s+(?:it|them|for)?|show\s+me\s+the\s+accuracy)(?!\w)", re.I)


def understand(text: str) -> Understood:
    """What a request means; errors of understanding are data, not exceptions.

    Args:
        text: what a person wrote, in any of the languages of ``tools/tongues``.
    """
    rest, wishes = _wishes(text)
    style = wished_style(text)
    try:
        request = parse_request(rest)
    except NoDataset as error:
        return Understood(missing=("dataset",), limits=error.limits, style=style, wishes=wishes)
    except RequestError as error:
        return Understood(refusal=str(error), style=style, wishes=wishes)
    request = Request(task=request.task, limits=request.limits, text=text.strip())
    return Understood(request=request, limits=request.limits, style=style, wishes=wishes)


def _wishes(text: str) -> tuple[str, Wishes]:
    """What is asked beside the network, and the text without it."""
    found: dict[str, int] = {}
    for name, pattern in (("epochs", _EPOCHS), ("candidates", _CANDIDATES), ("seed", _SEED)):
        if hit := pattern.search(text):
            said = hit.group(1).lower()
            found[name] = _SMALL[said] if said in _SMALL else int(said)
            text = f"{text[: hit.start()]} {text[hit.end() :]}"
    train = "epochs" in found or _TRAIN.search(text) is not None
    return _TRAIN.sub(" ", text), Wishes(train=train, **found)
