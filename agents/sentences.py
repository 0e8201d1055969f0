"""Key sentences in the language of the person, from ``words/sentences.yaml``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml


@cache
def _held() -> dict[str, dict[str, str]]:
    text = (files(__package__) / "words" / "sentences.yaml").read_text(encoding="utf-8")
    held: dict[str, dict[str, str]] = yaml.safe_load(text)
    return held


def sentence(name: str, language: str, **values: str) -> str:
    """A sentence; in English where it is not known in the language.

    Args:
        language: ISO 639-1 code.
        values: put in for the names in braces.
    """
    known = _held()[name]
    return known.get(language, known["en"]).format(**values)
