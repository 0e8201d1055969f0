"""The tools that agents call: one registry, shown as LangChain tools, over MCP and over HTTP."""

from __future__ import annotations

import importlib
from typing import Final

from ...tools.registry import Registry
from .base import TOOLS

_MODULES: Final = (
    "networks",
    "novelty",
    "working",
    "designing",
    "recorded",
    "library",
    "mining",
    "campaigns",
    "tuning",
)


def registry() -> Registry:
    """All tools; those of a module are registered when it is first imported."""
    for name in _MODULES:
        importlib.import_module(f"{__name__}.{name}")
    return TOOLS
