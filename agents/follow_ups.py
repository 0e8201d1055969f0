"""Follow-ups, read without a language model."""

from __future__ import annotations

import re

_YES = re.compile(r"(?:yes|y|yep|ok|okay|sure|go ahead|do it|approve[d]?|ja|oui|s[ií])\b", re.I)
_NO = re.compile(r"(?:no|n|nope|don't|do not|stop|reject(?:ed)?|nein|non)\b", re.I)
_GO_ON = re.compile(r"(?:please\s+)?(?:go on|continue|resume|weiter|continue[rz]?|contin[uú]a)\b", re.I)


def yes_or_no(text: str) -> bool | None:
    """What an answer to an approval decides; ``None``: neither."""
    said = text.strip()
    if _NO.match(said):
        return False
    return True if _YES.match(said) else None


def is_go_on(text: str) -> bool:
    """Whether a message asks to go on with what was stopped."""
    return _GO_ON.match(text.strip()) is not None
