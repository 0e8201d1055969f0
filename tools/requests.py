"""A person's sentence -> a typed :class:`~netwright.memory.types.Request`, for callers that take nothing else."""

from __future__ import annotations

from ..memory.types import Request
from .request_limits import RequestError
from .tasks import known_datasets
from .understanding import MAX_CHARS, understand, wished_style

__all__ = ["MAX_CHARS", "RequestError", "parse_request", "wished_style"]


def parse_request(text: str) -> Request:
    """The typed form of a design request.

    Args:
        text: free text, e.g. ``"a CIFAR-10 classifier under 200k parameters"``.

    Raises:
        RequestError: no or an unknown data set; contradictory, negative or impossible limits; a limit on
            anything that is not looked at.
    """
    understood = understand(text)
    if understood.request is None:
        known = ", ".join(known_datasets())
        raise RequestError(understood.refusal or f"the request names no data set; name one of: {known}")
    return understood.request
