"""What must not leave this machine with an export: its paths, and what looks like a key."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from ...memory.home import home

# Shapes that key issuers document for their own keys, and private keys as text.
_SECRETS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|gh[opusr]_[A-Za-z0-9]{36,}"
    r"|github_pat_[A-Za-z0-9_]{40,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{10,})"
)
_SHORTEST: Final = 4  # a home such as "/" would be in every text


class Private:
    """Finds paths of this machine and keys in texts. Make one for many texts."""

    def __init__(self) -> None:
        places = {str(home()), str(Path.home()), tempfile.gettempdir(), str(Path(__file__).resolve().parents[2])}
        wanted = sorted((place for place in places if len(place) >= _SHORTEST), key=lambda place: (-len(place), place))
        self._places = re.compile("|".join(rf"{re.escape(place)}[/\\]" for place in wanted))

    def fault(self, *texts: str | None) -> str | None:
        """What was found, in words that many texts share; ``None``: nothing."""
        for text in texts:
            if text and self._places.search(text):
                return "a path of this machine"
            if text and _SECRETS.search(text):
                return "what looks like a key"
        return None
