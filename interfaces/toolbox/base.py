"""The registry that this package's modules register their tools in."""

from __future__ import annotations

from typing import Final

from ...tools.registry import Registry

TOOLS: Final = Registry()
