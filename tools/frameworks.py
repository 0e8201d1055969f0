"""The large frameworks, imported when something needs them first: they take seconds, and most commands need none."""

from __future__ import annotations

import threading

_IMPORTING = threading.Lock()


def load_frameworks() -> None:
    """Import torch and transformers, one thread at a time; at once where that has been done.

    To be called before transformers is imported where several threads may be the first to need it, as in a server:
    it puts another module in its own place while it is imported, and a second thread that waits for it meanwhile gets
    the old one, without its names.
    """
    with _IMPORTING:
        import torch  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
