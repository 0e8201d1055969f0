"""How long work says that it was asked to stop."""

from __future__ import annotations


class Stopped(RuntimeError):
    """The work was asked to stop. What it had done is kept; the same work goes on from there."""
