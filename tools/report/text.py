"""Values and hostile text as a person may safely read them."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final

_SHOWN: Final = 20_000  # characters of one model text in a page; report.json has all of it


def percent(value: float | None, digits: int = 1) -> str:
    """A share of one as a percentage, ``–`` for none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def shown(text: str) -> str:
    """Hostile text made plain to see: bounded, and what is invisible or reorders text becomes a code."""
    cut = text[:_SHOWN]
    plain = "".join(char if _visible(char) else f"\\u{ord(char):04x}" for char in cut)
    rest = len(text) - len(cut)
    return plain + (f"\n… {rest} more characters" if rest else "")


def _visible(char: str) -> bool:
    return char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def number(value: float | None) -> str:
    """A count in thousands (``12 345``), ``–`` for none."""
    return "–" if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(value: datetime) -> str:
    """A moment in UTC, to the second."""
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")
