"""Where netwright keeps what it remembers on disk."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "NETWRIGHT_HOME"


def home() -> Path:
    """The data directory: ``$NETWRIGHT_HOME``, else ``$XDG_DATA_HOME/netwright``, else in ``~/.local/share``.

    Created on first use with mode 0700, because records may hold prompts.
    """
    named = os.environ.get(HOME_VARIABLE)
    if named:
        path = Path(named).expanduser()
    else:
        base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        path = Path(base).expanduser() / "netwright"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def home_folder(*parts: str) -> Path:
    """A folder below :func:`home`, created when missing."""
    path = home().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
