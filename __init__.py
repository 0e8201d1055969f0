"""netwright: language-model agents that design neural networks, judge them by running them, and improve."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .memory.dataset_view import data
    from .tools.corpus.checking import check

__version__ = "0.1.0"
__all__ = ["__version__", "check", "data"]

# Imported when they are first asked for: `netwright --help` must not wait for pandas and torch.
_HOMES = {"check": ".tools.corpus.checking", "data": ".memory.dataset_view"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
