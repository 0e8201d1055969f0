"""What is asked for, from what a person wrote: the deterministic understanding that every interface uses."""

from __future__ import annotations

from ..tools.understanding import Understood, Wishes, understand

__all__ = ["Understood", "Wishes", "understand"]
