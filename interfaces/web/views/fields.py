"""Numbers out of optional text fields: a widget for numbers cannot be left empty."""

from __future__ import annotations

import re
from typing import Final

from ....tools.quantities import NUMBER, UNIT, value_of

_WRITTEN: Final = re.compile(rf"({NUMBER})\s*({UNIT})?")


MOST: Final = 1e15
"""Beyond this a whole number is none any more to a float."""


class FieldError(ValueError):
    """A field holds no number, or one that makes no sense there."""


def number(label: str, text: str | None, *, least: float = 0.0, most: float = MOST) -> float | None:
    """The number in a field, ``None`` where it is empty; ``200k`` and ``200,000`` are the same.

    Raises:
        FieldError: it is none, or out of range. The message names the field.
    """
    said = (text or "").strip().lower()
    if not said:
        return None
    found = _WRITTEN.fullmatch(said)
    if found is None:
        raise FieldError(f"{label}: write a number, such as 200k or 50,000, or leave it empty")
    value = float(value_of(found[1], found[2]))
    if not least <= value <= most:
        raise FieldError(f"{label}: from {least:g} to {most:g}, not {value:g}")
    return value


def whole(label: str, text: str | None, *, least: int = 1) -> int | None:
    """The same for whole numbers.

    Raises:
        FieldError: see :func:`number`.
    """
    value = number(label, text, least=least)
    if value is not None and value != int(value):
        raise FieldError(f"{label}: a whole number, not {value:g}")
    return None if value is None else int(value)
